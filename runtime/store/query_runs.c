/* query_runs.c - rows of runs, with their counts and whether somebody holds them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/store/query_internal.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/run_row.h"

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
    bool bare;
    int probe_fd;
    bool (*row)(void *ctx, const struct run_row *r);
    void *ctx;
};

/* A price that is not known makes the sum worthless. */
static int64_t cost_of(const struct json *budget)
{
    int64_t nano = jv_get_int(jv_get(budget, "cost_nano"), 0);

    return nano < 0 || jv_get_bool(jv_get(budget, "cost_unknown"), false) ? 0 : nano;
}

/* What takes most of the time of a row. The documents are the caller's, also after an error. */
static enum status read_rest(struct store_reader *q, const struct run_cells *c, struct counts *n,
                             struct json **config, struct json **output, struct error *err)
{
    enum status st = count_steps(q, c->id, cell_cstr(c->uuid), n, err);

    if (st == STATUS_OK)
        st = cell_json(q, (struct cell){NULL, 0}, c->config, config, err);
    if (st == STATUS_OK)
        st = cell_json(q, (struct cell){NULL, 0}, c->output, output, err);
    return st;
}

static enum status give_wanted(const struct run_query *rq, const struct run_cells *c,
                               struct run_row *r, bool *go, struct error *err)
{
    struct json *config = NULL, *output = NULL, *budget = NULL;
    struct counts n = {0, 0, 0, 0};
    enum status st = rq->bare ? STATUS_OK : read_rest(rq->q, c, &n, &config, &output, err);

    if (st == STATUS_OK && c->budget.data)
        st = jv_parse(c->budget.data, c->budget.n, "budget", &budget, err);
    if (st == STATUS_OK) {
        r->config = config;
        r->output = output;
        r->budget = budget;
        r->n_steps = n.n_steps;
        r->n_ended = n.n_ended;
        r->tok_in = n.tok_in;
        r->tok_out = n.tok_out;
        r->cost_nano = cost_of(budget);
        *go = rq->row(rq->ctx, r);
    }
    jv_unref(config);
    jv_unref(output);
    jv_unref(budget);
    return st;
}

/* Passes the current row of `st` on; *go says whether the caller wants more. */
static enum status give_run(const struct run_query *rq, sqlite3_stmt *st, bool *go,
                            struct error *err)
{
    struct run_cells c;
    struct run_row r;
    enum run_status run_status = RUN_RUNNING;
    enum status status = run_row_read(st, &c, err);

    if (status == STATUS_OK && !run_status_from_word(cell_cstr(c.status), c.status.n, &run_status))
        status = error_set(err, STATUS_CONFIG, "run %s has an unknown status, `%.40s`",
                           cell_cstr(c.uuid), cell_cstr(c.status));
    if (status)
        return status;
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
        .seed = (uint64_t)c.seed,
        .epoch = c.epoch,
        .created_ms = c.created,
        .ended_ms = cell_or_zero(c.ended),
        .owned = run_lock_is_held(rq->probe_fd, c.id),
    };
    if (run_status == RUN_RUNNING && !r.owned)
        r.status = RUN_INTERRUPTED;
    if (rq->statuses && !(rq->statuses & RUN_STATUS_BIT(r.status)))
        return STATUS_OK;
    return give_wanted(rq, &c, &r, go, err);
}

static enum status give_runs(struct run_query *rq, sqlite3_stmt *st, int64_t *n, struct error *err)
{
    enum status status = STATUS_OK;
    bool there = true, go = true;

    *n = 0;
    rq->probe_fd = run_lock_probe_open(rq->q->store->owners_path);
    while (go) {
        status = db_step(&rq->q->db, st, &there, err);
        if (status || !there)
            break;
        ++*n;
        status = give_run(rq, st, &go, err);
        if (status)
            break;
    }
    sqlite3_reset(st);
    if (rq->probe_fd >= 0)
        close(rq->probe_fd);
    return status;
}

enum status query_runs_like(struct store_reader *q, const struct run_filter *f,
                            bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                            struct error *err)
{
    struct run_query rq = {
        .q = q, .statuses = f->statuses, .bare = f->bare, .row = row, .ctx = ctx};
    sqlite3_stmt *st;
    int64_t n, before = INT64_MAX;
    int i = 2;
    enum status status = f->before ? query_run_id(q, f->before, &before, err) : STATUS_OK;

    if (status)
        return status;
    st = db_stmt(&q->db, f->statuses ? STMT_RUN_BY_STATUS : STMT_RUN_ALL, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, f->since_ms);
    bind_int(st, 2, before);
    for (int s = 0; f->statuses && s < RUN_STATUS_N; s++) {
        bool wanted = f->statuses & RUN_STATUS_BIT(s) ||
                      (s == RUN_RUNNING && f->statuses & RUN_STATUS_BIT(RUN_INTERRUPTED));

        if (s != RUN_INTERRUPTED) /* stored as running */
            bind_words(st, ++i, wanted ? run_status_word((enum run_status)s) : NULL);
    }
    return give_runs(&rq, st, &n, err);
}

enum status query_runs(struct store_reader *q, uint32_t statuses, int64_t since_ms,
                       bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                       struct error *err)
{
    const struct run_filter f = {.statuses = statuses, .since_ms = since_ms};

    return query_runs_like(q, &f, row, ctx, err);
}

static enum status give_one(struct run_query *rq, const char *uuid, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&rq->q->db, STMT_RUN_GET, err);
    int64_t n = 0;
    enum status status;

    if (!st)
        return STATUS_FAILED;
    bind_words(st, 1, uuid);
    status = give_runs(rq, st, &n, err);
    if (status == STATUS_OK && n == 0)
        return error_set(err, STATUS_NOT_FOUND, "run %s not found", uuid);
    return status;
}

enum status query_run(struct store_reader *q, const char *uuid,
                      bool (*row)(void *ctx, const struct run_row *r), void *ctx, struct error *err)
{
    struct run_query rq = {.q = q, .row = row, .ctx = ctx};

    return give_one(&rq, uuid, err);
}

enum status query_run_bare(struct store_reader *q, const char *uuid,
                           bool (*row)(void *ctx, const struct run_row *r), void *ctx,
                           struct error *err)
{
    struct run_query rq = {.q = q, .bare = true, .row = row, .ctx = ctx};

    return give_one(&rq, uuid, err);
}

enum status query_run_by_key(struct store_reader *q, const char *key, char uuid[37], bool *found,
                             struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_META_GET, err);
    char *row_key;
    const unsigned char *text;
    enum status status;

    if (!st)
        return STATUS_FAILED;
    row_key = run_key_key(key);
    bind_words(st, 1, row_key);
    status = db_step(&q->db, st, found, err);
    text = status == STATUS_OK && *found ? sqlite3_column_text(st, 0) : NULL;
    if (text)
        snprintf(uuid, 37, "%s", (const char *)text);
    sqlite3_reset(st);
    free(row_key);
    return status;
}
