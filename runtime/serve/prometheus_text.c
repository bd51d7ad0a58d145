/* prometheus_text.c - see prometheus_text.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/prometheus_text.h"

#include <math.h>
#include <string.h>

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"

static bool is_plain(char c)
{
    return (unsigned char)c < 0x80 && c != '\n' && c != '\\' && c != '"';
}

/* Backslashes and line ends are escaped, and quotes in labels; the text must be UTF-8. Labels are
 * made for each request: what needs no look is copied in one piece. */
static void put_escaped(struct str *out, const char *text, bool quotes)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n;) {
        size_t from = i;
        uint32_t c;

        while (i < n && is_plain(text[i]))
            i++;
        str_append(out, text + from, i - from);
        if (i == n)
            break;
        c = utf8_next(text, n, &i);
        if (c == '\n')
            str_puts(out, "\\n");
        else if (c == '\\' || (c == '"' && quotes))
            str_printf(out, "\\%c", (char)c);
        else
            utf8_put(out, c);
    }
}

void prometheus_family(struct str *out, enum prometheus_type type, const char *name,
                       const char *help)
{
    static const char *const words[] = {"counter", "gauge", "histogram"};

    str_printf(out, "# HELP %s ", name);
    put_escaped(out, help, false);
    str_printf(out, "\n# TYPE %s %s\n", name, words[type]);
}

void prometheus_label(struct str *labels, const char *name, const char *value)
{
    if (labels->len > 0)
        str_putc(labels, ',');
    str_puts(labels, name);
    str_puts(labels, "=\"");
    put_escaped(labels, value, true);
    str_putc(labels, '"');
}

static void put_value(struct str *out, double value)
{
    if (isnan(value))
        str_puts(out, "NaN");
    else if (isinf(value))
        str_puts(out, value > 0 ? "+Inf" : "-Inf");
    else if (value == floor(value) && fabs(value) < 1e15)
        str_put_i64(out, (int64_t)value);
    else
        str_put_double(out, value);
}

void prometheus_sample(struct str *out, const char *name, const char *labels, double value)
{
    str_puts(out, name);
    if (*labels) {
        str_putc(out, '{');
        str_puts(out, labels);
        str_putc(out, '}');
    }
    str_putc(out, ' ');
    put_value(out, value);
    str_putc(out, '\n');
}

static void put_bucket(struct str *out, const char *name, const char *labels, double bound,
                       uint64_t count)
{
    str_printf(out, "%s_bucket{%s%sle=\"", name, labels, *labels ? "," : "");
    put_value(out, bound);
    str_printf(out, "\"} %llu\n", (unsigned long long)count);
}

void prometheus_histogram(struct str *out, const char *name, const char *labels,
                          const struct histogram_bounds *b, const struct histogram *h)
{
    struct str whole = STR_INIT;
    uint64_t below = 0;

    for (int32_t i = 0; i < b->n; i++) {
        below += h->count[i];
        put_bucket(out, name, labels, b->bound[i], below);
    }
    below += h->count[b->n];
    put_bucket(out, name, labels, INFINITY, below);
    str_printf(&whole, "%s_sum", name);
    prometheus_sample(out, str_cstr(&whole), labels, h->sum);
    str_clear(&whole);
    str_printf(&whole, "%s_count", name);
    prometheus_sample(out, str_cstr(&whole), labels, (double)below);
    str_deinit(&whole);
}
