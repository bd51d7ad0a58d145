/* fuzz_http.c - any bytes as what a client sends: the same replies however the bytes are cut, each
 * with a code, and no text of a request outside of its bytes.
 *
 * The first byte says where the bytes are cut.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/base/utf8.h"
#include "runtime/http/http_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX_BYTES 65536

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void ignore_pause(void *ctx, bool yes)
{
    (void)ctx;
    (void)yes;
}

static void on_close(void *ctx, enum http_close how)
{
    bool *closed = ctx;

    if (*closed || how == HTTP_CLOSE_RESET)
        abort(); /* twice; or without a cause, since memory is left and the client reads */
    *closed = true;
}

static struct http_route route(void *ctx, const struct http_request *q)
{
    (void)ctx;
    return (struct http_route){.reject = q->path[1] == 'n' ? 404 : 0, .max_body = 1000};
}

static void check_request(const struct http_request *q)
{
    size_t n = strlen(q->path);

    if (q->path[0] != '/' || utf8_valid_prefix(q->path, n) != n || q->n_fields < 1 ||
        q->n_fields > HTTP_FIELDS_MAX || q->body_bytes < 0 || strpbrk(q->path, "\r\n"))
        abort();
    for (int32_t i = 0; i < q->n_fields; i++)
        if (strpbrk(q->fields[i].value, "\r\n") || strpbrk(q->fields[i].name, "\r\n: ") ||
            !q->fields[i].name[0])
            abort();
}

static void serve(void *ctx, struct http_call *c)
{
    const struct http_request *q = http_call_request(c);
    char value[16];

    (void)ctx;
    check_request(q);
    (void)http_query_value(q->query, "x", value, sizeof(value));
    http_call_reply(
        c, &(struct http_reply){.code = 200, .body = q->body, .body_bytes = (size_t)q->body_bytes});
}

static void send_all(struct http_conn *c, const bool *closed, struct str *out)
{
    const char *bytes;
    size_t n;

    while (!*closed && (n = http_conn_unsent(c, &bytes)) > 0) {
        n = n > 5000 ? 5000 : n;
        str_append(out, bytes, n);
        http_conn_sent(c, n);
    }
}

/* All replies to these bytes, fed `step` at a time. */
static void converse(struct http_shared *s, const char *bytes, size_t n, size_t step,
                     struct str *out)
{
    bool closed = false;
    struct http_link link = {&closed, nothing, ignore_pause, on_close};
    struct http_conn *c = http_conn_new(s, &link, "192.0.2.1");

    for (size_t at = 0; at < n && !closed; at += step) {
        size_t k = n - at < step ? n - at : step;
        char *copy = malloc(k); /* so that a read after the end is seen */

        memcpy(copy, bytes + at, k);
        http_conn_feed(c, copy, k);
        free(copy);
        send_all(c, &closed, out);
    }
    http_conn_free(c);
}

/* It depends on what has come. */
static void drop_continue(struct str *s)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char *p;

    while ((p = s->data ? memmem(s->data, s->len, text, sizeof(text) - 1) : NULL)) {
        s->len -= sizeof(text) - 1;
        memmove(p, p + sizeof(text) - 1, s->len - (size_t)(p - s->data) + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct seams seams = {.clock = {NULL, no_time, no_time}};
    struct http_server_options o = {.seams = &seams, .handler = {.route = route, .serve = serve}};
    struct http_shared *s;
    struct str whole = STR_INIT, cut = STR_INIT;

    if (n < 1 || n > MAX_BYTES)
        return 0;
    s = http_shared_new(&o, 80);
    converse(s, (const char *)data + 1, n - 1, n, &whole);
    converse(s, (const char *)data + 1, n - 1, (size_t)data[0] % 61 + 1, &cut);
    drop_continue(&whole);
    drop_continue(&cut);
    if (whole.len != cut.len || memcmp(str_cstr(&whole), str_cstr(&cut), cut.len) != 0)
        abort();
    if (whole.len > 0 && memcmp(whole.data, "HTTP/1.1 ", 9) != 0)
        abort();
    if (http_shared_counts(s)->connections || http_shared_counts(s)->requests)
        abort();
    http_shared_free(s);
    str_deinit(&whole);
    str_deinit(&cut);
    return 0;
}
