/* query_messages.c - the conversations of a run, thread by thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/path.h"
#include "runtime/store/query_internal.h"

struct message_query {
    struct store_reader *q;
    const char *uuid, *under;
    bool (*row)(void *ctx, const struct message_row *m);
    void *ctx;
};

static enum status each_message(void *ctx, sqlite3_stmt *st, bool *go, struct error *err)
{
    const struct message_query *mq = ctx;
    struct json *body = NULL;
    struct msg_cells c;
    enum status status = msg_row_read(st, mq->uuid, &c, err);

    if (status || !path_is_under(cell_cstr(c.thread), mq->under))
        return status;
    status = cell_json(mq->q, c.small, c.body, &body, err);
    if (status == STATUS_OK) {
        struct message_row m = {
            .thread = cell_cstr(c.thread), .role = cell_cstr(c.role), .seq = c.seq, .body = body};

        *go = mq->row(mq->ctx, &m);
    }
    jv_unref(body);
    return status;
}

enum status query_messages(struct store_reader *q, const char *uuid, const char *under,
                           bool (*row)(void *ctx, const struct message_row *m), void *ctx,
                           struct error *err)
{
    struct message_query mq = {.q = q, .uuid = uuid, .under = under, .row = row, .ctx = ctx};
    sqlite3_stmt *st;
    int64_t id;
    enum status status = query_run_id(q, uuid, &id, err);

    if (status)
        return status;
    st = db_stmt(&q->db, STMT_MSG_ALL, err);
    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, id);
    return query_each(q, st, each_message, &mq, err);
}
