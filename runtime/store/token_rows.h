/* token_rows.h - reading token records out of their rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_TOKEN_ROWS_H
#define TROUPE_RUNTIME_STORE_TOKEN_ROWS_H

#include "runtime/store/rows.h"
#include "runtime/store/token_record.h"

MUST_CHECK enum status token_row_unpack(const struct tok_cells *row, struct arena *a,
                                        struct token_record *out, struct error *err);
/* *found false: the call has none. `uuid` names the run in errors. */
MUST_CHECK enum status token_row_find(struct store_reader *q, int64_t run, const char *uuid,
                                      const char *path, int64_t attempt, struct arena *a,
                                      bool *found, struct token_record *out, struct error *err);

#endif
