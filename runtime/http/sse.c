/* sse.c - server-sent events: the writer and the incremental parser.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/sse.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"

/* ---- writer */

static size_t line_length(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && s[i] != '\n' && s[i] != '\r')
        i++;
    return i;
}

static void put_field(struct str *out, const char *name, const char *value, size_t n)
{
    str_puts(out, name);
    str_append(out, value, n);
    str_putc(out, '\n');
}

void sse_write(struct str *out, const char *event, const char *id, const char *data, size_t n)
{
    if (event)
        put_field(out, "event: ", event, line_length(event, strlen(event)));
    if (id)
        put_field(out, "id: ", id, line_length(id, strlen(id)));
    for (;;) {
        size_t line = line_length(data, n);

        put_field(out, "data: ", data, line);
        if (line == n)
            break;
        line += data[line] == '\r' && line + 1 < n && data[line + 1] == '\n' ? 2 : 1;
        data += line;
        n -= line;
    }
    str_putc(out, '\n');
}

void sse_comment(struct str *out, const char *text)
{
    put_field(out, ": ", text, line_length(text, strlen(text)));
    str_putc(out, '\n');
}

/* ---- parser */

struct sse_parser {
    size_t max_bytes; /* of a line, and of the data of an event, together */
    enum status (*on_event)(void *ctx, const struct sse_event *e, struct error *err);
    void *ctx;
    struct str line;             /* the beginning of a line whose end has not come yet */
    struct str data, event;      /* of the event under way; each data line ends with LF */
    struct str next_id, last_id; /* of the event under way; of the last one that was complete */
    int64_t retry_ms;
    bool skip_lf;    /* the last line ended with CR: an LF belongs to it */
    bool past_first; /* the byte order mark can be only in the first line */
    enum status ended;
};

struct sse_parser *sse_parser_new(size_t max_bytes,
                                  enum status (*on_event)(void *ctx, const struct sse_event *e,
                                                          struct error *err),
                                  void *ctx)
{
    struct sse_parser *p = xcalloc(1, sizeof(*p));
    struct str *const texts[] = {&p->line, &p->data, &p->event, &p->next_id, &p->last_id};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        str_init(texts[i], SIZE_MAX / 2); /* max_bytes is checked before each append */
    p->max_bytes = max_bytes;
    p->on_event = on_event;
    p->ctx = ctx;
    p->retry_ms = -1;
    return p;
}

void sse_parser_free(struct sse_parser *p)
{
    if (!p)
        return;
    str_deinit(&p->line);
    str_deinit(&p->data);
    str_deinit(&p->event);
    str_deinit(&p->next_id);
    str_deinit(&p->last_id);
    free(p);
}

const char *sse_last_id(const struct sse_parser *p)
{
    return str_cstr(&p->last_id);
}

int64_t sse_retry_ms(const struct sse_parser *p)
{
    return p->retry_ms;
}

static enum status check_length(const struct sse_parser *p, size_t more, struct error *err)
{
    size_t used = p->line.len + p->data.len;

    if (more <= p->max_bytes && used <= p->max_bytes - more)
        return STATUS_OK;
    return error_set(err, STATUS_LIMIT, "an event of the stream is longer than %zu bytes",
                     p->max_bytes);
}

static void set(struct str *s, const char *bytes, size_t n)
{
    str_clear(s);
    str_append(s, bytes, n);
}

/* The blank line at the end of an event. Without data it only ends the event. */
static enum status dispatch(struct sse_parser *p, struct error *err)
{
    struct sse_event e = {.retry_ms = p->retry_ms};
    enum status st = STATUS_OK;

    set(&p->last_id, str_cstr(&p->next_id), p->next_id.len);
    if (!str_ok(&p->last_id) || !str_ok(&p->data) || !str_ok(&p->event) || !str_ok(&p->next_id))
        return error_set(err, STATUS_NO_MEMORY, "no memory for an event of the stream");
    if (p->data.len > 0) {
        p->data.data[--p->data.len] = '\0'; /* the LF of its last line */
        e.event = *str_cstr(&p->event) ? str_cstr(&p->event) : "message";
        e.id = str_cstr(&p->last_id);
        e.data = str_cstr(&p->data);
        e.n = p->data.len;
        st = p->on_event(p->ctx, &e, err);
    }
    str_clear(&p->data);
    str_clear(&p->event);
    return st;
}

static bool is_named(const char *line, size_t n, const char *name)
{
    return n == strlen(name) && memcmp(line, name, n) == 0;
}

static void set_retry(struct sse_parser *p, const char *value, size_t n)
{
    char digits[20];
    int64_t ms;

    if (n == 0 || n >= sizeof(digits) || value[0] == '-')
        return;
    memcpy(digits, value, n);
    digits[n] = '\0';
    if (strlen(digits) == n && text_to_i64(digits, &ms))
        p->retry_ms = ms;
}

static enum status handle_line(struct sse_parser *p, const char *line, size_t n, struct error *err)
{
    const char *colon, *value;
    size_t name, rest;

    if (!p->past_first && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        n -= 3;
    }
    p->past_first = true;
    if (n == 0)
        return dispatch(p, err);
    colon = memchr(line, ':', n);
    name = colon ? (size_t)(colon - line) : n;
    value = line + name + (colon ? 1 : 0);
    rest = n - (size_t)(value - line);
    if (rest > 0 && *value == ' ') {
        value++;
        rest--;
    }
    if (is_named(line, name, "data")) {
        str_append(&p->data, value, rest);
        str_putc(&p->data, '\n');
    } else if (is_named(line, name, "event")) {
        set(&p->event, value, rest);
    } else if (is_named(line, name, "id")) {
        if (!memchr(value, '\0', rest))
            set(&p->next_id, value, rest);
    } else if (is_named(line, name, "retry")) {
        set_retry(p, value, rest);
    }
    return STATUS_OK;
}

/* A line is complete: what came before, and n bytes more. */
static enum status end_line(struct sse_parser *p, const char *bytes, size_t n, struct error *err)
{
    enum status st = check_length(p, n, err);

    if (st)
        return st;
    if (p->line.len == 0)
        return handle_line(p, bytes, n, err);
    str_append(&p->line, bytes, n);
    if (!str_ok(&p->line))
        return error_set(err, STATUS_NO_MEMORY, "no memory for an event of the stream");
    st = handle_line(p, str_cstr(&p->line), p->line.len, err);
    str_clear(&p->line);
    return st;
}

static enum status feed(struct sse_parser *p, const char *bytes, size_t n, struct error *err)
{
    enum status st = STATUS_OK;

    while (n > 0 && st == STATUS_OK) {
        size_t line = line_length(bytes, n), used = line + (line < n);

        if (p->skip_lf && *bytes == '\n') {
            used = 1;
            p->skip_lf = false;
        } else if (line < n) {
            st = end_line(p, bytes, line, err);
            p->skip_lf = bytes[line] == '\r';
        } else {
            p->skip_lf = false;
            st = check_length(p, n, err);
            if (st == STATUS_OK)
                str_append(&p->line, bytes, n);
        }
        bytes += used;
        n -= used;
    }
    if (st == STATUS_OK && !str_ok(&p->line))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for an event of the stream");
    return st;
}

enum status sse_feed(struct sse_parser *p, const char *bytes, size_t n, struct error *err)
{
    if (p->ended)
        return error_set(err, p->ended, "the event stream has ended");
    p->ended = feed(p, bytes, n, err);
    return p->ended;
}
