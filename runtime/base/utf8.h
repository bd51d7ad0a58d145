/* utf8.h - UTF-8: checking, reading and writing one character. No dependencies.
 *
 * Valid means well-formed in the sense of the Unicode standard (table 3-7): no overlong forms, no
 * surrogates, nothing above U+10FFFF. Invalid bytes are read as one U+FFFD per "maximal subpart"
 * (section 3.9, "U+FFFD Substitution of Maximal Subparts"), like WHATWG decoders: the beginning of
 * a truncated character is one, any other invalid byte is one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_UTF8_H
#define TROUPE_RUNTIME_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdU
#define UTF8_MAX_BYTES   4 /* of one character */

/* Length of the ASCII at the start. */
size_t utf8_ascii_prefix(const char *bytes, size_t n);
/* Length of the longest valid prefix; n when all is valid. A sequence cut off at the end counts as
 * not valid. */
size_t utf8_valid_prefix(const char *bytes, size_t n);
/* The same of text: valid and without NUL. */
size_t utf8_text_prefix(const char *bytes, size_t n);
/* Line and column (in characters, both from 1) of an offset in valid UTF-8. */
void utf8_place(const char *bytes, size_t offset, long *line, long *column);
/* Length (1 to 3) of what is replaced by one U+FFFD where bytes[0..n), n > 0, begins with no valid
 * character. *cut: all of bytes[0..n) is the beginning of a character, which more bytes could
 * complete. */
size_t utf8_invalid_prefix(const char *bytes, size_t n, bool *cut);
/* The character at *i (advances past it), or U+FFFD (advances past what it replaces). */
uint32_t utf8_next(const char *bytes, size_t n, size_t *i);
/* Where the white space (Unicode's White_Space) that begins at i ends; where that which ends at i
 * begins, at least `from`. */
size_t utf8_space_after(const char *bytes, size_t n, size_t i);
size_t utf8_space_before(const char *bytes, size_t from, size_t i);
/* Writes a code point, returns its length. An invalid one becomes U+FFFD. */
size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX_BYTES]);

#endif
