/* cell_json.h - reading a value in a row or in a blob as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_CELL_JSON_H
#define TROUPE_RUNTIME_STORE_CELL_JSON_H

#include "runtime/base/json.h"
#include "runtime/store/store_internal.h"

/* New reference; *out NULL when the column is NULL. */
MUST_CHECK enum status cell_json(struct store_reader *q, struct cell small, int64_t blob,
                                 struct json **out, struct error *err);

#endif
