/* query_episodes.c - evaluation episodes and rollouts of a run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/blob.h"
#include "runtime/store/path.h"
#include "runtime/store/query_internal.h"

#define RECORD_MAX_BYTES ((size_t)1 << 30)

struct episode_query {
    struct store_reader *q;
    const char *uuid, *under;
    bool with_rec;
    bool (*row)(void *ctx, const struct episode_row *e);
    void *ctx;
};

static enum status give_episode(const struct episode_query *eq, const struct episode_cells *c,
                                bool *go, struct error *err)
{
    struct episode_row e = {
        .path = cell_cstr(c->path),
        .seed = (uint64_t)c->seed,
        .status = (int32_t)c->status,
        .success = (int32_t)c->success,
        .steps = (int32_t)c->steps,
        .verdict = cell_cstr(c->verdict),
        .t0_ms = c->t0,
        .t1_ms = c->t1,
    };

    if (eq->with_rec && c->rec.data) {
        enum status st = blob_decompress(&eq->q->db, c->rec, RECORD_MAX_BYTES, &eq->q->text, err);

        if (st) {
            error_note(err, "episode %s", e.path);
            return st;
        }
        e.rec = str_cstr(&eq->q->text);
        e.rec_bytes = eq->q->text.len;
    }
    *go = eq->row(eq->ctx, &e);
    return STATUS_OK;
}

static enum status each_episode(void *ctx, sqlite3_stmt *st, bool *go, struct error *err)
{
    const struct episode_query *eq = ctx;
    struct episode_cells c;
    enum status status = episode_row_read(st, eq->uuid, &c, err);

    if (status || !path_is_under(cell_cstr(c.path), eq->under))
        return status;
    return give_episode(eq, &c, go, err);
}

enum status query_episodes(struct store_reader *q, const char *uuid, const char *under,
                           bool with_rec, bool (*row)(void *ctx, const struct episode_row *e),
                           void *ctx, struct error *err)
{
    struct episode_query eq = {
        .q = q, .uuid = uuid, .under = under, .with_rec = with_rec, .row = row, .ctx = ctx};
    sqlite3_stmt *st;
    int64_t id;
    enum status status = query_run_id(q, uuid, &id, err);

    if (status)
        return status;
    st = db_stmt(&q->db, STMT_EPISODE_ALL, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, id);
    return query_each(q, st, each_episode, &eq, err);
}
