/* unicode.h - Unicode text: replacement of invalid bytes, width, letters, NFC and NFKC.
 *
 * The only user of utf8proc. utf8.h has the functions that need no tables.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_UNICODE_H
#define TROUPE_RUNTIME_BASE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"
#include "runtime/base/utf8.h"

void utf8_put(struct str *out, uint32_t code_point);
/* Appends text with one U+FFFD for each invalid maximal subpart (utf8.h). */
void utf8_clean(const char *bytes, size_t n, struct str *out);
/* Columns on a terminal. */
size_t utf8_width(const char *bytes, size_t n);
/* NFC of valid UTF-8 (else STATUS_INVALID); ASCII is copied. At most n log n time for any text
 * (unicode_nfc.c). */
MUST_CHECK enum status utf8_nfc(const char *bytes, size_t n, struct str *out, struct error *err);
/* The same with compatibility decompositions ("ﬁ" becomes "fi"). */
MUST_CHECK enum status utf8_nfkc(const char *bytes, size_t n, struct str *out, struct error *err);
/* Part of a word as \w of regular expressions (UTS #18: letters, marks, decimal digits,
 * connectors, joiners). */
bool utf8_is_word(uint32_t code_point);

#endif
