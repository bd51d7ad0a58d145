/* blob.c - content-addressed blobs: stored once, compressed if that saves space.
 *
 * No dictionary: for 1 KB of English, zstd alone keeps the store under 1.5 times the text
 * (tests/bench/bench_store), and a damaged dictionary would make many blobs unreadable.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/blob.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/store/store.h"

#define ZSTD_LEVEL     3
#define BLOB_MAX_BYTES ((size_t)1 << 30) /* SQLite's own limit on a value */

/* Room for n bytes in s, which is emptied. */
static bool reserve(struct str *s, size_t n)
{
    void *p = s->data;

    str_clear(s);
    if (n + 1 <= s->cap)
        return true;
    if (n >= s->max || !mem_grow(&p, n + 1, 1))
        return false;
    s->data = p;
    s->cap = n + 1;
    return true;
}

static void set_len(struct str *s, size_t n)
{
    s->len = n;
    s->data[n] = '\0';
}

enum status blob_compress(struct store_db *db, struct cell content, struct cell *out,
                          struct error *err)
{
    size_t bound = ZSTD_compressBound(content.n);
    size_t n;

    if (!db->pack)
        db->pack = ZSTD_createCCtx();
    if (!db->pack || !reserve(&db->scratch, bound))
        return error_set(err, STATUS_NO_MEMORY, "no memory to compress %zu bytes", content.n);
    n = ZSTD_compressCCtx(db->pack, db->scratch.data, bound, content.data, content.n, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return error_set(err, STATUS_FAILED, "compressing %zu bytes: %s", content.n,
                         ZSTD_getErrorName(n));
    set_len(&db->scratch, n);
    *out = (struct cell){.data = db->scratch.data, .n = n};
    return STATUS_OK;
}

enum status blob_decompress(struct store_db *db, struct cell packed, size_t max_bytes,
                            struct str *out, struct error *err)
{
    unsigned long long size = ZSTD_getFrameContentSize(packed.data, packed.n);
    size_t n;

    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > max_bytes)
        return error_set(err, STATUS_CORRUPT, "compressed content has no valid header");
    if (!db->unpack)
        db->unpack = ZSTD_createDCtx();
    if (!db->unpack || !reserve(out, (size_t)size))
        return error_set(err, STATUS_NO_MEMORY, "no memory to unpack %llu bytes", size);
    n = ZSTD_decompressDCtx(db->unpack, out->data, (size_t)size, packed.data, packed.n);
    if (ZSTD_isError(n) || n != size)
        return error_set(err, STATUS_CORRUPT, "compressed content is damaged");
    set_len(out, n);
    return STATUS_OK;
}

static enum status insert(struct store_db *db, const struct sha256 *hash, struct cell content,
                          int64_t *id, struct error *err)
{
    struct cell stored = content;
    enum blob_encoding enc = BLOB_PLAIN;
    sqlite3_stmt *st;
    enum status status;

    if (db->zstd_above_bytes >= 0 && content.n > (size_t)db->zstd_above_bytes) {
        status = blob_compress(db, content, &stored, err);
        if (status)
            return status;
        enc = BLOB_ZSTD;
        if (stored.n >= content.n) {
            stored = content;
            enc = BLOB_PLAIN;
        }
    }
    st = db_stmt(db, STMT_BLOB_PUT, err);
    if (!st)
        return STATUS_FAILED;
    bind_bytes(st, 1, (struct cell){hash->byte, sizeof(hash->byte)});
    bind_int(st, 2, enc);
    bind_int(st, 3, (int64_t)content.n);
    bind_bytes(st, 4, stored);
    status = db_run(db, st, err);
    if (status == STATUS_OK)
        *id = sqlite3_last_insert_rowid(db->handle);
    return status;
}

enum status blob_put(struct store_db *db, struct cell content, int64_t *id, struct error *err)
{
    struct sha256 hash = sha256_of(content.data, content.n);
    sqlite3_stmt *st = db_stmt(db, STMT_BLOB_FIND, err);
    enum status status;
    bool row;

    if (!st)
        return STATUS_FAILED;
    bind_bytes(st, 1, (struct cell){hash.byte, sizeof(hash.byte)});
    status = db_step(db, st, &row, err);
    if (status)
        return status;
    if (row)
        *id = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return row ? STATUS_OK : insert(db, &hash, content, id, err);
}

enum status blob_put_text(struct store_db *db, struct cell text, struct cell *small, int64_t *id,
                          struct error *err)
{
    *small = (struct cell){.data = NULL};
    *id = CELL_NULL;
    if (!text.data)
        return STATUS_OK;
    if (text.n <= STORE_INLINE_BYTES) {
        *small = text;
        return STATUS_OK;
    }
    return blob_put(db, text, id, err);
}

/* Columns from `first`: hash, enc, size, data. */
static enum status decode(struct store_db *db, sqlite3_stmt *st, int first, struct str *out,
                          struct error *err)
{
    struct cell hash = cell_bytes(st, first);
    int64_t enc = cell_int(st, first + 1);
    int64_t size = cell_int(st, first + 2);
    struct cell data = cell_bytes(st, first + 3);
    struct sha256 now;
    enum status status = STATUS_OK;

    if (!data.data || hash.n != sizeof(now.byte))
        return error_set(err, STATUS_CORRUPT, "its hash or content is missing");
    if (enc == BLOB_ZSTD) {
        status = blob_decompress(db, data, BLOB_MAX_BYTES, out, err);
    } else if (enc == BLOB_PLAIN) {
        if (!reserve(out, data.n))
            return error_set(err, STATUS_NO_MEMORY, "no memory for %zu bytes", data.n);
        str_append(out, data.data, data.n);
    } else {
        status = error_set(err, STATUS_CORRUPT, "unknown encoding %lld", (long long)enc);
    }
    if (status)
        return status;
    now = sha256_of(str_cstr(out), out->len);
    if ((int64_t)out->len != size || memcmp(now.byte, hash.data, sizeof(now.byte)) != 0)
        return error_set(err, STATUS_CORRUPT, "its content does not match its hash");
    return STATUS_OK;
}

static void place(struct error *err, int64_t id)
{
    if (err)
        (void)snprintf(err->where, sizeof(err->where), "blob id=%lld", (long long)id);
}

enum status blob_get(struct store_db *db, int64_t id, struct str *out, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_BLOB_GET, err);
    enum status status;
    bool row;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, id);
    status = db_step(db, st, &row, err);
    if (status)
        return status;
    if (row)
        status = decode(db, st, 0, out, err);
    else
        status = error_set(err, STATUS_CORRUPT, "a row refers to it, but it is missing");
    sqlite3_reset(st);
    if (status)
        place(err, id);
    return status;
}

enum status blob_check_row(struct store_db *db, sqlite3_stmt *st, struct str *scratch,
                           struct error *err)
{
    enum status status = decode(db, st, 1, scratch, err);

    if (status)
        place(err, cell_int(st, 0));
    return status;
}
