/* bench_http_bare.c - the shortest handlers of libwebsockets' own HTTP server: one write for each
 * reply, one for each event.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_http_bare.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "runtime/loop/loop_uv.h"

struct session {
    struct session *next;
    struct lws *wsi;
    int is_stream;
};

static struct session *sessions;
static const char *reply_text, *event_text;

static int send_reply(struct lws *wsi)
{
    unsigned char buf[LWS_PRE + 1024], *start = buf + LWS_PRE, *p = start;
    unsigned char *end = buf + sizeof(buf) - 1;
    size_t n = strlen(reply_text);

    if (lws_add_http_common_headers(wsi, 200, "application/json", n, &p, end) ||
        lws_finalize_http_header(wsi, &p, end))
        return -1;
    memcpy(p, reply_text, n);
    p += n;
    if (lws_write(wsi, start, (size_t)(p - start), LWS_WRITE_HTTP_FINAL) < 0)
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int begin_stream(struct lws *wsi, struct session *s)
{
    unsigned char buf[LWS_PRE + 1024], *start = buf + LWS_PRE, *p = start;
    unsigned char *end = buf + sizeof(buf) - 1;

    if (lws_add_http_common_headers(wsi, 200, "text/event-stream", LWS_ILLEGAL_HTTP_CONTENT_LEN, &p,
                                    end) ||
        lws_finalize_write_http_header(wsi, start, &p, end))
        return -1;
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    s->wsi = wsi;
    s->is_stream = 1;
    s->next = sessions;
    sessions = s;
    return 0;
}

static int send_event(struct lws *wsi)
{
    unsigned char buf[LWS_PRE + 256];
    size_t n = strlen(event_text);

    memcpy(buf + LWS_PRE, event_text, n);
    return lws_write(wsi, buf + LWS_PRE, n, LWS_WRITE_HTTP) < 0 ? -1 : 0;
}

static void leave(struct session *s)
{
    struct session **at = &sessions;

    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t n)
{
    struct session *s = user;

    (void)n;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        if (strcmp(in, "/events") == 0)
            return begin_stream(wsi, s);
        if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI))
            return 0;
        return send_reply(wsi);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return send_reply(wsi);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return s && s->is_stream ? send_event(wsi) : 0;
    case LWS_CALLBACK_CLOSED_HTTP:
        if (s)
            leave(s);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_event, .per_session_data_size = sizeof(struct session)},
    {0},
};

int32_t bare_start(struct loop *l, const char *reply, const char *event)
{
    void *loops[] = {loop_uv(l)};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .pt_serv_buf_size = 65536};
    struct lws_context_creation_info vh = {.iface = "127.0.0.1",
                                           .protocols = protocols,
                                           .vhost_name = "bare",
                                           .keepalive_timeout = 60};
    struct lws_context *context;
    struct lws_vhost *vhost;

    reply_text = reply;
    event_text = event;
    lws_set_log_level(LLL_ERR, NULL);
    context = lws_create_context(&info);
    vhost = context ? lws_create_vhost(context, &vh) : NULL;
    return vhost ? lws_get_vhost_listen_port(vhost) : -1;
}

void bare_event(void)
{
    for (struct session *s = sessions; s; s = s->next)
        lws_callback_on_writable(s->wsi);
}
