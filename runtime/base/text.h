/* text.h - UTF-8, numbers, durations and display width. */
#ifndef TROUPE_RUNTIME_BASE_TEXT_H
#define TROUPE_RUNTIME_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

/* Length of the longest valid UTF-8 prefix; n when all is valid. A sequence cut
 * off at the end counts as not valid. */
size_t utf8_valid_prefix(const char *bytes, size_t n);
/* Appends text with each invalid byte replaced by U+FFFD. */
void utf8_clean(const char *bytes, size_t n, struct str *out);
/* Next code point at *i (advances), or U+FFFD for an invalid byte. */
uint32_t utf8_next(const char *bytes, size_t n, size_t *i);
void utf8_put(struct str *out, uint32_t code_point);
/* Columns on a terminal. */
size_t utf8_width(const char *bytes, size_t n);
/* NFC; pure ASCII is copied. */
MUST_CHECK enum status utf8_nfc(const char *bytes, size_t n, struct str *out, struct error *err);

/* Whole-string numbers: no blanks, no trailing bytes, range checked. */
bool text_to_i64(const char *s, int64_t *out);
bool text_to_u64(const char *s, uint64_t *out); /* decimal or 0x... */
bool text_to_double(const char *s, double *out);
/* "250ms", "30s", "10m", "2h", "1d", or bare seconds. */
bool text_to_duration_ms(const char *s, int64_t *out_ms);
/* "64", "64k", "64MiB", "2G": bytes, powers of 1024. */
bool text_to_bytes(const char *s, uint64_t *out);

#endif
