/* http_server.c - a server from its parts: listener, libwebsockets, connections.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_server_internal.h"

static void free_rest(struct http_server *s)
{
    map_free(s->peers, NULL);
    http_shared_free(s->shared);
    free(s);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    http_listen_stop(s);
    http_wire_stop(s, free_rest);
}

enum status http_server_new(struct loop *l, const struct http_server_options *o,
                            struct http_server **out, struct error *err)
{
    struct http_server *s = xcalloc(1, sizeof(*s));
    enum status st;

    s->loop = l;
    s->o = *o;
    if (!s->o.address)
        s->o.address = "127.0.0.1";
    s->limits = http_limits_filled(&o->limits);
    s->listen_fd = -1;
    st = http_listen_start(s, err);
    if (st)
        goto fail;
    s->shared = http_shared_new(&s->o, s->port);
    st = http_wire_start(s, err);
    if (!st)
        st = http_listen_go(s, err);
    if (st)
        goto fail;
    *out = s;
    return STATUS_OK;

fail:
    error_note(err, "listening on %s port %d", s->o.address, s->o.port);
    http_server_free(s);
    return st;
}

int32_t http_server_port(const struct http_server *s)
{
    return s->port;
}

enum status http_server_reload(struct http_server *s, struct error *err)
{
    return http_wire_reload(s, err);
}

void http_server_drain(struct http_server *s)
{
    http_listen_stop(s);
    http_shared_drain(s->shared);
}

struct http_counts http_server_counts(const struct http_server *s)
{
    return *http_shared_counts(s->shared);
}
