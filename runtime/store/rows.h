/* rows.h - the columns of each table as C values, and the checksum over them.
 *
 * Writers fill these structs to compute `sum`; readers fill them from a statement and
 * compare. Both use the same definition, so they cannot differ. Cells of a row that was
 * read are valid until the statement's next step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_ROWS_H
#define TROUPE_RUNTIME_STORE_ROWS_H

#include "runtime/store/store_db.h"

struct run_cells {
    int64_t id;
    struct cell uuid, kind, name, status;
    int64_t epoch, config, seed;
    struct cell model_hash, backend, env_hash, budget;
    int64_t output;
    struct cell error;
    int64_t created, ended;
    int64_t prompt_format;
    struct cell root, source;
    int64_t sums;
    int64_t version;
};
struct step_cells {
    int64_t run;
    struct cell path;
    int64_t attempt, seq;
    struct cell kind, name;
    int64_t effect, tries, state;
    struct cell in_hash, idem, args_small;
    int64_t args;
    struct cell out_small;
    int64_t out;
    struct cell err;
    int64_t t0, t1, tok_in, tok_out, sum;
    int64_t version; /* of the store that it was read from */
};
struct msg_cells {
    int64_t run;
    struct cell thread;
    int64_t seq;
    struct cell role, small;
    int64_t body, sum;
};
struct wait_cells {
    int64_t run;
    struct cell path;
    int64_t attempt;
    struct cell kind, prompt;
    int64_t deadline;
    struct cell answer;
    int64_t answered, closed, closed_as, sums;
    int64_t version;
};
struct tok_cells {
    int64_t run;
    struct cell path;
    int64_t attempt, seq;
    struct cell rec;       /* whole, from the row or from pieces */
    int64_t first, pieces; /* CELL_NULL: in the row */
    int64_t sum;
};
struct episode_cells {
    int64_t run;
    struct cell path;
    int64_t seed, status, success, steps;
    struct cell verdict, rec;
    int64_t t0, t1, sum;
};

/* Identity and change, intent and result, question and answer have one half of the sum each, so
 * that the second can be rewritten without reading the first. Functions that end in _v1 (rows.c)
 * compute the sums of store version 1, over fewer columns. */
uint32_t run_sum_identity(const struct run_cells *r);
uint32_t run_sum_change(const struct run_cells *r);
uint32_t step_sum_intent(const struct step_cells *s);
uint32_t step_sum_result(const struct step_cells *s);
uint32_t wait_sum_question(const struct wait_cells *w);
uint32_t wait_sum_answer(const struct wait_cells *w);
uint32_t msg_sum(const struct msg_cells *m);
uint32_t tok_sum(const struct tok_cells *t);
uint32_t episode_sum(const struct episode_cells *e);
int64_t sum_of_halves(uint32_t low, uint32_t high);

/* Read the statement's current row (columns in the order of store_sql.def) and check its
 * sum: STATUS_CORRUPT names table, run, path and attempt. `run` is the run's name in that
 * message. The cells are filled in either case. */
MUST_CHECK enum status run_row_read(sqlite3_stmt *st, struct run_cells *out, struct error *err);
MUST_CHECK enum status step_row_read(sqlite3_stmt *st, const char *run, struct step_cells *out,
                                     struct error *err);
MUST_CHECK enum status msg_row_read(sqlite3_stmt *st, const char *run, struct msg_cells *out,
                                    struct error *err);
MUST_CHECK enum status wait_row_read(sqlite3_stmt *st, const char *run, struct wait_cells *out,
                                     struct error *err);
/* db belongs to the statement and is used to read the pieces; `whole` receives the joined pieces.
 */
MUST_CHECK enum status tok_row_read(struct store_db *db, sqlite3_stmt *st, const char *run,
                                    struct str *whole, struct tok_cells *out, struct error *err);
MUST_CHECK enum status episode_row_read(sqlite3_stmt *st, const char *run,
                                        struct episode_cells *out, struct error *err);

#endif
