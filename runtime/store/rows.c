/* rows.c - the columns of each table as C values, and the checksum over them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/rows.h"

#include <stdio.h>

#include "runtime/store/row_sum.h"

static void add_run_identity_v1(struct row_sum *s, const struct run_cells *r)
{
    row_sum_init(s);
    row_sum_cell(s, r->uuid);
    row_sum_cell(s, r->kind);
    row_sum_cell(s, r->name);
    row_sum_int(s, r->config);
    row_sum_int(s, r->seed);
    row_sum_cell(s, r->model_hash);
    row_sum_cell(s, r->backend);
    row_sum_cell(s, r->env_hash);
    row_sum_int(s, r->created);
}

static uint32_t run_sum_identity_v1(const struct run_cells *r)
{
    struct row_sum s;

    add_run_identity_v1(&s, r);
    return row_sum_finish(&s);
}

uint32_t run_sum_identity(const struct run_cells *r)
{
    struct row_sum s;

    add_run_identity_v1(&s, r);
    row_sum_int(&s, r->id);
    row_sum_int(&s, r->prompt_format);
    row_sum_cell(&s, r->root);
    row_sum_cell(&s, r->source);
    return row_sum_finish(&s);
}

static void add_run_change_v1(struct row_sum *s, const struct run_cells *r)
{
    row_sum_init(s);
    row_sum_cell(s, r->status);
    row_sum_cell(s, r->budget);
    row_sum_int(s, r->output);
    row_sum_cell(s, r->error);
    row_sum_int(s, r->ended);
}

static uint32_t run_sum_change_v1(const struct run_cells *r)
{
    struct row_sum s;

    add_run_change_v1(&s, r);
    return row_sum_finish(&s);
}

uint32_t run_sum_change(const struct run_cells *r)
{
    struct row_sum s;

    add_run_change_v1(&s, r);
    row_sum_int(&s, r->epoch);
    return row_sum_finish(&s);
}

uint32_t step_sum_intent(const struct step_cells *c)
{
    struct row_sum s;

    row_sum_init(&s);
    row_sum_int(&s, c->run);
    row_sum_cell(&s, c->path);
    row_sum_int(&s, c->attempt);
    row_sum_int(&s, c->seq);
    row_sum_cell(&s, c->kind);
    row_sum_cell(&s, c->name);
    row_sum_int(&s, c->effect);
    row_sum_cell(&s, c->in_hash);
    row_sum_cell(&s, c->idem);
    row_sum_cell(&s, c->args_small);
    row_sum_int(&s, c->args);
    row_sum_int(&s, c->t0);
    return row_sum_finish(&s);
}

/* Includes the path, so that a result cannot be moved to another step. */
static void add_step_result_v1(struct row_sum *s, const struct step_cells *c)
{
    row_sum_init(s);
    row_sum_cell(s, c->path);
    row_sum_int(s, c->attempt);
    row_sum_int(s, c->state);
    row_sum_cell(s, c->out_small);
    row_sum_int(s, c->out);
    row_sum_cell(s, c->err);
    row_sum_int(s, c->t1);
    row_sum_int(s, c->tok_in);
    row_sum_int(s, c->tok_out);
}

static uint32_t step_sum_result_v1(const struct step_cells *c)
{
    struct row_sum s;

    add_step_result_v1(&s, c);
    return row_sum_finish(&s);
}

/* One try, which nearly every step has, is summed as in version 1: those rows need no rewriting. */
uint32_t step_sum_result(const struct step_cells *c)
{
    struct row_sum s;

    add_step_result_v1(&s, c);
    if (c->tries != 1)
        row_sum_int(&s, c->tries);
    return row_sum_finish(&s);
}

uint32_t wait_sum_question(const struct wait_cells *w)
{
    struct row_sum s;

    row_sum_init(&s);
    row_sum_int(&s, w->run);
    row_sum_cell(&s, w->path);
    row_sum_int(&s, w->attempt);
    row_sum_cell(&s, w->kind);
    row_sum_cell(&s, w->prompt);
    row_sum_int(&s, w->deadline);
    return row_sum_finish(&s);
}

static void add_wait_answer_v1(struct row_sum *s, const struct wait_cells *w)
{
    row_sum_init(s);
    row_sum_cell(s, w->path);
    row_sum_cell(s, w->answer);
    row_sum_int(s, w->answered);
}

static uint32_t wait_sum_answer_v1(const struct wait_cells *w)
{
    struct row_sum s;

    add_wait_answer_v1(&s, w);
    return row_sum_finish(&s);
}

uint32_t wait_sum_answer(const struct wait_cells *w)
{
    struct row_sum s;

    add_wait_answer_v1(&s, w);
    row_sum_int(&s, w->closed);
    row_sum_int(&s, w->closed_as);
    return row_sum_finish(&s);
}

uint32_t msg_sum(const struct msg_cells *m)
{
    struct row_sum s;

    row_sum_init(&s);
    row_sum_int(&s, m->run);
    row_sum_cell(&s, m->thread);
    row_sum_int(&s, m->seq);
    row_sum_cell(&s, m->role);
    row_sum_cell(&s, m->small);
    row_sum_int(&s, m->body);
    return row_sum_finish(&s);
}

uint32_t tok_sum(const struct tok_cells *t)
{
    struct row_sum s;

    row_sum_init(&s);
    row_sum_int(&s, t->run);
    row_sum_cell(&s, t->path);
    row_sum_int(&s, t->attempt);
    row_sum_int(&s, t->seq);
    row_sum_cell(&s, t->rec);
    return row_sum_finish(&s);
}

uint32_t episode_sum(const struct episode_cells *e)
{
    struct row_sum s;

    row_sum_init(&s);
    row_sum_int(&s, e->run);
    row_sum_cell(&s, e->path);
    row_sum_int(&s, e->seed);
    row_sum_int(&s, e->status);
    row_sum_int(&s, e->success);
    row_sum_int(&s, e->steps);
    row_sum_cell(&s, e->verdict);
    row_sum_cell(&s, e->rec);
    row_sum_int(&s, e->t0);
    row_sum_int(&s, e->t1);
    return row_sum_finish(&s);
}

int64_t sum_of_halves(uint32_t low, uint32_t high)
{
    return (int64_t)((uint64_t)high << 32 | low);
}

static enum status bad_sum(struct error *err, const char *table, const char *run,
                           const char *key_name, struct cell key, const char *number_name,
                           int64_t number)
{
    char where[256];

    (void)snprintf(where, sizeof(where), "%s run=%s %s=%.120s %s=%lld", table, run, key_name,
                   cell_cstr(key), number_name, (long long)number);
    return error_at(err, STATUS_CORRUPT, where, 0, 0, "the checksum does not match the row");
}

enum status run_row_read(sqlite3_stmt *st, struct run_cells *r, struct error *err)
{
    *r = (struct run_cells){
        .id = cell_int(st, 0),
        .uuid = cell_text(st, 1),
        .kind = cell_text(st, 2),
        .name = cell_text(st, 3),
        .status = cell_text(st, 4),
        .epoch = cell_int(st, 5),
        .config = cell_int(st, 6),
        .seed = sqlite3_column_int64(st, 7),
        .model_hash = cell_bytes(st, 8),
        .backend = cell_text(st, 9),
        .env_hash = cell_bytes(st, 10),
        .budget = cell_text(st, 11),
        .output = cell_int(st, 12),
        .error = cell_text(st, 13),
        .created = cell_int(st, 14),
        .ended = cell_int(st, 15),
        .prompt_format = cell_int(st, 16),
        .root = cell_text(st, 17),
        .source = cell_text(st, 18),
        .sums = cell_int(st, 19),
        .version = cell_int(st, 20),
    };
    if (r->sums == (r->version == 1 ? sum_of_halves(run_sum_identity_v1(r), run_sum_change_v1(r))
                                    : sum_of_halves(run_sum_identity(r), run_sum_change(r))))
        return STATUS_OK;
    return bad_sum(err, "run", cell_cstr(r->uuid), "name", r->name, "epoch", r->epoch);
}

enum status step_row_read(sqlite3_stmt *st, const char *run, struct step_cells *s,
                          struct error *err)
{
    *s = (struct step_cells){
        .run = cell_int(st, 0),
        .path = cell_text(st, 1),
        .attempt = cell_int(st, 2),
        .seq = cell_int(st, 3),
        .kind = cell_text(st, 4),
        .name = cell_text(st, 5),
        .effect = cell_int(st, 6),
        .tries = cell_int(st, 7),
        .state = cell_int(st, 8),
        .in_hash = cell_bytes(st, 9),
        .idem = cell_bytes(st, 10),
        .args_small = cell_text(st, 11),
        .args = cell_int(st, 12),
        .out_small = cell_text(st, 13),
        .out = cell_int(st, 14),
        .err = cell_text(st, 15),
        .t0 = cell_int(st, 16),
        .t1 = cell_int(st, 17),
        .tok_in = cell_int(st, 18),
        .tok_out = cell_int(st, 19),
        .sum = cell_int(st, 20),
        .version = cell_int(st, 21),
    };
    if (s->sum == sum_of_halves(step_sum_intent(s),
                                s->version == 1 ? step_sum_result_v1(s) : step_sum_result(s)))
        return STATUS_OK;
    return bad_sum(err, "step", run, "path", s->path, "attempt", s->attempt);
}

enum status msg_row_read(sqlite3_stmt *st, const char *run, struct msg_cells *m, struct error *err)
{
    *m = (struct msg_cells){
        .run = cell_int(st, 0),
        .thread = cell_text(st, 1),
        .seq = cell_int(st, 2),
        .role = cell_text(st, 3),
        .small = cell_text(st, 4),
        .body = cell_int(st, 5),
        .sum = cell_int(st, 6),
    };
    if (m->sum == (int64_t)msg_sum(m))
        return STATUS_OK;
    return bad_sum(err, "msg", run, "thread", m->thread, "seq", m->seq);
}

enum status wait_row_read(sqlite3_stmt *st, const char *run, struct wait_cells *w,
                          struct error *err)
{
    *w = (struct wait_cells){
        .run = cell_int(st, 0),
        .path = cell_text(st, 1),
        .attempt = cell_int(st, 2),
        .kind = cell_text(st, 3),
        .prompt = cell_text(st, 4),
        .deadline = cell_int(st, 5),
        .answer = cell_text(st, 6),
        .answered = cell_int(st, 7),
        .closed = cell_int(st, 8),
        .closed_as = cell_int(st, 9),
        .sums = cell_int(st, 10),
        .version = cell_int(st, 11),
    };
    if (w->sums == sum_of_halves(wait_sum_question(w),
                                 w->version == 1 ? wait_sum_answer_v1(w) : wait_sum_answer(w)))
        return STATUS_OK;
    return bad_sum(err, "wait", run, "path", w->path, "attempt", w->attempt);
}

static enum status join_pieces(struct store_db *db, const struct tok_cells *t, struct str *whole,
                               struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_PIECE_GET, err);
    enum status status = STATUS_OK;
    bool row = true;

    if (!st)
        return STATUS_FAILED;
    str_clear(whole);
    bind_int(st, 1, t->first);
    bind_int(st, 2, t->pieces);
    while (status == STATUS_OK && row) {
        status = db_step(db, st, &row, err);
        if (status == STATUS_OK && row) {
            struct cell data = cell_bytes(st, 0);

            str_append(whole, data.data, data.n);
        }
    }
    sqlite3_reset(st);
    if (status == STATUS_OK && !str_ok(whole))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a token record");
    return status;
}

enum status tok_row_read(struct store_db *db, sqlite3_stmt *st, const char *run, struct str *whole,
                         struct tok_cells *t, struct error *err)
{
    *t = (struct tok_cells){
        .run = cell_int(st, 0),
        .path = cell_text(st, 1),
        .attempt = cell_int(st, 2),
        .seq = cell_int(st, 3),
        .rec = cell_bytes(st, 4),
        .first = cell_int(st, 5),
        .pieces = cell_int(st, 6),
        .sum = cell_int(st, 7),
    };
    if (t->first != CELL_NULL) {
        enum status status = join_pieces(db, t, whole, err);

        if (status)
            return status;
        t->rec = (struct cell){str_cstr(whole), whole->len};
    }
    if (t->sum == (int64_t)tok_sum(t))
        return STATUS_OK;
    return bad_sum(err, "tok", run, "path", t->path, "attempt", t->attempt);
}

enum status episode_row_read(sqlite3_stmt *st, const char *run, struct episode_cells *e,
                             struct error *err)
{
    *e = (struct episode_cells){
        .run = cell_int(st, 0),
        .path = cell_text(st, 1),
        .seed = sqlite3_column_int64(st, 2),
        .status = cell_int(st, 3),
        .success = cell_int(st, 4),
        .steps = cell_int(st, 5),
        .verdict = cell_text(st, 6),
        .rec = cell_bytes(st, 7),
        .t0 = cell_int(st, 8),
        .t1 = cell_int(st, 9),
        .sum = cell_int(st, 10),
    };
    if (e->sum == (int64_t)episode_sum(e))
        return STATUS_OK;
    return bad_sum(err, "episode", run, "path", e->path, "steps", e->steps);
}
