/* http_vhost.c - the context of libwebsockets, certificates, and its log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_vhost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <libwebsockets.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop_uv.h"

#define READ_BYTES     65536
#define SPARE_FDS      4096 /* descriptors of other parts of the program */
#define LOG_PER_MINUTE 20

/* Its log function has no context; it runs on the thread of the loop. */
static _Thread_local struct {
    struct log *log;
    const struct seams *seams;
    int64_t minute;
    int lines;  /* in this minute: peers must not be able to fill the log */
    bool quiet; /* the caller returns `last` as an error */
    char last[200];
} lws_sink;

static void on_log(int level, const char *line)
{
    size_t n = strcspn(line, "\n");
    int64_t minute;

    if (n >= sizeof(lws_sink.last))
        n = sizeof(lws_sink.last) - 1;
    memcpy(lws_sink.last, line, n);
    lws_sink.last[n] = '\0';
    if (!lws_sink.log || lws_sink.quiet)
        return;
    minute = seams_mono_us(lws_sink.seams) / 60000000;
    if (minute != lws_sink.minute)
        lws_sink.lines = 0;
    lws_sink.minute = minute;
    if (lws_sink.lines++ < LOG_PER_MINUTE)
        log_write(lws_sink.log, level == LLL_ERR ? LOG_WARN : LOG_DEBUG, "http: libwebsockets: %s",
                  lws_sink.last);
}

/* ---- certificates */

/* libwebsockets takes a missing file for one that will come. */
static enum status check_files(const struct http_server *s, struct error *err)
{
    const char *paths[] = {s->o.tls_cert, s->o.tls_key};
    enum status st;

    if (!s->o.tls_cert)
        return STATUS_OK;
    if (!s->o.tls_key)
        return error_set(err, STATUS_CONFIG, "a certificate needs the file of its key");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char *text = NULL;
        size_t n = 0;

        st = file_read(paths[i], (size_t)1 << 20, &text, &n, err);
        if (text)
            lws_explicit_bzero(text, n);
        free(text);
        if (st)
            return error_as_config(st, err);
    }
    return STATUS_OK;
}

static enum status vhost_new(struct http_server *s, const struct lws_protocols *p,
                             struct http_vhost **out, struct error *err)
{
    struct http_vhost *v = xcalloc(1, sizeof(*v));
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = p,
        .vhost_name = v->name,
        .alpn = "http/1.1",
        .options = LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
        .ssl_cert_filepath = s->o.tls_cert,
        .ssl_private_key_filepath = s->o.tls_key,
        .ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION,
    };
    enum status st = check_files(s, err);

    if (st)
        goto fail;
    if (s->o.tls_cert)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    (void)snprintf(v->name, sizeof(v->name), "troupe-%lld", (long long)s->n_vhosts++);
    lws_sink.last[0] = '\0';
    lws_sink.quiet = true;
    v->vhost = lws_create_vhost(s->lws, &info);
    lws_sink.quiet = false;
    if (!v->vhost) {
        st = error_set(err, STATUS_CONFIG, "certificate %s and key %s cannot be used: %s",
                       s->o.tls_cert ? s->o.tls_cert : "-", s->o.tls_key ? s->o.tls_key : "-",
                       lws_sink.last);
        goto fail;
    }
    *out = v;
    return STATUS_OK;

fail:
    free(v);
    return st;
}

enum status http_vhost_reload(struct http_server *s, const struct lws_protocols *p,
                              struct error *err)
{
    struct http_vhost *v = NULL;
    enum status st = s->o.tls_cert ? vhost_new(s, p, &v, err) : STATUS_OK;

    if (st || !v)
        return st;
    s->vhost->next = s->retired;
    s->retired = s->vhost;
    s->vhost = v;
    return STATUS_OK;
}

void http_vhost_reap(struct http_server *s)
{
    struct http_vhost **at = &s->retired;

    while (*at) {
        struct http_vhost *v = *at;

        if (v->n_wires > 0) {
            at = &v->next;
            continue;
        }
        *at = v->next;
        lws_vhost_destroy(v->vhost);
        v->vhost = NULL;
        v->next = s->reaped; /* libwebsockets uses the name to the end */
        s->reaped = v;
    }
}

/* ---- the context */

/* Its tables have an entry for each descriptor that the process may have, and it walks through them
 * whenever a connection closes. So it must see no larger limit than we need. */
static struct lws_context *context_new(struct http_server *s)
{
    struct uv_loop_s *uv = loop_uv(s->loop);
    void *loops[] = {uv};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
        .foreign_loops = loops,
        .pt_serv_buf_size = READ_BYTES,
        .timeout_secs = (unsigned int)(s->limits.head_ms / 1000 + 1),
        .alpn = "http/1.1",
    };
    struct rlimit before, during;
    bool lowered = false;
    struct lws_context *context;

    s->max_fd = s->limits.max_connections + SPARE_FDS;
    if (getrlimit(RLIMIT_NOFILE, &before) == 0) {
        if (before.rlim_cur <= (rlim_t)s->max_fd) {
            s->max_fd = (int32_t)before.rlim_cur;
        } else {
            during = before;
            during.rlim_cur = (rlim_t)s->max_fd;
            lowered = setrlimit(RLIMIT_NOFILE, &during) == 0;
        }
    }
    if (s->o.tls_cert)
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    context = lws_create_context(&info);
    if (lowered)
        (void)setrlimit(RLIMIT_NOFILE, &before);
    return context;
}

enum status http_vhost_start(struct http_server *s, const struct lws_protocols *p,
                             struct error *err)
{
    if (s->o.log || !lws_sink.log) { /* a server without a log leaves that of another one */
        lws_sink.log = s->o.log;
        lws_sink.seams = s->o.seams;
    }
    lws_sink.last[0] = '\0';
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    s->lws = context_new(s);
    if (!s->lws)
        return error_set(err, STATUS_FAILED,
                         "libwebsockets does not start (%s); its package for libuv may be missing",
                         lws_sink.last);
    return vhost_new(s, p, &s->vhost, err);
}

static void free_list(struct http_vhost *v)
{
    while (v) {
        struct http_vhost *next = v->next;

        free(v);
        v = next;
    }
}

void http_vhost_stop_log(struct http_server *s)
{
    if (lws_sink.log == s->o.log)
        lws_sink.log = NULL;
}

void http_vhost_stop(struct http_server *s)
{
    if (s->lws)
        lws_context_destroy(s->lws);
    s->lws = NULL;
    free_list(s->vhost);
    free_list(s->retired);
    free_list(s->reaped);
}
