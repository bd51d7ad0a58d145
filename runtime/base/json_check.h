/* json_check.h - is a text one JSON value, without building it?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_CHECK_H
#define TROUPE_RUNTIME_BASE_JSON_CHECK_H

#include "runtime/base/json_scan.h"

/* Of a text that json_scan has accepted. STATUS_INVALID with the place of the first error;
 * STATUS_REJECTED: valid, but an object has a key twice; STATUS_NO_MEMORY for the keys. */
MUST_CHECK enum status json_check(const struct json_text *text, struct error *err);

#endif
