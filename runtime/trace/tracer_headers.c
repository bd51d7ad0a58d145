/* tracer_headers.c - see tracer_headers.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/trace/tracer_headers.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* In place. */
static void decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        int high = *p == '%' ? digit(p[1]) : -1, low = high < 0 ? -1 : digit(p[2]);

        *to++ = *p;
        if (low < 0)
            continue;
        to[-1] = (char)(high << 4 | low);
        p += 2;
    }
    *to = 0;
}

/* Without the blanks at both ends. */
static char *trim(char *text)
{
    size_t n;

    text += strspn(text, " \t");
    n = strlen(text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = 0;
    return text;
}

static enum status add(struct tracer_headers *h, char *entry, struct error *err)
{
    char *value = strchr(entry, '=');

    if (!value || value == entry)
        return error_set(err, STATUS_CONFIG,
                         "the headers of the collector: expected name=value,name=value");
    if (h->n == TRACER_HEADERS_MAX)
        return error_set(err, STATUS_CONFIG, "the headers of the collector: at most %d",
                         TRACER_HEADERS_MAX - 1);
    *value++ = 0;
    value = trim(value);
    decode(value);
    h->field[h->n++] = (struct http_field){.name = trim(entry), .value = value};
    return STATUS_OK;
}

enum status tracer_headers_parse(const char *text, struct tracer_headers *out, struct error *err)
{
    struct tracer_headers h = {.n = 0};
    enum status st = STATUS_OK;

    h.field[h.n++] = (struct http_field){"content-type", "application/json"};
    h.text_bytes = strlen(text);
    h.text = xstrdup(text);
    for (char *at = h.text, *next; !st && at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = 0;
        at = trim(at);
        if (*at)
            st = add(&h, at, err);
    }
    if (st) {
        tracer_headers_deinit(&h);
        return st;
    }
    *out = h;
    return STATUS_OK;
}

void tracer_headers_deinit(struct tracer_headers *h)
{
    if (h->text)
        explicit_bzero(h->text, h->text_bytes);
    free(h->text);
    *h = (struct tracer_headers){.n = 0};
}
