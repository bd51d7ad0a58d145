/* trace_context.c - see trace_context.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/trace_context.h"

#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/str.h"

static bool is_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

bool trace_context_is_set(const struct trace_context *c)
{
    return !is_zero(c->trace, sizeof(c->trace));
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 2 n digits at text. */
static bool read_hex(const char *text, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Section 3.2: version-format. */
bool trace_context_parse(const char *text, struct trace_context *out)
{
    struct trace_context c = {.sampled = false};
    uint8_t version, flags;
    size_t n = text ? strlen(text) : 0;

    if (n < TRACEPARENT_BYTES || text[2] != '-' || text[35] != '-' || text[52] != '-' ||
        !read_hex(text, &version, 1) || !read_hex(text + 3, c.trace, sizeof(c.trace)) ||
        !read_hex(text + 36, c.span, sizeof(c.span)) || !read_hex(text + 53, &flags, 1))
        return false;
    if (version == 0xff || (version == 0 ? n != TRACEPARENT_BYTES : text[55] && text[55] != '-'))
        return false;
    if (is_zero(c.trace, sizeof(c.trace)) || is_zero(c.span, sizeof(c.span)))
        return false;
    c.sampled = flags & 1;
    *out = c;
    return true;
}

void trace_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = 0;
}

void trace_context_write(const struct trace_context *c, char out[TRACEPARENT_BYTES + 1])
{
    memcpy(out, "00-", 3);
    trace_hex(c->trace, sizeof(c->trace), out + 3);
    out[35] = '-';
    trace_hex(c->span, sizeof(c->span), out + 36);
    memcpy(out + 52, c->sampled ? "-01" : "-00", 4);
}

bool trace_context_of_run(const char *uuid, struct trace_context *out)
{
    struct trace_context c = {.sampled = true};
    char hex[33];
    size_t n = 0;

    for (const char *p = uuid; *p && n < 32; p++)
        if (*p != '-')
            hex[n++] = *p;
    if (n != 32 || !read_hex(hex, c.trace, sizeof(c.trace)) || !trace_context_is_set(&c))
        return false;
    *out = c;
    return true;
}

void trace_span_of_step(const char *uuid, const char *path, int32_t attempt, uint8_t out[8])
{
    struct str key = STR_INIT;
    struct sha256 h;

    str_append(&key, uuid, strlen(uuid) + 1);
    str_append(&key, path, strlen(path) + 1);
    str_put_i64(&key, attempt);
    h = sha256_of(str_cstr(&key), key.len);
    str_deinit(&key);
    memcpy(out, h.byte, 8);
    if (is_zero(out, 8))
        out[7] = 1; /* an id is never zero */
}
