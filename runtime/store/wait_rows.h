/* wait_rows.h - questions on the store thread: closing them, and rejecting answers.
 *
 * Inside runtime/store only. A wait is open until its step or its run ends. It takes an answer
 * while it is open and its deadline has not passed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_WAIT_ROWS_H
#define TROUPE_RUNTIME_STORE_WAIT_ROWS_H

#include "runtime/store/journal.h"
#include "runtime/store/rows.h"
#include "runtime/store/txn.h"

/* Closes the open waits of the step's attempt and of all steps below it, in c's transaction. */
MUST_CHECK enum status wait_close_under(struct txn_context *c, struct cell path, int64_t attempt,
                                        int64_t state, struct error *err);
/* Closes all open waits of a run that ended. */
MUST_CHECK enum status wait_close_all(struct txn_context *c, int64_t run, enum run_status how,
                                      struct error *err);
/* Was it answered in time? Release 0.1 also took answers that came too late. */
bool wait_has_answer(const struct wait_cells *w);
/* STATUS_INVALID with the reason if the wait does not take an answer at now_ms. */
MUST_CHECK enum status wait_check_open(const struct wait_cells *w, int64_t now_ms,
                                       struct error *err);
MUST_CHECK enum status wait_row_change(struct store_db *db, const struct wait_cells *w,
                                       struct error *err);

#endif
