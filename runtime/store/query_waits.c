/* query_waits.c - questions of a run, the open ones of all runs, and whether anything is new.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/query_internal.h"
#include "runtime/store/wait_rows.h"

struct wait_query {
    const char *uuid, *name;
    bool only_open;
    bool (*row)(void *ctx, const struct wait_row *w);
    void *ctx;
    bool go; /* the caller wants more */
};

static enum status each_wait(void *ctx, sqlite3_stmt *st, bool *go, struct error *err)
{
    struct wait_query *wq = ctx;
    struct wait_cells c;
    struct json *prompt = NULL, *answer = NULL;
    enum status status = wait_row_read(st, wq->uuid, &c, err);
    bool is_open = c.closed == CELL_NULL && !wait_has_answer(&c);

    if (status || (wq->only_open && !is_open))
        return status;
    status = jv_parse(c.prompt.data, c.prompt.n, "prompt", &prompt, err);
    if (status == STATUS_OK && wait_has_answer(&c))
        status = jv_parse(c.answer.data, c.answer.n, "answer", &answer, err);
    if (status == STATUS_OK) {
        struct wait_row w = {
            .run = wq->uuid,
            .run_name = wq->name,
            .path = cell_cstr(c.path),
            .kind = cell_cstr(c.kind),
            .prompt = prompt,
            .answer = answer,
            .attempt = (int32_t)c.attempt,
            .deadline_ms = cell_or_zero(c.deadline),
            .is_open = is_open,
            .closed_ms = cell_or_zero(c.closed),
            .closed_as = c.closed == CELL_NULL ? STEP_WAITING : (enum step_state)c.closed_as,
        };

        *go = wq->go = wq->row(wq->ctx, &w);
    }
    jv_unref(prompt);
    jv_unref(answer);
    return status;
}

static enum status waits_of(struct store_reader *q, struct wait_query *wq, struct error *err)
{
    sqlite3_stmt *st;
    int64_t id;
    enum status status = query_run_id(q, wq->uuid, &id, err);

    if (status)
        return status;
    st = db_stmt(&q->db, wq->only_open ? STMT_WAIT_OPEN : STMT_WAIT_ALL, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, id);
    return query_each(q, st, each_wait, wq, err);
}

static bool take_name(void *ctx, const struct run_row *r)
{
    char **name = ctx;

    *name = xstrdup(r->name);
    return false;
}

enum status query_waits(struct store_reader *q, const char *uuid,
                        bool (*row)(void *ctx, const struct wait_row *w), void *ctx,
                        struct error *err)
{
    char *name = NULL;
    enum status st = query_run_bare(q, uuid, take_name, &name, err);
    struct wait_query wq = {.uuid = uuid, .name = name, .row = row, .ctx = ctx};

    if (st == STATUS_OK)
        st = waits_of(q, &wq, err);
    free(name);
    return st;
}

struct open_runs {
    struct open_run {
        char uuid[37];
        char *name;
    } * run;
    size_t n;
};

static bool note_run(void *ctx, const struct run_row *r)
{
    struct open_runs *o = ctx;

    o->run = xrealloc(o->run, (o->n + 1) * sizeof(*o->run));
    memcpy(o->run[o->n].uuid, r->uuid, sizeof(o->run[o->n].uuid));
    o->run[o->n++].name = xstrdup(r->name);
    return true;
}

enum status query_open_waits(struct store_reader *q,
                             bool (*row)(void *ctx, const struct wait_row *w), void *ctx,
                             struct error *err)
{
    struct open_runs runs = {.n = 0};
    struct wait_query wq = {.only_open = true, .row = row, .ctx = ctx, .go = true};
    const struct run_filter open = {.statuses = RUN_STATUS_OPEN, .bare = true};
    enum status st = query_runs_like(q, &open, note_run, &runs, err);

    for (size_t i = runs.n; st == STATUS_OK && wq.go && i-- > 0;) { /* they came newest first */
        wq.uuid = runs.run[i].uuid;
        wq.name = runs.run[i].name;
        st = waits_of(q, &wq, err);
        if (st == STATUS_NOT_FOUND) { /* removed meanwhile */
            error_clear(err);
            st = STATUS_OK;
        }
    }
    for (size_t i = 0; i < runs.n; i++)
        free(runs.run[i].name);
    free(runs.run);
    return st;
}

enum status query_has_changed(struct store_reader *q, bool *changed, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_DATA_VERSION, err);
    enum status status;
    int64_t version;
    bool row;

    if (!st)
        return STATUS_FAILED;
    status = db_step(&q->db, st, &row, err);
    if (status)
        return status;
    version = cell_int(st, 0);
    sqlite3_reset(st);
    *changed = version != q->seen_version;
    q->seen_version = version;
    return STATUS_OK;
}
