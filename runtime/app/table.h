/* table.h - tables of text in aligned columns; durations and times as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_TABLE_H
#define TROUPE_RUNTIME_APP_TABLE_H

#include "runtime/base/text.h"

struct table;
/* Columns by name; a name that begins with '>' is aligned to the right. With a '?' before that the
 * column is left out when all its cells are "-". */
struct table *table_new(const char *const *columns, int32_t n);
/* n texts, copied. */
void table_row(struct table *t, const char *const *cells);
void table_write(const struct table *t, struct str *out);
void table_free(struct table *t);

/* "3 s", "2 m 05 s", "1 h 02 m", "7 d 00 h"; "2026-11-21 04:05:06+01:00". */
void format_duration_ms(int64_t ms, char *out, size_t n);
void format_time_ms(int64_t ms, char *out, size_t n);
/* At most `width` columns on one line; control characters become blanks, and "..." marks a cut. */
void format_one_line(const char *text, size_t width, struct str *out);

#endif
