/* store_columns.h - columns of each table in the order in which rows.c reads them.
 *
 * Readers support two versions of the store. For version 1, the later columns are constants or
 * derived from others. The last column is the version; rows.c selects the checksum by it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_STORE_COLUMNS_H
#define TROUPE_RUNTIME_STORE_STORE_COLUMNS_H

#define RUN_COLUMNS_OLD                                                                            \
    "id, uuid, kind, name, status, epoch, config, seed, model_hash, backend, env_hash,"            \
    " budget, output, error, created, ended, "
#define WAIT_COLUMNS_OLD "run, path, attempt, kind, prompt, deadline, answer, answered, "
#define RUN_COLUMNS_V1   RUN_COLUMNS_OLD "1, NULL, NULL, sum, 1"
#define RUN_COLUMNS_V2   RUN_COLUMNS_OLD "prompt_format, root, source, sums, 2"
/* For version 1, when and how a wait was closed is derived from its step and its run. */
#define WAIT_STEP_V1(what)                                                                         \
    "(SELECT " what " FROM step s WHERE s.run = wait.run AND s.path = wait.path"                   \
    " AND s.attempt = wait.attempt AND s.state NOT IN (0, 7))"
#define WAIT_CLOSED_V1                                                                             \
    "coalesce(" WAIT_STEP_V1("s.t1") ", (SELECT r.ended FROM run r WHERE r.id = wait.run))"
#define WAIT_CLOSED_AS_V1                                                                          \
    "coalesce(" WAIT_STEP_V1(                                                                      \
        "s.state") ", (SELECT CASE r.status WHEN 'ok' THEN 1 WHEN 'error'"                         \
                   " THEN 2 WHEN 'timeout' THEN 3 WHEN 'budget' THEN 4 WHEN 'cancelled' THEN 5"    \
                   " WHEN 'rejected' THEN 6 END FROM run r WHERE r.id = wait.run))"
#define WAIT_COLUMNS_V1 WAIT_COLUMNS_OLD WAIT_CLOSED_V1 ", " WAIT_CLOSED_AS_V1 ", sum, 1"
#define WAIT_COLUMNS_V2 WAIT_COLUMNS_OLD "closed, closed_as, sums, 2"
#define STEP_COLUMNS_OLD                                                                           \
    "run, path, attempt, seq, kind, name, effect, tries, state, in_hash, idem, args_small,"        \
    " args, out_small, out, err, t0, t1, tok_in, tok_out, "
#define STEP_COLUMNS_V1 STEP_COLUMNS_OLD "sum, 1"
#define STEP_COLUMNS_V2 STEP_COLUMNS_OLD "sums, 2"
#define MSG_COLUMNS     "run, thread, seq, role, small, body, sum"
#define TOK_COLUMNS     "run, path, attempt, seq, rec, first, pieces, sum"
#define EPISODE_COLUMNS "run, path, seed, status, success, steps, verdict, rec, t0, t1, sum"

#endif
