/* text.h - converts whole strings to numbers, durations and sizes; quotes words for a shell.
 *
 * No blanks, no trailing bytes; the range is checked. *out is set only on true.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_TEXT_H
#define TROUPE_RUNTIME_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

bool text_to_i64(const char *s, int64_t *out);
bool text_to_u64(const char *s, uint64_t *out); /* decimal or 0x... */
bool text_to_double(const char *s, double *out);
/* "250ms", "30s", "10m", "2h", "1d". A number without a unit is refused because its meaning is not
 * clear. */
bool text_to_duration_ms(const char *s, int64_t *out_ms);
/* "64", "64k", "64MiB", "2G": bytes, powers of 1024. */
bool text_to_bytes(const char *s, uint64_t *out);

/* "s", but "" for 1: "1 step", "2 steps". */
const char *plural_s(int64_t n);
/* A word of a command for people to copy: in single quotes where the shell needs them. */
void text_put_shell_word(const char *word, struct str *out);

#endif
