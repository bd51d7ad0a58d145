/* run_handle.c - creating, closing and describing an open run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/store/blob.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"
#include "runtime/store/wait_rows.h"

struct run *run_new(struct store *s, struct run_writer *w)
{
    struct run *r = xcalloc(1, sizeof(*r));

    r->store = s;
    r->writer = w;
    return r;
}

void run_free(struct run *r)
{
    if (!r)
        return;
    txn_free(r->open);
    store_reader_close(r->reader);
    hash_set_deinit(&r->before);
    hash_set_deinit(&r->touched);
    jv_unref(r->config);
    jv_unref(r->budget);
    free(r->root);
    free(r->source);
    /* Here and not with the last reference: the store thread may still hold one for a moment,
     * and the next owner must not find the run held. */
    if (r->writer->lock_fd >= 0)
        close(r->writer->lock_fd);
    r->writer->lock_fd = -1;
    run_writer_unref(r->writer);
    free(r);
}

struct create_op {
    struct txn_text kind, name, config, model_hash, backend, env_hash, root, source, key;
    int64_t seed, created, prompt_format;
};

static enum status next_id(struct store_db *db, int64_t *id, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_RUN_NEXT_ID, err);
    enum status status;
    bool row;

    if (!st)
        return STATUS_FAILED;
    status = db_step(db, st, &row, err);
    if (status)
        return status;
    *id = cell_int(st, 0);
    sqlite3_reset(st);
    return STATUS_OK;
}

static void bind_run(sqlite3_stmt *st, const struct run_cells *row)
{
    bind_text(st, 1, row->uuid);
    bind_text(st, 2, row->kind);
    bind_text(st, 3, row->name);
    bind_text(st, 4, row->status);
    bind_int(st, 5, row->config);
    sqlite3_bind_int64(st, 6, row->seed); /* any 64 bits, CELL_NULL's too */
    bind_bytes(st, 7, row->model_hash);
    bind_text(st, 8, row->backend);
    bind_bytes(st, 9, row->env_hash);
    bind_int(st, 10, row->created);
    bind_int(st, 11, row->prompt_format);
    bind_text(st, 12, row->root);
    bind_text(st, 13, row->source);
    sqlite3_bind_int64(st, 14, sum_of_halves(run_sum_identity(row), run_sum_change(row)));
    bind_int(st, 15, row->id);
}

static enum status insert_run(struct txn_context *c, const struct create_op *op, int64_t *id,
                              struct error *err)
{
    struct run_cells row = run_change_cells(c->run);
    sqlite3_stmt *st = db_stmt(c->db, STMT_RUN_PUT, err);
    enum status status;

    if (!st)
        return STATUS_FAILED;
    status = next_id(c->db, &row.id, err);
    if (status)
        return status;
    row.uuid = cell_words(c->run->uuid);
    row.kind = txn_cell(c->txn, op->kind);
    row.name = txn_cell(c->txn, op->name);
    row.seed = op->seed;
    row.model_hash = txn_cell(c->txn, op->model_hash);
    row.backend = txn_cell(c->txn, op->backend);
    row.env_hash = txn_cell(c->txn, op->env_hash);
    row.created = op->created;
    row.prompt_format = op->prompt_format;
    row.root = txn_cell(c->txn, op->root);
    row.source = txn_cell(c->txn, op->source);
    row.config = CELL_NULL;
    if (op->config.at != TXN_NO_TEXT) {
        status = blob_put(c->db, txn_cell(c->txn, op->config), &row.config, err);
        if (status)
            return status;
    }
    bind_run(st, &row);
    status = db_run(c->db, st, err);
    *id = row.id;
    return status;
}

/* In the transaction of the run, so that two processes cannot both create one. */
static enum status take_key(struct txn_context *c, struct cell key, struct error *err)
{
    sqlite3_stmt *st = db_stmt(c->db, STMT_META_GET, err);
    enum status status;
    bool taken;

    if (!st)
        return STATUS_FAILED;
    bind_text(st, 1, key);
    status = db_step(c->db, st, &taken, err);
    sqlite3_reset(st);
    if (status == STATUS_OK && taken)
        status = error_set(err, STATUS_REJECTED, "another run has this key");
    if (status)
        return status;
    st = db_stmt(c->db, STMT_META_PUT, err);
    if (!st)
        return STATUS_FAILED;
    bind_text(st, 1, key);
    bind_words(st, 2, c->run->uuid);
    return db_run(c->db, st, err);
}

/* The lock is taken before the commit makes the row visible, so that nobody resumes a
 * run that has just begun. */
static enum status apply_create(struct txn_context *c, const void *arg, struct error *err)
{
    struct run_writer *w = c->run;
    const struct create_op *op = arg;
    int64_t id = 0;
    enum status st = STATUS_OK;

    if (op->key.at != TXN_NO_TEXT)
        st = take_key(c, txn_cell(c->txn, op->key), err);
    if (st == STATUS_OK)
        st = insert_run(c, op, &id, err);
    if (st)
        return st;
    st = run_lock_take(c->store->owners_path, id, &w->lock_fd, err);
    if (st)
        return st;
    w->id = id;
    return STATUS_OK;
}

static struct txn_text put_hash(struct txn *t, const struct sha256 *h)
{
    return txn_put(t, h ? h->byte : NULL, sizeof(h->byte));
}

static enum status check_paths(const struct run_spec *spec, struct error *err)
{
    const char *const path[] = {spec->root, spec->source};

    for (size_t i = 0; i < ARRAY_LEN(path); i++) {
        if (path[i] && path[i][0] != '/')
            return error_set(err, STATUS_INVALID, "the path of a run must be absolute, not %s",
                             path[i]);
    }
    return STATUS_OK;
}

/* A run without a row yet, and the transaction that makes the row. */
static struct run *draft(struct store *s, const struct run_spec *spec, struct txn **out)
{
    char uuid[37];
    struct run *r;
    struct txn *t;
    struct create_op *op;
    char *key = spec->key ? run_key_key(spec->key) : NULL;

    seams_uuid7(s->seams, uuid);
    r = run_new(s, run_writer_new(uuid));
    r->seed = spec->seed;
    r->config = spec->config ? jv_deep_copy(spec->config) : NULL;
    r->root = spec->root ? xstrdup(spec->root) : NULL;
    r->source = spec->source ? xstrdup(spec->source) : NULL;
    r->prompt_format = spec->prompt_format ? spec->prompt_format : RUN_PROMPT_FORMAT;
    t = txn_new_for_run(s, r->writer);
    op = txn_add(t, apply_create, sizeof(*op));
    if (op) {
        op->kind = txn_put_words(t, spec->kind);
        op->name = txn_put_words(t, spec->name);
        op->config = txn_put_json(t, spec->config);
        op->model_hash = put_hash(t, spec->model_hash);
        op->backend = txn_put_words(t, spec->backend);
        op->env_hash = put_hash(t, spec->env_hash);
        op->root = txn_put_words(t, spec->root);
        op->source = txn_put_words(t, spec->source);
        op->key = txn_put_words(t, key);
        op->prompt_format = r->prompt_format;
        op->seed = (int64_t)spec->seed;
        op->created = store_now_ms(s);
    }
    free(key);
    *out = t;
    return r;
}

enum status run_create(struct store *s, const struct run_spec *spec, struct run **out,
                       struct error *err)
{
    enum status st = check_paths(spec, err);
    struct run *r;
    struct txn *t;

    if (st)
        return st;
    r = draft(s, spec, &t);
    st = txn_post_wait(t, err);
    if (st) {
        error_note(err, "creating a run");
        run_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}

void run_watch(struct run *r, struct run_watch *w, void (*closing)(struct run_watch *w))
{
    w->closing = closing;
    w->next = r->watches;
    w->link = &r->watches;
    if (w->next)
        w->next->link = &w->next;
    r->watches = w;
}

void run_unwatch(struct run_watch *w)
{
    if (!w->link)
        return;
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->link = NULL;
}

struct creation {
    struct run *run;
    run_created created;
    void *ctx;
};

static void on_created(void *ctx, enum status status, const struct error *err)
{
    struct creation c = *(struct creation *)ctx;

    free(ctx);
    if (status)
        run_free(c.run);
    c.created(c.ctx, status ? NULL : c.run, status, err);
}

void run_create_later(struct store *s, const struct run_spec *spec, run_created created, void *ctx)
{
    struct creation *c = xcalloc(1, sizeof(*c));
    struct error err = ERROR_INIT;
    enum status bad = check_paths(spec, &err);
    struct txn *t;

    *c = (struct creation){draft(s, spec, &t), created, ctx};
    if (bad)
        txn_fail(t, bad, &err);
    txn_post(t, store_reply_box(s), on_created, c);
}

void run_close(struct run *r)
{
    struct error ignored = ERROR_INIT;

    if (!r)
        return;
    while (r->watches) {
        struct run_watch *w = r->watches;

        run_unwatch(w);
        w->closing(w);
    }
    if (journal_sync(r, &ignored))
        error_clear(&ignored); /* callers that wait for durability get the error */
    run_free(r);
}

struct store *run_store(const struct run *r)
{
    return r->store;
}

const char *run_uuid(const struct run *r)
{
    return r->writer->uuid;
}

uint64_t run_seed(const struct run *r)
{
    return r->seed;
}

struct json *run_config(const struct run *r)
{
    return r->config;
}

struct json *run_budget(const struct run *r)
{
    return r->budget;
}

const char *run_root(const struct run *r)
{
    return r->root;
}

const char *run_source(const struct run *r)
{
    return r->source;
}

int32_t run_prompt_format(const struct run *r)
{
    return r->prompt_format;
}

bool run_is_resumed(const struct run *r)
{
    return r->is_resumed;
}

struct change_op {
    struct txn_text output, error, budget; /* budget alone, or the others */
    int32_t status;                        /* enum run_status */
    int64_t ended;
};

static void replace(char **to, struct cell with)
{
    free(*to);
    *to = with.data ? xstrndup(with.data, with.n) : NULL;
}

static enum status apply_status(struct txn_context *c, const void *arg, struct error *err)
{
    const struct change_op *op = arg;
    struct run_change *change = &c->run->change;
    char key[48];
    sqlite3_stmt *mark;
    enum status st;

    change->status = (enum run_status)op->status;
    replace(&change->error, txn_cell(c->txn, op->error));
    change->output = CELL_NULL;
    if (op->output.at != TXN_NO_TEXT) {
        st = blob_put(c->db, txn_cell(c->txn, op->output), &change->output, err);
        if (st)
            return st;
    }
    change->ended = op->ended;
    st = run_writer_store_change(c->run, c->db, err);
    if (st || op->ended == CELL_NULL)
        return st;
    if (c->run->n_waits > 0)
        st = wait_close_all(c, c->run->id, change->status, err);
    if (st)
        return st;
    mark = db_stmt(c->db, STMT_META_DELETE, err);
    if (!mark)
        return STATUS_FAILED;
    run_cancel_key(c->run->uuid, key);
    bind_words(mark, 1, key);
    return db_run(c->db, mark, err);
}

void run_set_status(struct run *r, enum run_status status, const struct json *output,
                    const char *error_text)
{
    struct txn *t = run_txn(r);
    struct change_op *op = txn_add(t, apply_status, sizeof(*op));

    if (!op)
        return;
    op->status = (int32_t)status;
    op->output = txn_put_json(t, output);
    op->error = txn_put_words(t, error_text);
    op->ended = run_status_is_final(status) ? store_now_ms(r->store) : CELL_NULL;
}

static enum status apply_budget(struct txn_context *c, const void *arg, struct error *err)
{
    const struct change_op *op = arg;

    replace(&c->run->change.budget, txn_cell(c->txn, op->budget));
    return run_writer_store_change(c->run, c->db, err);
}

void run_set_budget(struct run *r, const struct json *counters)
{
    struct txn *t = run_txn(r);
    struct change_op *op = txn_add(t, apply_budget, sizeof(*op));

    if (op)
        op->budget = txn_put_json(t, counters);
}
