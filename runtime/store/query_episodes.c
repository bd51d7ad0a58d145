/* query_episodes.c - evaluation episodes and rollouts of a run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/blob.h"
#include "runtime/store/path.h"
#include "runtime/store/query_internal.h"

#define RECORD_MAX_BYTES ((size_t)1 << 30)

static enum status give_episode(struct store_reader *q, const struct episode_cells *c,
                                bool with_rec, bool (*row)(void *ctx, const struct episode_row *e),
                                void *ctx, bool *go, struct error *err)
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

    if (with_rec && c->rec.data) {
        enum status st = blob_decompress(&q->db, c->rec, RECORD_MAX_BYTES, &q->text, err);

        if (st) {
            error_note(err, "episode %s", e.path);
            return st;
        }
        e.rec = str_cstr(&q->text);
        e.rec_bytes = q->text.len;
    }
    *go = row(ctx, &e);
    return STATUS_OK;
}

enum status query_episodes(struct store_reader *q, const char *uuid, const char *under,
                           bool with_rec, bool (*row)(void *ctx, const struct episode_row *e),
                           void *ctx, struct error *err)
{
    struct episode_cells c;
    sqlite3_stmt *st;
    int64_t id;
    bool there, go = true;
    enum status status = query_run_id(q, uuid, &id, err);

    if (status)
        return status;
    st = db_stmt(&q->db, STMT_EPISODE_ALL, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, id);
    while (go) {
        status = db_step(&q->db, st, &there, err);
        if (status || !there)
            break;
        status = episode_row_read(st, uuid, &c, err);
        if (status)
            break;
        if (!path_is_under(cell_cstr(c.path), under))
            continue;
        status = give_episode(q, &c, with_rec, row, ctx, &go, err);
        if (status)
            break;
    }
    sqlite3_reset(st);
    return status;
}
