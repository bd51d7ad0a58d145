/* str.h - a growable byte string with a maximum.
 *
 * Always ends in a NUL that is not counted. A str that would exceed its maximum, or
 * that cannot allocate memory, sets `failed` and is unchanged: append first, check
 * str_ok() once at the end.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_STR_H
#define TROUPE_RUNTIME_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct str {
    char *data; /* may be NULL: read it with str_cstr() */
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

#define STR_MAX_DEFAULT ((size_t)64 << 20)
#define STR_INIT        ((struct str){.max = STR_MAX_DEFAULT})

void str_init(struct str *s, size_t max_bytes);
void str_deinit(struct str *s);
void str_clear(struct str *s); /* length 0, memory kept, failed reset */
bool str_ok(const struct str *s);
const char *str_cstr(const struct str *s);
char *str_take(struct str *s); /* returns the malloc'd string; s is empty afterwards */

/* Makes room for n more bytes at once, before many small appends. A failure shows as theirs. */
void str_expect(struct str *s, size_t n);
void str_append(struct str *s, const char *bytes, size_t n);
void str_puts(struct str *s, const char *text);
void str_putc(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void str_vprintf(struct str *s, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void str_put_i64(struct str *s, int64_t v); /* much faster than str_printf */
void str_put_json_string(struct str *s, const char *utf8, size_t n); /* with quotes */
/* Shortest text that reads back to the same value; "null" for NaN and infinities. */
void str_put_double(struct str *s, double v);
void str_put_float(struct str *s, float v);

#endif
