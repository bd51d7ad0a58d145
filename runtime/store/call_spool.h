/* call_spool.h - rows of calls that are written, and not yet in the table call_audit.
 *
 * A row is one record, written with one write(2) to a file beside the store, STORE.calls: that is
 * what a reply waits for, in place of a transaction of SQLite. The store's thread later moves many
 * rows at once into the table (call_fold.h).
 *
 * A process has a file of its own, STORE.calls, STORE.calls.1, ..., the first that is free, and a
 * kernel lock on it: with its owner's end the lock is gone, and the next that opens the store for
 * writing moves what is left. Files are emptied, never removed.
 *
 * The file is a head and a ring of records with numbers from 1 on. Space is used again once its
 * records are in the table, so that in the long run no write changes the file's size: then
 * fdatasync is one write of a page, without the file system's journal. Where the ring begins and
 * ends is not in the file: its records are those with numbers above the last one in the table.
 * Each has a CRC-32C that begins with the file's random id, so that neither remains of old records
 * nor texts of callers are taken for one.
 *
 * A number that is missing below a later one is damage, and an error by name: a killed process
 * leaves all that it wrote (a record torn at the end was not acknowledged). Only after a restart of
 * the machine pages may be missing that were never synced: then everything up to the last number
 * that a record knows to be synced must be there, and the rest is taken as far as it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_CALL_SPOOL_H
#define TROUPE_RUNTIME_STORE_CALL_SPOOL_H

#include "runtime/base/seams.h"
#include "runtime/store/call_audit.h"
#include "runtime/store/store_vfs.h"

#define SPOOL_BYTES ((size_t)4 << 20) /* of a file */
#define SPOOLS_MAX  256               /* processes that have one beside a store at a time */

struct spool_id {
    unsigned char byte[16];
};

/* Records of a file as it was at a moment. */
struct spool_image {
    unsigned char *bytes; /* owned */
    size_t n;
    bool is_live; /* a process has it */
    struct spool_id id;
    bool is_of_this_boot;
};
struct spool_rows {
    struct spool_row {
        uint64_t number;
        size_t at; /* in the image */
    } * row;
    size_t n;
};

/* The file's name, malloc'd. */
char *spool_path(const char *store, int slot);
/* STATUS_NOT_FOUND: there is no such file; there may be one with a greater slot. */
MUST_CHECK enum status spool_look(const char *store, int slot, struct spool_image *out,
                                  struct error *err);
void spool_image_deinit(struct spool_image *m);
/* The rows above `after`, in order. STATUS_CORRUPT: one is missing. A live one changes while it is
 * read, and is not checked for that. */
MUST_CHECK enum status spool_find_rows(const struct spool_image *m, uint64_t after,
                                       const char *path, struct spool_rows *out, struct error *err);
void spool_rows_deinit(struct spool_rows *r);
/* Texts are lent by the image; the id is not set. */
struct call_audit_row spool_row_at(const struct spool_image *m, const struct spool_row *r);

/* Takes the lock of a file that a process has left, and empties it. STATUS_BUSY: it is in use. */
MUST_CHECK enum status spool_claim(const char *path, int *fd, struct error *err);
MUST_CHECK enum status spool_empty(int fd, const char *path, struct error *err);

/* ---- the file of this process: one thread appends, the store's thread does the rest */
struct call_spool;
MUST_CHECK enum status spool_open(const char *store, const struct seams *seams,
                                  struct store_vfs *vfs, struct call_spool **out,
                                  struct error *err);
void spool_close(struct call_spool *s);
int spool_slot(const struct call_spool *s);
const char *spool_name(const struct call_spool *s); /* the path */
/* When it returns, the row outlives this process. *is_first: no other waited to be moved.
 * STATUS_LIMIT: there is no room. STATUS_DISK_FULL passes; after STATUS_IO nothing is written. */
MUST_CHECK enum status spool_append(struct call_spool *s, const struct call_audit_row *row,
                                    uint64_t *number, bool *is_first, struct error *err);
/* Everything appended so far outlives a power failure; nothing is done if that is so up to
 * `number` already. */
MUST_CHECK enum status spool_sync(struct call_spool *s, uint64_t number, struct error *err);
size_t spool_waiting_bytes(struct call_spool *s);
/* Is the file still at its path? If not, nothing more is appended, and what waits can be taken. */
MUST_CHECK enum status spool_check(struct call_spool *s, struct error *err);
/* What waits, up to the number *last. */
MUST_CHECK enum status spool_take_image(struct call_spool *s, struct spool_image *out,
                                        uint64_t *after, uint64_t *last, struct error *err);
/* Rows up to `last` are in the table: their space is free. */
void spool_moved(struct call_spool *s, uint64_t last);

#endif
