/* call_fold.c - see call_fold.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/call_fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/store/audit_rows.h"
#include "runtime/store/store_internal.h"

/* ---- how far a file is in the table */

struct mark {
    struct spool_id id;
    uint64_t number;
};

static void mark_key(int slot, char out[32])
{
    (void)snprintf(out, 32, "calls/%d", slot);
}

/* The number of the last row of the file that is in the table; 0: none. */
static enum status get_mark(struct store_db *db, int slot, const struct spool_id *id,
                            uint64_t *number, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_META_GET, err);
    struct mark m;
    struct cell c;
    char key[32];
    bool row;
    enum status status;

    *number = 0;
    if (!st)
        return STATUS_FAILED;
    mark_key(slot, key);
    bind_words(st, 1, key);
    status = db_step(db, st, &row, err);
    if (status)
        return status;
    c = row ? cell_bytes(st, 0) : (struct cell){0};
    if (c.n == sizeof(m)) {
        memcpy(&m, c.data, sizeof(m));
        if (memcmp(&m.id, id, sizeof(m.id)) == 0)
            *number = m.number;
    }
    sqlite3_reset(st);
    return STATUS_OK;
}

static enum status put_mark(struct store_db *db, int slot, const struct spool_id *id,
                            uint64_t number, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_META_PUT, err);
    struct mark m = {.id = *id, .number = number};
    char key[32];

    if (!st)
        return STATUS_FAILED;
    mark_key(slot, key);
    bind_words(st, 1, key);
    bind_bytes(st, 2, (struct cell){&m, sizeof(m)});
    return db_run(db, st, err);
}

/* ---- one file */

/* Inside a transaction: the rows of an image above `after`. has_slot: the file is its slot's. */
static enum status put_rows(struct store_db *db, int slot, const struct spool_image *m,
                            uint64_t after, bool has_slot, const char *path, struct error *err)
{
    struct audit_chain chain;
    struct spool_rows rows;
    enum status st = spool_find_rows(m, after, path, &rows, err);

    if (st)
        return st;
    if (rows.n > 0) {
        st = audit_chain_begin(db, &chain, err);
        for (size_t i = 0; i < rows.n && !st; i++) {
            struct call_audit_row row = spool_row_at(m, &rows.row[i]);

            st = audit_chain_put(db, &chain, &row, err);
        }
        audit_chain_end(&chain);
        if (st == STATUS_OK && has_slot)
            st = put_mark(db, slot, &m->id, rows.row[rows.n - 1].number, err);
    }
    spool_rows_deinit(&rows);
    return st;
}

static enum status end_transaction(struct store_db *db, enum status st, struct error *err)
{
    if (st == STATUS_OK)
        st = db_run_id(db, STMT_COMMIT, err);
    if (st && !sqlite3_get_autocommit(db->handle))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static enum status put_left(struct store_db *db, int slot, const struct spool_image *m,
                            const char *path, struct error *err)
{
    uint64_t after;
    enum status st = get_mark(db, slot, &m->id, &after, err);

    return st ? st : put_rows(db, slot, m, after, true, path, err);
}

/* ---- what dead processes have left */

static enum status recover_one(struct store *s, int slot, const char *path, bool is_new,
                               struct error *err)
{
    struct spool_image m = {0};
    int fd;
    enum status st = spool_claim(path, &fd, err);

    if (st == STATUS_BUSY) { /* its process lives */
        error_clear(err);
        return STATUS_OK;
    }
    if (st)
        return st;
    st = spool_look(s->path, slot, &m, err);
    if (st == STATUS_OK && m.n > 0) {
        m.is_live = is_new; /* the lock that it found is ours */
        st = db_run_id(&s->db, STMT_BEGIN, err);
        if (st == STATUS_OK)
            st = end_transaction(&s->db, put_left(&s->db, slot, &m, path, err), err);
        if (st == STATUS_OK)
            st = spool_empty(fd, path, err);
    }
    spool_image_deinit(&m);
    close(fd);
    return st;
}

enum status calls_recover(struct store *s, bool is_new, struct error *err)
{
    enum status st = STATUS_OK;

    for (int slot = 0; slot < SPOOLS_MAX && st == STATUS_OK; slot++) {
        char *path = spool_path(s->path, slot);

        if (file_exists(path)) /* one that was damaged may have been deleted: a gap */
            st = recover_one(s, slot, path, is_new, err);
        free(path);
    }
    return st;
}

/* ---- the store's thread */

static int64_t now_ms(void)
{
    return seams_mono_us(seams_real()) / 1000; /* a real thread sleeps in real time */
}

int64_t calls_due_ms(struct store *s)
{
    struct call_spool *spool = atomic_load_explicit(&s->spool, memory_order_acquire);
    size_t n = spool ? spool_waiting_bytes(spool) : 0;
    int64_t left;

    if (n == 0) {
        s->fold_at_ms = 0;
        return -1;
    }
    if (s->fold_at_ms == 0)
        s->fold_at_ms = now_ms() + FOLD_MS;
    left = s->fold_at_ms - now_ms();
    return n >= FOLD_BYTES || left < 0 ? 0 : left;
}

enum status calls_fold(struct store *s, struct error *err)
{
    struct call_spool *spool = atomic_load_explicit(&s->spool, memory_order_acquire);
    struct spool_image m;
    struct error gone = ERROR_INIT;
    uint64_t after, last;
    enum status st, there;

    if (!spool || spool_waiting_bytes(spool) == 0)
        return STATUS_OK;
    there = spool_check(spool, &gone);
    st = spool_take_image(spool, &m, &after, &last, err);
    if (st)
        return st;
    st = db_run_id(&s->db, STMT_BEGIN, err);
    if (st == STATUS_OK)
        st = end_transaction(&s->db,
                             put_rows(&s->db, spool_slot(spool), &m, after, there == STATUS_OK,
                                      spool_name(spool), err),
                             err);
    if (st == STATUS_OK)
        st = store_files_check(s, err);
    if (st == STATUS_OK) {
        spool_moved(spool, last);
        s->fold_at_ms = 0;
        atomic_fetch_add_explicit(&s->commits, 1, memory_order_relaxed);
    }
    spool_image_deinit(&m);
    if (st == STATUS_OK && there) {
        *err = gone;
        st = there;
    }
    return st;
}

/* ---- readers */

struct calls_left {
    char *store;
    struct spool_image *image;
    int n;
};

enum status calls_look(const char *store, struct calls_left **out, struct error *err)
{
    struct calls_left *l = xcalloc(1, sizeof(*l));
    struct error one = ERROR_INIT;
    enum status st = STATUS_OK;

    l->store = xstrdup(store);
    l->image = xcalloc(SPOOLS_MAX, sizeof(*l->image));
    for (int slot = 0; slot < SPOOLS_MAX && !st; slot++) {
        st = spool_look(store, slot, &l->image[slot], &one);
        if (!st) {
            l->n = slot + 1;
        } else if (st == STATUS_NOT_FOUND) {
            error_clear(&one);
            st = STATUS_OK;
        }
    }
    if (st) {
        if (err)
            *err = one;
        calls_left_free(l);
        return st;
    }
    *out = l;
    return STATUS_OK;
}

void calls_left_free(struct calls_left *l)
{
    if (!l)
        return;
    for (int i = 0; i < l->n; i++)
        spool_image_deinit(&l->image[i]);
    free(l->image);
    free(l->store);
    free(l);
}

enum status calls_copy(const struct calls_left *l, struct store_db *to, struct error *err)
{
    enum status st = STATUS_OK;

    for (int i = 0; i < l->n && !st; i++) {
        char *path = spool_path(l->store, i);

        if (l->image[i].n > 0)
            st = db_run_id(to, STMT_BEGIN, err);
        if (l->image[i].n > 0 && !st)
            st = end_transaction(to, put_left(to, i, &l->image[i], path, err), err);
        free(path);
    }
    return st;
}

enum status calls_check(const struct calls_left *l, struct store_db *db, struct error *err)
{
    enum status st = STATUS_OK;

    for (int i = 0; i < l->n && !st; i++) {
        char *path = spool_path(l->store, i);
        struct spool_rows rows = {0};
        uint64_t after = 0;

        if (l->image[i].n > 0)
            st = get_mark(db, i, &l->image[i].id, &after, err);
        if (st == STATUS_OK && l->image[i].n > 0)
            st = spool_find_rows(&l->image[i], after, path, &rows, err);
        spool_rows_deinit(&rows);
        free(path);
    }
    return st;
}
