/* run_config.c - replacing the configuration of an open run, for a repair.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/store/blob.h"
#include "runtime/store/journal.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

struct config_op {
    struct txn_text config, root, source; /* without text: the row's stays */
};

static enum status apply_config(struct txn_context *c, const void *arg, struct error *err)
{
    const struct config_op *op = arg;
    sqlite3_stmt *get = db_stmt(c->db, STMT_RUN_GET, err), *put;
    struct cell root = txn_cell(c->txn, op->root), source = txn_cell(c->txn, op->source);
    struct run_cells row;
    enum status status;
    uint32_t sum;
    bool there;

    if (!get)
        return STATUS_FAILED;
    bind_words(get, 1, c->run->uuid);
    status = db_step(c->db, get, &there, err);
    if (status)
        return status;
    if (!there)
        return error_set(err, STATUS_NOT_FOUND, "run %s not found", c->run->uuid);
    status = run_row_read(get, &row, err);
    if (!status)
        status = blob_put(c->db, txn_cell(c->txn, op->config), &row.config, err);
    row.root = root.data ? root : row.root;
    row.source = source.data ? source : row.source;
    sum = run_sum_identity(&row); /* of text that lives until the reset */
    sqlite3_reset(get);
    if (status)
        return status;
    put = db_stmt(c->db, STMT_RUN_CONFIG, err);
    if (!put)
        return STATUS_FAILED;
    bind_int(put, 1, c->run->id);
    bind_int(put, 2, row.config);
    bind_int(put, 3, (int64_t)sum);
    bind_text(put, 4, root);
    bind_text(put, 5, source);
    return db_run(c->db, put, err);
}

static void set_words(char **to, const char *words)
{
    if (!words)
        return;
    free(*to);
    *to = xstrdup(words);
}

void run_set_config(struct run *r, const struct json *config, const char *root, const char *source)
{
    struct txn *t = run_txn(r);
    struct config_op *op = txn_add(t, apply_config, sizeof(*op));

    if (!op)
        return;
    op->config = txn_put_json(t, config);
    op->root = txn_put_words(t, root);
    op->source = txn_put_words(t, source);
    set_words(&r->root, root);
    set_words(&r->source, source);
    jv_unref(r->config);
    r->config = jv_deep_copy(config);
}
