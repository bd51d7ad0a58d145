/* http_head.c - the strict parser of a request's head.
 *
 * First the end of the head is looked for, with all limits checked on the way, so that an endless
 * head fails early; then the complete head is parsed in place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_head.h"

#include <string.h>
#include <strings.h>

#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

#define METHOD_MAX        32
#define LENGTH_DIGITS_MAX 18 /* fits in int64_t */

/* One head under parse. Errors: `status` and `why`, then everything returns false. */
struct head {
    struct http_request *out;
    int status;
    const char *why;
    bool has_host, has_length, must_close;
};

static bool fail(struct head *h, int status, const char *why)
{
    h->status = status;
    h->why = why;
    return false;
}

/* ---- the end of the head */

/* The bytes of a complete head, 0, or minus a status. */
static int64_t find_end(const char *bytes, size_t n, const char **why)
{
    size_t at = 0, first = 0;
    int32_t lines = 0;

    for (;;) {
        const char *lf = memchr(bytes + at, '\n', n - at);
        size_t len = lf ? (size_t)(lf - bytes) - at : n - at; /* with CR, without LF */
        size_t text = len > 0 && bytes[at + len - 1] == '\r' ? len - 1 : len;

        /* What is too long comes first: it is found before the end of the line has come, too. */
        if (lines == 0 && text > HTTP_LINE_MAX) {
            *why = "the request line is longer than 8 KiB";
            return -414;
        }
        if (lines > 0 && text > 0 && at + text + 2 - first > HTTP_HEAD_MAX) {
            *why = "the header fields are longer than 16 KiB";
            return -431;
        }
        if (!lf)
            return 0;
        if (text == len) {
            *why = "a line of the head must end with CR LF";
            return -400;
        }
        at += len + 1;
        if (lines == 0)
            first = at;
        else if (text == 0)
            return (int64_t)at;
        if (lines++ > HTTP_FIELDS_MAX) {
            *why = "there are more than 64 header fields";
            return -431;
        }
    }
}

/* ---- characters */

/* RFC 9110, 5.6.2 */
static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && c < 0x80 && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_length(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && is_token_char((unsigned char)s[i]))
        i++;
    return i;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decoding; `to` may be `from`. The number of bytes, or -1: a bad sequence, or more than
 * cap bytes. */
static int64_t decode(const char *from, size_t n, char *to, size_t cap, bool plus_is_blank)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        char c = from[i];

        if (c == '%') {
            int hi = i + 2 < n ? hex_digit(from[i + 1]) : -1;
            int lo = i + 2 < n ? hex_digit(from[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return -1;
            c = (char)(unsigned char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (k == cap)
            return -1;
        to[k++] = c;
    }
    return (int64_t)k;
}

/* ---- the request line */

static bool has_dots(const char *path)
{
    const char *p = path;

    while ((p = strstr(p, "/.."))) {
        if (p[3] == '\0' || p[3] == '/')
            return true;
        p += 3;
    }
    return false;
}

static bool parse_target(struct head *h, char *s, size_t n)
{
    char *mark;
    size_t path_n;
    int64_t len;

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f || s[i] == '#')
            return fail(h, 400, "the target has a character that is not allowed in a URL");
    if (n == 0 || s[0] != '/')
        return fail(h, 400, "the target must be a path that begins with /");
    s[n] = '\0';
    mark = memchr(s, '?', n);
    path_n = mark ? (size_t)(mark - s) : n;
    h->out->query = mark ? mark + 1 : s + n;
    len = decode(s, path_n, s, path_n, false);
    if (len < 0)
        return fail(h, 400, "the path has a % without two hexadecimal digits");
    for (int64_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return fail(h, 400, "the path has a control character");
    if (utf8_valid_prefix(s, (size_t)len) != (size_t)len)
        return fail(h, 400, "the path is not UTF-8");
    s[len] = '\0';
    if (has_dots(s))
        return fail(h, 400, "the path has a part ..");
    h->out->path = s;
    return true;
}

static bool parse_version(struct head *h, const char *s, size_t n)
{
    if (n != 8 || memcmp(s, "HTTP/", 5) != 0 || s[5] < '0' || s[5] > '9' || s[6] != '.' ||
        s[7] < '0' || s[7] > '9')
        return fail(h, 400, "the request line must be: METHOD TARGET HTTP/1.1");
    if (s[5] != '1' || s[7] > '1')
        return fail(h, 505, "only HTTP/1.1 and HTTP/1.0 are supported");
    h->out->is_1_0 = s[7] == '0';
    h->out->keep_alive = !h->out->is_1_0;
    return true;
}

static bool parse_line(struct head *h, char *s, size_t n)
{
    size_t method_n = token_length(s, n);
    char *target = s + method_n + 1, *blank;

    if (method_n == 0 || method_n == n || s[method_n] != ' ')
        return fail(h, 400, "the request line must begin with a method");
    if (method_n > METHOD_MAX)
        return fail(h, 400, "the method is longer than 32 characters");
    s[method_n] = '\0';
    h->out->method_name = s;
    h->out->method = HTTP_GET;
    while (h->out->method != HTTP_OTHER && strcmp(s, http_method_name(h->out->method)) != 0)
        h->out->method++;
    n -= method_n + 1;
    blank = memchr(target, ' ', n);
    if (!blank)
        return fail(h, 400, "the request line must be: METHOD TARGET HTTP/1.1");
    if (!parse_version(h, blank + 1, n - (size_t)(blank - target) - 1))
        return false;
    return parse_target(h, target, (size_t)(blank - target));
}

/* ---- the fields */

static bool take_length(struct head *h, const char *value)
{
    size_t n = strspn(value, "0123456789");

    if (h->has_length)
        return fail(h, 400, "there are two Content-Length fields");
    if (n == 0 || value[n] != '\0' || n > LENGTH_DIGITS_MAX)
        return fail(h, 400, "Content-Length must be one decimal number");
    h->has_length = true;
    for (size_t i = 0; i < n; i++)
        h->out->body_bytes = h->out->body_bytes * 10 + (value[i] - '0');
    return true;
}

/* "close" wins over "keep-alive". */
static void take_connection(struct head *h, const char *value)
{
    while (*value) {
        size_t n = strcspn(value, ","), end = n;

        while (end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'))
            end--;
        if (end == 5 && strncasecmp(value, "close", 5) == 0) {
            h->out->keep_alive = false;
            h->must_close = true;
        }
        if (end == 10 && strncasecmp(value, "keep-alive", 10) == 0 && !h->must_close)
            h->out->keep_alive = true;
        value += n;
        value += strspn(value, ", \t");
    }
}

/* Fields that mean something to this server. */
static bool take_field(struct head *h, const char *name, const char *value)
{
    if (strcmp(name, "host") == 0) {
        if (h->has_host)
            return fail(h, 400, "there are two Host fields");
        h->has_host = true;
        h->out->host = value;
    } else if (strcmp(name, "content-length") == 0) {
        return take_length(h, value);
    } else if (strcmp(name, "expect") == 0) {
        if (strcasecmp(value, "100-continue") != 0)
            return fail(h, 417, "the only Expect that is supported is 100-continue");
        h->out->expects_100 = true;
    }
    return true;
}

static bool parse_field(struct head *h, char *s, size_t n)
{
    size_t name_n = token_length(s, n), from = name_n + 1, to = n;

    if (s[0] == ' ' || s[0] == '\t')
        return fail(h, 400, "a header field must not be folded over two lines");
    if (name_n == 0 || name_n == n || s[name_n] != ':')
        return fail(h, 400, "a header field must be: Name: value");
    for (size_t i = from; i < n; i++)
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
            return fail(h, 400, "a header field has a control character");
    while (from < to && (s[from] == ' ' || s[from] == '\t'))
        from++;
    while (to > from && (s[to - 1] == ' ' || s[to - 1] == '\t'))
        to--;
    for (size_t i = 0; i < name_n; i++)
        if (s[i] >= 'A' && s[i] <= 'Z')
            s[i] = (char)(s[i] + ('a' - 'A'));
    s[name_n] = '\0';
    s[to] = '\0';
    h->out->fields[h->out->n_fields++] = (struct http_field){s, s + from};
    return take_field(h, s, s + from);
}

/* A second field of these could mean another thing to a proxy. */
static bool check_single(struct head *h)
{
    static const char *const single[] = {"authorization", "origin", "content-type"};

    for (size_t k = 0; k < ARRAY_LEN(single); k++) {
        int32_t n = 0;

        for (int32_t i = 0; i < h->out->n_fields; i++)
            n += h->out->fields[i].name[0] == single[k][0] &&
                 strcmp(h->out->fields[i].name, single[k]) == 0;
        if (n > 1)
            return fail(h, 400, "a field that may come once came twice");
    }
    return true;
}

static bool check_whole(struct head *h)
{
    struct http_request *q = h->out;

    if (!h->has_host)
        return fail(h, 400, "there is no Host field");
    if (http_field_value(q->fields, q->n_fields, "transfer-encoding"))
        return fail(h, h->has_length ? 400 : 411,
                    "a body must come with Content-Length, not Transfer-Encoding");
    for (int32_t i = 0; i < q->n_fields; i++)
        if (strcmp(q->fields[i].name, "connection") == 0)
            take_connection(h, q->fields[i].value);
    return check_single(h);
}

int64_t http_head_parse(char *bytes, size_t n, struct http_request *out, const char **why)
{
    int64_t head = find_end(bytes, n, why);
    struct head h = {.out = out};
    char *at = bytes, *end;
    bool ok = true;

    if (head <= 0)
        return head;
    end = bytes + head - 2; /* the empty line */
    out->method_name = out->path = out->query = out->host = out->subject = out->peer = "";
    out->body = NULL;
    out->body_bytes = 0;
    out->n_fields = 0;
    out->expects_100 = out->keep_alive = out->is_1_0 = false;
    while (ok && at < end) {
        char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)(lf - at) - 1;

        ok = at == bytes ? parse_line(&h, at, len) : parse_field(&h, at, len);
        at = lf + 1;
    }
    if (ok && check_whole(&h))
        return head;
    *why = h.why;
    return -h.status;
}

/* ---- the query */

bool http_query_value(const char *query, const char *name, char *out, size_t cap)
{
    size_t name_n = strlen(name);

    while (*query) {
        size_t n = strcspn(query, "&");

        if (n >= name_n && memcmp(query, name, name_n) == 0 &&
            (n == name_n || query[name_n] == '=')) {
            size_t from = n == name_n ? n : name_n + 1;
            int64_t len = cap ? decode(query + from, n - from, out, cap - 1, true) : -1;

            if (len < 0 || memchr(out, '\0', (size_t)len) ||
                utf8_valid_prefix(out, (size_t)len) != (size_t)len)
                return false;
            out[len] = '\0';
            return true;
        }
        query += n + (query[n] == '&');
    }
    return false;
}
