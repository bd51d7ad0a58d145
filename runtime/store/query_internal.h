/* query_internal.h - shared by the query*.c files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_QUERY_INTERNAL_H
#define TROUPE_RUNTIME_STORE_QUERY_INTERNAL_H

#include "runtime/store/cell_json.h"
#include "runtime/store/query.h"
#include "runtime/store/rows.h"

MUST_CHECK enum status query_run_id(struct store_reader *q, const char *uuid, int64_t *id,
                                    struct error *err);
/* One row of a statement; *go false ends it. */
typedef enum status (*query_row)(void *ctx, sqlite3_stmt *st, bool *go, struct error *err);
/* Steps a bound statement through its rows and resets it. */
MUST_CHECK enum status query_each(struct store_reader *q, sqlite3_stmt *st, query_row row,
                                  void *ctx, struct error *err);
int64_t cell_or_zero(int64_t v);

#endif
