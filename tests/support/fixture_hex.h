/* fixture_hex.h - bytes from hexadecimal text in a fixture.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_FIXTURE_HEX_H
#define TROUPE_TESTS_FIXTURE_HEX_H

#include "tests/support/check.h"

/* malloc'd in the exact size, so that ASan finds any read outside. */
static inline uint8_t *fixture_hex(const struct json *text, size_t *n)
{
    const char *s = jv_get_string(text, NULL);
    uint8_t *bytes;

    assert_non_null(s);
    *n = strlen(s) / 2;
    bytes = malloc(*n);
    assert_non_null(bytes);
    for (size_t i = 0; i < *n; i++) {
        char two[3] = {s[2 * i], s[2 * i + 1], '\0'};

        bytes[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return bytes;
}

#endif
