/* http_client_transfer.c - one request by libcurl: its options, and what comes back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/http/http_client_curl.h"

/* Bytes of all header lines of an answer, also those of 1xx heads and trailers; libcurl has a limit
 * of its own above it. */
#define HEADS_MAX (256 << 10)

/* ---- callbacks of libcurl; a return value that is wrong to it ends the transfer */

/* The server may have got a request that it did not answer, and only these may then be repeated
 * (RFC 9110, 9.2.2): libcurl repeats any request whose reused connection was closed. */
static bool may_repeat(enum http_method m)
{
    return m != HTTP_POST && m != HTTP_PATCH;
}

static bool same_address(const char *a, const char *b)
{
    unsigned char bytes[2][16] = {{0}};

    for (int family = 0; family < 2; family++)
        if (inet_pton(family ? AF_INET6 : AF_INET, a, bytes[0]) == 1)
            return inet_pton(family ? AF_INET6 : AF_INET, b, bytes[1]) == 1 &&
                   memcmp(bytes[0], bytes[1], family ? 16 : 4) == 0;
    return false;
}

/* Connected, nothing sent yet. */
static int on_connected(void *ctx, char *peer, char *self, int peer_port, int self_port)
{
    struct transfer *t = ctx;

    (void)self;
    (void)peer_port;
    (void)self_port;
    if (t->dead)
        return CURL_PREREQFUNC_ABORT;
    if (!same_address(t->hop.address, peer))
        t->st = error_set(&t->err, STATUS_REJECTED, "%s: connected to %s instead of %s", t->origin,
                          peer, t->hop.address);
    else if (t->sent && !may_repeat(t->hop.method))
        t->st = error_set(&t->err, STATUS_IO, "%s: the connection was closed without an answer",
                          t->origin);
    if (t->st)
        return CURL_PREREQFUNC_ABORT;
    t->sent = true;
    t->body_sent = 0;
    t->hop.on_sent(t->hop.ctx);
    return t->dead ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_read(char *out, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t room = size * n, left;

    if (t->dead)
        return CURL_READFUNC_ABORT;
    left = t->hop.body_bytes - t->body_sent;
    if (left > room)
        left = room;
    if (left > 0)
        memcpy(out, t->hop.body + t->body_sent, left);
    t->body_sent += left;
    return left;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *t = ctx;

    if (t->dead || origin != SEEK_SET || offset < 0 || (size_t)offset > t->hop.body_bytes)
        return CURL_SEEKFUNC_FAIL;
    t->body_sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* "HTTP/1.1 200 OK": 200; 0: not a status line. */
static int status_code(const char *line, size_t n)
{
    size_t at = 0;

    if (n < 12 || strncmp(line, "HTTP/", 5) != 0)
        return 0;
    while (at < n && line[at] != ' ')
        at++;
    if (n - at < 4)
        return 0;
    for (int i = 1; i <= 3; i++)
        if (line[at + (size_t)i] < '0' || line[at + (size_t)i] > '9')
            return 0;
    return (line[at + 1] - '0') * 100 + (line[at + 2] - '0') * 10 + (line[at + 3] - '0');
}

static enum status take_field(struct transfer *t, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);

    if (n > 0 && (line[0] == ' ' || line[0] == '\t'))
        return http_fields_continue(&t->head, line, n, &t->err);
    if (!colon)
        return error_set(&t->err, STATUS_INVALID, "a header line without a colon");
    return http_fields_add(&t->head, line, (size_t)(colon - line), colon + 1,
                           n - (size_t)(colon - line) - 1, &t->err);
}

/* The blank line after a head. */
static enum status end_head(struct transfer *t)
{
    const struct http_field *list;

    t->in_head = false;
    if (t->code < 200)
        return STATUS_OK;
    t->head_done = true;
    list = http_fields_list(&t->head);
    if (!list)
        return error_set(&t->err, STATUS_NO_MEMORY, "no memory for header fields");
    t->hop.on_head(t->hop.ctx, t->code, list, t->head.n);
    return STATUS_OK;
}

/* One line of a head, or of a trailer. */
static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t bytes = size * n, length = bytes;

    if (t->dead)
        return 0;
    t->head_bytes += bytes;
    if (t->head_bytes > HEADS_MAX) {
        t->st = error_set(&t->err, STATUS_LIMIT, "%s: more than %d bytes of header lines",
                          t->origin, HEADS_MAX);
        return 0;
    }
    if (t->head_done)
        return bytes; /* a trailer */
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (!t->in_head) {
        t->code = status_code(line, length);
        t->in_head = true;
        http_fields_clear(&t->head);
        if (t->code == 0)
            t->st = error_set(&t->err, STATUS_INVALID, "no status line");
    } else if (length > 0) {
        t->st = take_field(t, line, length);
    } else {
        t->st = end_head(t);
    }
    if (t->st && !t->dead)
        error_note(&t->err, "the answer of %s", t->origin);
    return t->st || t->dead ? 0 : bytes;
}

static size_t on_write(char *bytes, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;

    if (t->dead)
        return CURL_WRITEFUNC_ERROR;
    if (t->paused) {
        t->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!t->head_done) {
        t->st = error_set(&t->err, STATUS_INVALID, "the answer of %s has no head", t->origin);
        return CURL_WRITEFUNC_ERROR;
    }
    t->hop.on_body(t->hop.ctx, bytes, size * n);
    return t->dead ? CURL_WRITEFUNC_ERROR : size * n;
}

/* ---- options */

static bool add_line(struct curl_slist **list, const char *text)
{
    struct curl_slist *more = curl_slist_append(*list, text);

    if (more)
        *list = more;
    return more != NULL;
}

static bool has_field(const struct http_hop *h, const char *name)
{
    return http_field_value(h->fields, h->n_fields, name) != NULL;
}

static bool put_headers(struct transfer *t)
{
    const struct http_hop *h = &t->hop;
    struct str line;
    bool ok = add_line(&t->headers, "Expect:");

    str_init(&line, HTTP_FIELDS_BYTES_MAX + 4);
    for (int32_t i = 0; i < h->n_fields && ok; i++) {
        str_clear(&line);
        str_puts(&line, h->fields[i].name); /* "name;" is an empty value to libcurl */
        str_puts(&line, *h->fields[i].value ? ": " : ";");
        str_puts(&line, h->fields[i].value);
        ok = str_ok(&line) && add_line(&t->headers, str_cstr(&line));
    }
    if (ok && !has_field(h, "content-type")) /* libcurl would say that it is a form */
        ok = add_line(&t->headers, "Content-Type:");
    str_deinit(&line);
    return ok;
}

#define SET(option, value)                                                                         \
    (t->st == STATUS_OK && curl_easy_setopt(t->easy, option, value) != CURLE_OK                    \
         ? (void)(t->st = error_set(&t->err, STATUS_FAILED, "libcurl refuses " #option))           \
         : (void)0)

/* Every connection of any name goes to the address that was checked; libcurl keeps connections to
 * different addresses apart. */
static void put_place(struct transfer *t)
{
    bool v6 = strchr(t->hop.address, ':') != NULL;
    struct str text = STR_INIT;

    str_printf(&text, "%s%s", t->hop.url->origin, t->hop.url->target);
    SET(CURLOPT_URL, str_cstr(&text));
    str_clear(&text);
    str_printf(&text, "::%s%s%s:", v6 ? "[" : "", t->hop.address, v6 ? "]" : "");
    if (!str_ok(&text) || !add_line(&t->connect_to, str_cstr(&text)))
        t->st = error_set(&t->err, STATUS_NO_MEMORY, "no memory for a request");
    SET(CURLOPT_CONNECT_TO, t->connect_to);
    str_deinit(&text);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, t);
}

static void put_connection(struct transfer *t, const char *ca_file)
{
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, 86400000L); /* the client has its own deadline; 0 is 5 minutes */
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (ca_file) {
        SET(CURLOPT_CAINFO, ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_ERRORBUFFER, t->why);
    SET(CURLOPT_PRIVATE, t);
}

static void put_request(struct transfer *t)
{
    enum http_method m = t->hop.method;

    if (m == HTTP_HEAD) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (t->hop.body_bytes > 0 || m == HTTP_POST || m == HTTP_PUT || m == HTTP_PATCH) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->hop.body_bytes);
        SET(CURLOPT_READFUNCTION, on_read);
        SET(CURLOPT_READDATA, t);
        SET(CURLOPT_SEEKFUNCTION, on_seek);
        SET(CURLOPT_SEEKDATA, t);
        SET(CURLOPT_CUSTOMREQUEST, http_method_name(m));
    } else {
        SET(CURLOPT_HTTPGET, 1L);
        SET(CURLOPT_CUSTOMREQUEST, http_method_name(m));
    }
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_write);
    SET(CURLOPT_WRITEDATA, t);
}

enum status transfer_new(const struct http_hop *hop, const char *ca_file, struct transfer **out,
                         struct error *err)
{
    struct transfer *t = mem_alloc(1, sizeof(*t));
    enum status st;

    if (!t)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a request");
    http_fields_init(&t->head);
    t->hop = *hop;
    memcpy(t->origin, hop->url->origin, sizeof(t->origin));
    t->easy = curl_easy_init();
    if (!t->easy || !put_headers(t))
        t->st = error_set(&t->err, STATUS_NO_MEMORY, "no memory for a request");
    if (t->easy) {
        put_place(t);
        put_connection(t, ca_file);
        put_request(t);
    }
    if (t->st == STATUS_OK) {
        *out = t;
        return STATUS_OK;
    }
    st = t->st;
    if (err)
        *err = t->err;
    transfer_free(t);
    return st;
}

void transfer_free(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->connect_to);
    http_fields_deinit(&t->head);
    free(t);
}

/* ---- result */

static enum status result_of(CURLcode rc)
{
    switch (rc) {
    case CURLE_OUT_OF_MEMORY:
        return STATUS_NO_MEMORY;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return STATUS_REJECTED;
    case CURLE_SSL_CACERT_BADFILE:
        return STATUS_CONFIG;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
        return STATUS_INVALID;
    default:
        return STATUS_IO;
    }
}

enum status transfer_result(struct transfer *t, CURLcode rc)
{
    enum status st = result_of(rc);

    if (t->st)
        return t->st;
    if (rc == CURLE_OK && t->head_done)
        return STATUS_OK;
    if (rc == CURLE_OK)
        return error_set(&t->err, STATUS_IO, "%s: closed without an answer", t->origin);
    if (rc == CURLE_OUT_OF_MEMORY && t->sent && !t->head_done) /* libcurl does not say which */
        return error_set(
            &t->err, STATUS_LIMIT,
            "%s: a header line is longer than libcurl allows (100 KiB), or there is no "
            "memory",
            t->origin);
    return error_set(&t->err, st, "%s (%s): %s", t->origin, t->hop.address,
                     t->why[0] ? t->why : curl_easy_strerror(rc));
}
