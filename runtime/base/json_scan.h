/* json_scan.h - checks of JSON text before jansson parses it; only for json.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_SCAN_H
#define TROUPE_RUNTIME_BASE_JSON_SCAN_H

#include <stddef.h>

#include "runtime/base/status.h"

struct json_text {
    const char *bytes;
    size_t n;
    const char *name; /* for messages */
    long line;        /* of the file, where the text begins */
    size_t max_keys;  /* of an object; 0: any number */
};

/* An error at a byte of valid UTF-8. */
enum status json_fault_at(struct error *err, enum status status, const struct json_text *text,
                          size_t offset, const char *message);
/* Where the token begins that a parser was in when it stopped after `position` bytes. */
size_t json_token_start(const char *bytes, size_t n, size_t position);
/* Valid UTF-8 without NUL, at most JSON_MAX_DEPTH brackets open at once, and max_keys of each. */
MUST_CHECK enum status json_scan(const struct json_text *text, struct error *err);

#endif
