/* base64.h - base64 (RFC 4648, 4) and base64url without padding (RFC 4648, 5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_BASE64_H
#define TROUPE_RUNTIME_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

/* Characters of base64url for n bytes; no padding. */
#define BASE64URL_LEN(n) (((n)*4 + 2) / 3)

void base64_put(struct str *out, const void *bytes, size_t n); /* with padding */
void base64url_put(struct str *out, const void *bytes, size_t n);
/* Appends the bytes of n characters of base64url. One reading only: padding, blanks, other
 * characters and bits that are left over make it false, and `out` is unchanged. */
bool base64url_decode(const char *text, size_t n, struct str *out);
/* The same of base64, which must have its padding. */
bool base64_decode(const char *text, size_t n, struct str *out);

#endif
