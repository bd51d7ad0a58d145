/* query_steps.c - steps in the order of their intents.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/store/path.h"
#include "runtime/store/query_internal.h"
#include "runtime/store/token_rows.h"

struct step_query {
    struct store_reader *q;
    const char *uuid, *under;
    int64_t run;
    int64_t next; /* seq has no gaps */
    bool with_tokens;
    struct arena *arena; /* one row's token record */
    bool (*row)(void *ctx, const struct step_row *s);
    void *ctx;
};

static enum status give_step(const struct step_query *sq, const struct step_cells *c, bool *go,
                             struct error *err)
{
    struct json *args = NULL, *out = NULL;
    struct token_record tokens;
    bool has_tokens = false;
    struct step_row s = {
        .path = cell_cstr(c->path),
        .in_hash = c->in_hash.n == 16 ? c->in_hash.data : NULL,
        .kind = cell_cstr(c->kind),
        .name = c->name.data,
        .err = c->err.data,
        .attempt = (int32_t)c->attempt,
        .tries = (int32_t)c->tries,
        .seq = c->seq,
        .t0_ms = c->t0,
        .t1_ms = cell_or_zero(c->t1),
        .tok_in = cell_or_zero(c->tok_in),
        .tok_out = cell_or_zero(c->tok_out),
        .state = (enum step_state)c->state,
        .effect = (enum effect)c->effect,
    };
    enum status st = cell_json(sq->q, c->args_small, c->args, &args, err);

    if (st == STATUS_OK)
        st = cell_json(sq->q, c->out_small, c->out, &out, err);
    if (st == STATUS_OK && sq->with_tokens) {
        arena_reset(sq->arena);
        st = token_row_find(sq->q, sq->run, sq->uuid, s.path, s.attempt, sq->arena, &has_tokens,
                            &tokens, err);
    }
    if (st == STATUS_OK) {
        s.args = args;
        s.out = out;
        s.tokens = has_tokens ? &tokens : NULL;
        *go = sq->row(sq->ctx, &s);
    }
    jv_unref(args);
    jv_unref(out);
    return st;
}

static enum status each_step(void *ctx, sqlite3_stmt *st, bool *go, struct error *err)
{
    struct step_query *sq = ctx;
    struct step_cells c;
    enum status status = step_row_read(st, sq->uuid, &c, err);

    if (status == STATUS_OK && c.seq != sq->next)
        status = error_set(err, STATUS_CORRUPT, "run %s: step %lld is missing", sq->uuid,
                           (long long)sq->next);
    sq->next = c.seq + 1;
    if (status || !path_is_under(cell_cstr(c.path), sq->under))
        return status;
    return give_step(sq, &c, go, err);
}

static enum status each_one(void *ctx, sqlite3_stmt *st, bool *go, struct error *err)
{
    struct step_query *sq = ctx;
    struct step_cells c;
    enum status status = step_row_read(st, sq->uuid, &c, err);

    sq->next = 1;
    return status ? status : give_step(sq, &c, go, err);
}

enum status query_step(struct store_reader *q, const char *uuid, const char *path, int32_t attempt,
                       bool (*row)(void *ctx, const struct step_row *s), void *ctx,
                       struct error *err)
{
    struct step_query sq = {.q = q, .uuid = uuid, .row = row, .ctx = ctx};
    sqlite3_stmt *st;
    enum status status = query_run_id(q, uuid, &sq.run, err);

    if (status)
        return status;
    st = db_stmt(&q->db, STMT_STEP_GET, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, sq.run);
    bind_words(st, 2, path);
    bind_int(st, 3, attempt);
    status = query_each(q, st, each_one, &sq, err);
    if (status == STATUS_OK && sq.next == 0)
        status = error_set(err, STATUS_NOT_FOUND, "run %s has no step %s", uuid, path);
    return status;
}

enum status query_steps(struct store_reader *q, const char *uuid, const char *under, int64_t after,
                        bool with_tokens, bool (*row)(void *ctx, const struct step_row *s),
                        void *ctx, struct error *err)
{
    struct step_query sq = {.q = q,
                            .uuid = uuid,
                            .under = under,
                            .next = after + 1,
                            .with_tokens = with_tokens,
                            .row = row,
                            .ctx = ctx};
    sqlite3_stmt *st;
    enum status status = query_run_id(q, uuid, &sq.run, err);

    if (status)
        return status;
    st = db_stmt(&q->db, STMT_STEP_BY_SEQ, err);
    if (!st)
        return STATUS_FAILED;
    sq.arena = arena_new(4096);
    bind_int(st, 1, sq.run);
    sqlite3_bind_int64(st, 2, after);
    status = query_each(q, st, each_step, &sq, err);
    arena_free(sq.arena);
    return status;
}
