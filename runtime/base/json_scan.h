/* json_scan.h - checks of JSON text before jansson parses it; only for json.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_SCAN_H
#define TROUPE_RUNTIME_BASE_JSON_SCAN_H

#include <stddef.h>

#include "runtime/base/status.h"

/* Valid UTF-8 without NUL, at most JSON_MAX_DEPTH brackets open at once. */
MUST_CHECK enum status json_scan(const char *bytes, size_t n, const char *name, struct error *err);

#endif
