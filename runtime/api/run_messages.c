/* run_messages.c - see run_messages.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/run_messages.h"

#include <string.h>

#include "models/model.h"

struct message_load {
    const char *under;
    struct json *threads;
};

/* {"role", ...the body's own members}; a body that is not an object is the content. */
static struct json *message_json(const struct message_row *m)
{
    struct json *o = jv_object(), *value;
    const char *key;

    jv_set_string(o, "role", m->role);
    if (jv_kind(m->body) != JV_OBJECT)
        jv_set_adopt(o, "content", m->body ? jv_deep_copy(m->body) : jv_null());
    else if (strcmp(m->role, "tool") == 0)
        jv_set_adopt(o, "content", jv_deep_copy(m->body));
    else
        for (void *it = NULL; (it = jv_next(m->body, it, &key, &value)) != NULL;)
            if (strcmp(key, MODEL_COST_KEY) != 0 && strcmp(key, MODEL_REQUESTS_KEY) != 0)
                jv_set_adopt(o, key, jv_deep_copy(value));
    return o;
}

static bool add_message(void *ctx, const struct message_row *m)
{
    struct message_load *l = ctx;
    struct json *thread = jv_at(l->threads, jv_size(l->threads) - 1);

    if (!thread || strcmp(jv_get_string(jv_get(thread, "path"), ""), m->thread) != 0) {
        thread = jv_object();
        jv_set_string(thread, "path", m->thread);
        jv_set_adopt(thread, "messages", jv_array());
        jv_append_adopt(l->threads, thread);
    }
    jv_append_adopt(jv_get(thread, "messages"), message_json(m));
    return true;
}

enum status run_messages_load(struct store_reader *q, const char *uuid, const char *under,
                              struct json **out, struct error *err)
{
    struct message_load l = {.under = under, .threads = jv_array()};
    enum status st = query_messages(q, uuid, under, add_message, &l, err);

    if (st) {
        jv_unref(l.threads);
        return st;
    }
    *out = l.threads;
    return STATUS_OK;
}
