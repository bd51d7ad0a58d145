/* query_runs.c - rows of runs, with their counts and whether somebody holds them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <unistd.h>

#include "runtime/store/query_internal.h"
#include "runtime/store/run_lock.h"

struct counts {
    int64_t n_steps, n_ended, tok_in, tok_out;
};

/* Each row is checked, since sums over them are shown. */
static enum status count_steps(struct store_reader *q, int64_t run, const char *uuid,
                               struct counts *out, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_STEP_ALL, err);
    struct counts n = {0, 0, 0, 0};
    struct step_cells c;
    int64_t last = -1;
    enum status status = STATUS_OK;
    bool row = true;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, run);
    while (status == STATUS_OK) {
        status = db_step(&q->db, st, &row, err);
        if (status || !row)
            break;
        status = step_row_read(st, uuid, &c, err);
        n.n_steps++;
        n.n_ended += c.state != STEP_STARTED && c.state != STEP_WAITING;
        last = c.seq > last ? c.seq : last;
        if (strcmp(cell_cstr(c.kind), "model") == 0) {
            n.tok_in += cell_or_zero(c.tok_in);
            n.tok_out += cell_or_zero(c.tok_out);
        }
    }
    sqlite3_reset(st);
    if (status == STATUS_OK && n.n_steps != last + 1) /* seq has no gaps */
        status = error_set(err, STATUS_CORRUPT, "run %s has %lld of its %lld steps", uuid,
                           (long long)n.n_steps, (long long)last + 1);
    *out = n;
    return status;
}

struct run_query {
    struct store_reader *q;
    uint32_t statuses; /* 0: all */
    int probe_fd;
    bool (*row)(void *ctx, const struct run_row *r);
    void *ctx;
};

/* Passes the current row of `st` on; *go says whether the caller wants more. */
static enum status give_run(const struct run_query *rq, sqlite3_stmt *st, bool *go,
                            struct error *err)
{
    struct json *config = NULL, *output = NULL, *budget = NULL;
    struct run_cells c;
    struct counts n = {0, 0, 0, 0};
    struct run_row r;
    enum run_status run_status = RUN_RUNNING;
    enum status status = run_row_read(st, &c, err);

    if (status == STATUS_OK && !run_status_from_word(cell_cstr(c.status), c.status.n, &run_status))
        status = error_set(err, STATUS_CONFIG, "run %s has an unknown status, `%.40s`",
                           cell_cstr(c.uuid), cell_cstr(c.status));
    if (status == STATUS_OK)
        status = count_steps(rq->q, c.id, cell_cstr(c.uuid), &n, err);
    if (status == STATUS_OK)
        status = cell_json(rq->q, (struct cell){NULL, 0}, c.config, &config, err);
    if (status == STATUS_OK)
        status = cell_json(rq->q, (struct cell){NULL, 0}, c.output, &output, err);
    if (status == STATUS_OK && c.budget.data)
        status = jv_parse(c.budget.data, c.budget.n, "budget", &budget, err);
    if (status == STATUS_OK) {
        r = (struct run_row){
            .uuid = cell_cstr(c.uuid),
            .kind = cell_cstr(c.kind),
            .name = cell_cstr(c.name),
            .status = run_status,
            .error = c.error.data,
            .backend = c.backend.data,
            .root = c.root.data,
            .source = c.source.data,
            .prompt_format = (int32_t)c.prompt_format,
            .config = config,
            .output = output,
            .budget = budget,
            .seed = (uint64_t)c.seed,
            .epoch = c.epoch,
            .created_ms = c.created,
            .ended_ms = cell_or_zero(c.ended),
            .n_steps = n.n_steps,
            .n_ended = n.n_ended,
            .tok_in = n.tok_in,
            .tok_out = n.tok_out,
            .owned = run_lock_is_held(rq->probe_fd, c.id),
        };
        if (run_status == RUN_RUNNING && !r.owned)
            r.status = RUN_INTERRUPTED;
        *go = (rq->statuses && !(rq->statuses & RUN_STATUS_BIT(r.status))) || rq->row(rq->ctx, &r);
    }
    jv_unref(config);
    jv_unref(output);
    jv_unref(budget);
    return status;
}

static enum status give_runs(struct store_reader *q, sqlite3_stmt *st, uint32_t statuses,
                             bool (*row)(void *ctx, const struct run_row *r), void *ctx, int64_t *n,
                             struct error *err)
{
    struct run_query rq = {q, statuses, run_lock_probe_open(q->store->owners_path), row, ctx};
    enum status status = STATUS_OK;
    bool there = true, go = true;

    *n = 0;
    while (go) {
        status = db_step(&q->db, st, &there, err);
        if (status || !there)
            break;
        ++*n;
        status = give_run(&rq, st, &go, err);
        if (status)
            break;
    }
    sqlite3_reset(st);
    if (rq.probe_fd >= 0)
        close(rq.probe_fd);
    return status;
}

enum status query_runs(struct store_reader *q, uint32_t statuses, int64_t since_ms,
                       bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                       struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, statuses ? STMT_RUN_BY_STATUS : STMT_RUN_ALL, err);
    int64_t n;
    int i = 1;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, i, since_ms);
    for (int s = 0; statuses && s < RUN_STATUS_N; s++) {
        bool wanted = statuses & RUN_STATUS_BIT(s) ||
                      (s == RUN_RUNNING && statuses & RUN_STATUS_BIT(RUN_INTERRUPTED));

        if (s != RUN_INTERRUPTED) /* stored as running */
            bind_words(st, ++i, wanted ? run_status_word((enum run_status)s) : NULL);
    }
    return give_runs(q, st, statuses, row, ctx, &n, err);
}

enum status query_run(struct store_reader *q, const char *uuid,
                      bool (*row)(void *ctx, const struct run_row *r), void *ctx, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_RUN_GET, err);
    int64_t n = 0;
    enum status status;

    if (!st)
        return STATUS_FAILED;
    bind_words(st, 1, uuid);
    status = give_runs(q, st, 0, row, ctx, &n, err);
    if (status == STATUS_OK && n == 0)
        return error_set(err, STATUS_NOT_FOUND, "run %s not found", uuid);
    return status;
}
