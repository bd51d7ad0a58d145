/* hub_retry.c - see hub_retry.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_retry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

struct hub_retries {
    struct loop *loop;
    int64_t kept_ms;
    size_t kept_bytes, bytes; /* at most; now */
    struct map *by_key;       /* to struct hub_retry, oldest first */
};

struct hub_retries *hub_retries_new(struct loop *l, int64_t kept_ms, size_t kept_bytes)
{
    struct hub_retries *all = xcalloc(1, sizeof(*all));

    all->loop = l;
    all->kept_ms = kept_ms;
    all->kept_bytes = kept_bytes;
    all->by_key = map_new();
    return all;
}

static void drop_reply(struct hub_retry *r)
{
    if (r->reply)
        r->all->bytes -= r->reply->bytes;
    hub_reply_unref(r->reply);
    r->reply = NULL;
}

static void retry_free(struct hub_retry *r)
{
    assert(!r->first);
    drop_reply(r);
    loop_timer_free(r->timer);
    free(r);
}

void hub_retries_free(struct hub_retries *all)
{
    const char *key;
    void *value;

    if (!all)
        return;
    for (size_t i = 0; map_next(all->by_key, &i, &key, &value);)
        retry_free(value);
    map_free(all->by_key, NULL);
    free(all);
}

static void put_hex(char **at, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++, *at += 2)
        (void)snprintf(*at, 3, "%02x", bytes[i]);
}

struct hub_retry *hub_retry_of(struct hub_retries *all, const unsigned char nonce[HUB_NONCE_BYTES],
                               const struct sha256 *input, bool *is_new)
{
    char key[sizeof(((struct hub_retry *)0)->key)], *at = key;
    struct hub_retry *r;

    put_hex(&at, nonce, HUB_NONCE_BYTES);
    put_hex(&at, (const unsigned char *)input, sizeof(*input));
    r = map_get(all->by_key, key);
    *is_new = !r;
    if (r)
        return r;
    r = xcalloc(1, sizeof(*r));
    r->all = all;
    memcpy(r->key, key, sizeof(key));
    (void)map_put(all->by_key, key, r);
    return r;
}

void hub_retry_forget(struct hub_retry *r)
{
    (void)map_remove(r->all->by_key, r->key);
    retry_free(r);
}

static void on_time(void *ctx)
{
    hub_retry_forget(ctx);
}

/* The retries stay, without their answers. */
static bool make_room(struct hub_retries *all, size_t bytes)
{
    const char *key;
    void *value;

    for (size_t i = 0;
         all->bytes + bytes > all->kept_bytes && map_next(all->by_key, &i, &key, &value);)
        drop_reply(value);
    return all->bytes + bytes <= all->kept_bytes;
}

void hub_retry_keep(struct hub_retry *r, struct hub_reply *reply)
{
    assert(!r->is_over);
    r->is_over = true;
    if (reply && make_room(r->all, reply->bytes)) {
        r->reply = hub_reply_ref(reply);
        r->all->bytes += reply->bytes;
    }
    r->timer = loop_timer_new(r->all->loop, r->all->kept_ms, on_time, r);
}
