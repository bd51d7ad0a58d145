/* trace_span.c - see trace_span.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/trace/trace_span.h"

#include <string.h>

#include "runtime/base/utf8.h"

static void put_text(struct str *out, const char *text)
{
    size_t n = strlen(text);

    if (n > TRACE_TEXT_MAX)
        n = utf8_valid_prefix(text, TRACE_TEXT_MAX); /* no character is cut */
    str_put_json_string(out, text, n);
}

static void put_hex(struct str *out, const char *key, const uint8_t *bytes, size_t n)
{
    char hex[33];

    trace_hex(bytes, n, hex);
    str_printf(out, "\"%s\":\"%s\",", key, hex);
}

static void put_ns(struct str *out, const char *key, int64_t us)
{
    str_printf(out, "\"%s\":\"%lld000\",", key, (long long)us);
}

void trace_attribute_write(const struct trace_attribute *a, struct str *out)
{
    str_printf(out, "{\"key\":\"%s\",\"value\":{", a->key);
    switch (a->type) {
    case TRACE_TEXT:
        str_puts(out, "\"stringValue\":");
        put_text(out, a->text);
        break;
    case TRACE_LIST:
        str_puts(out, "\"arrayValue\":{\"values\":[{\"stringValue\":");
        put_text(out, a->text);
        str_puts(out, "}]}");
        break;
    case TRACE_INT:
        str_printf(out, "\"intValue\":\"%lld\"", (long long)a->number);
        break;
    case TRACE_REAL:
        str_puts(out, "\"doubleValue\":");
        str_put_double(out, a->real);
        break;
    }
    str_puts(out, "}}");
}

void trace_span_write(const struct trace_span *s, struct str *out)
{
    static const uint8_t none[8];

    str_putc(out, '{');
    put_hex(out, "traceId", s->context.trace, sizeof(s->context.trace));
    put_hex(out, "spanId", s->context.span, sizeof(s->context.span));
    if (memcmp(s->parent, none, sizeof(none)) != 0)
        put_hex(out, "parentSpanId", s->parent, sizeof(s->parent));
    str_puts(out, "\"name\":");
    put_text(out, s->name);
    str_printf(out, ",\"kind\":%d,", (int)s->kind);
    put_ns(out, "startTimeUnixNano", s->start_us);
    put_ns(out, "endTimeUnixNano", s->end_us < s->start_us ? s->start_us : s->end_us);
    str_puts(out, "\"attributes\":[");
    for (int32_t i = 0; i < s->n_attributes; i++) {
        if (i > 0)
            str_putc(out, ',');
        trace_attribute_write(&s->attribute[i], out);
    }
    str_puts(out, "],\"status\":{");
    if (s->failed)
        str_puts(out, "\"code\":2");
    if (s->failed && s->message) {
        str_puts(out, ",\"message\":");
        put_text(out, s->message);
    }
    str_puts(out, "}}");
}
