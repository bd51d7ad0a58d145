/* byte_chars.h - the 256 printable characters that represent bytes in byte-level vocabularies.
 *
 * The table of GPT-2's encoder: a printable Latin-1 byte maps to itself, the other 68
 * bytes, in order, to U+0100 and up.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_BYTE_CHARS_H
#define TROUPE_MODELS_FORMATS_BYTE_CHARS_H

#include <stdint.h>

uint32_t byte_char_of(uint8_t byte);
int byte_of_char(uint32_t code_point); /* -1: not in the table */

#endif
