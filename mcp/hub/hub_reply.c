/* hub_reply.c - see hub_reply.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_reply.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

static struct json_view keep(char **at, struct json_view v)
{
    struct json_view copy = {.at = v.at ? *at : NULL, .n = v.n};

    if (v.n > 0)
        memcpy(*at, v.at, v.n);
    *at += v.n;
    return copy;
}

struct hub_reply *hub_reply_new(const struct mcp_answer *a)
{
    size_t message = a->message ? strlen(a->message) + 1 : 0;
    size_t bytes = sizeof(struct hub_reply) + a->result.n + a->data.n + message;
    struct hub_reply *r = mem_alloc(bytes, 1);
    char *at;

    if (!r)
        return NULL;
    *r = (struct hub_reply){.refs = 1, .answer = *a, .bytes = bytes};
    at = (char *)(r + 1);
    r->answer.result = keep(&at, a->result);
    r->answer.data = keep(&at, a->data);
    if (message)
        r->answer.message = memcpy(at, a->message, message);
    return r;
}

struct hub_reply *hub_reply_ref(struct hub_reply *r)
{
    r->refs++;
    return r;
}

void hub_reply_unref(struct hub_reply *r)
{
    if (r && --r->refs == 0)
        free(r);
}
