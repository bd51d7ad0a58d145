/* store_stats.c - the size of the store and its tables.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>

#include "runtime/store/store_internal.h"

static int64_t bytes_of(const char *path, const char *tail)
{
    struct str name = STR_INIT;
    struct stat info;
    int64_t n = 0;

    str_puts(&name, path);
    str_puts(&name, tail);
    if (stat(str_cstr(&name), &info) == 0)
        n = (int64_t)info.st_size;
    str_deinit(&name);
    return n;
}

static enum status count_free(struct store_db *db, int64_t *bytes, struct error *err)
{
    int64_t pages = 0, size = 0;
    enum status st = db_query_int(db, "PRAGMA freelist_count", &pages, err);

    if (!st)
        st = db_query_int(db, "PRAGMA page_size", &size, err);
    *bytes = pages * size;
    return st;
}

void store_pulse(const struct store *s, struct store_stats *out)
{
    *out = (struct store_stats){
        .file_bytes = bytes_of(s->path, ""),
        .wal_bytes = bytes_of(s->path, "-wal"),
        .commits = atomic_load_explicit(&s->commits, memory_order_relaxed),
        .transactions = atomic_load_explicit(&s->transactions, memory_order_relaxed),
        .fsyncs = store_vfs_fsyncs(s->vfs),
    };
}

enum status store_stats(struct store *s, struct store_stats *out, struct error *err)
{
    struct store_reader *q = NULL;
    sqlite3_stmt *st;
    bool row = false;
    enum status status = store_reader_open(s, &q, err);

    if (status)
        return status;
    st = db_stmt(&q->db, STMT_COUNTS, err);
    status = st ? db_step(&q->db, st, &row, err) : STATUS_FAILED;
    if (status == STATUS_OK) {
        store_pulse(s, out);
        out->n_runs = cell_int(st, 0);
        out->n_steps = cell_int(st, 1);
        out->n_blobs = cell_int(st, 2);
        out->blob_plain_bytes = cell_int(st, 3);
        out->blob_stored_bytes = cell_int(st, 4);
        out->n_token_records = cell_int(st, 5);
        out->n_episodes = cell_int(st, 6);
        sqlite3_reset(st);
        status = count_free(&q->db, &out->free_bytes, err);
    }
    store_reader_close(q);
    return status;
}
