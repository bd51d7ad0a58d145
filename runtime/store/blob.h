/* blob.h - content-addressed blobs: stored once, compressed if that saves space.
 *
 * Inside runtime/store only. blob_put belongs to the store thread, inside a transaction.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_BLOB_H
#define TROUPE_RUNTIME_STORE_BLOB_H

#include "runtime/store/store_db.h"

enum blob_encoding { BLOB_PLAIN, BLOB_ZSTD };

/* The id of this content; inserts it when it is new. */
MUST_CHECK enum status blob_put(struct store_db *db, struct cell content, int64_t *id,
                                struct error *err);
/* Small text is stored in the row (*small), larger text as a blob (*id); the other of the two is
 * NULL. Both are NULL for NULL text. */
MUST_CHECK enum status blob_put_text(struct store_db *db, struct cell text, struct cell *small,
                                     int64_t *id, struct error *err);
/* Content checked against its hash and size: STATUS_CORRUPT names the blob. `out` is
 * replaced. */
MUST_CHECK enum status blob_get(struct store_db *db, int64_t id, struct str *out,
                                struct error *err);
/* Checks the current row of a BLOB_ALL statement. */
MUST_CHECK enum status blob_check_row(struct store_db *db, sqlite3_stmt *st, struct str *scratch,
                                      struct error *err);

/* Compresses with zstd level 3 into db->scratch; the frame contains the size. *out points into
 * db->scratch. */
MUST_CHECK enum status blob_compress(struct store_db *db, struct cell content, struct cell *out,
                                     struct error *err);
/* The result has at most max_bytes. */
MUST_CHECK enum status blob_decompress(struct store_db *db, struct cell packed, size_t max_bytes,
                                       struct str *out, struct error *err);

#endif
