/* store_internal.h - struct store, for the files of runtime/store.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_STORE_INTERNAL_H
#define TROUPE_RUNTIME_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "runtime/store/call_spool.h"
#include "runtime/store/store.h"
#include "runtime/store/store_db.h"
#include "runtime/store/store_vfs.h"
#include "runtime/store/txn.h"

/* How long a command waits for another process that writes; then it fails and names the process. A
 * running run waits longer, because gc or a backup of a large store takes a while. */
#define STORE_WAIT_MS     2000
#define STORE_RUN_WAIT_MS 30000

struct file_id {
    dev_t dev;
    ino_t ino;
};

struct store {
    /* set at open, read by any thread */
    char *path;
    char *lock_path, *owners_path, *wal_path;
    struct file_id file;     /* the file at `path` when it was opened for writing */
    _Atomic ino_t log_inode; /* the same for its WAL; 0: SQLite has not created it yet */
    char *migrated_from;     /* the copy made by a migration, or NULL */
    struct store_options options;
    enum db_mode look_mode; /* DB_READ; DB_FROZEN in a folder that cannot be written */
    const struct seams *seams;
    struct store_vfs *vfs;
    int lock_fd;                       /* STORE.lock; -1 when read only */
    struct mailbox *box;               /* transactions for the store thread */
    struct mailbox *reply, *own_reply; /* completions for the loop; the loop's thread */
    pthread_t thread;
    bool has_thread;

    _Atomic(struct call_spool *) spool; /* NULL: no call was recorded yet */

    /* the store thread's */
    struct store_db db;
    int64_t fold_at_ms;      /* when rows of calls are to be moved, of real time; 0: none wait */
    struct mail *queue;      /* taken from the box, not yet begun */
    enum status stopped;     /* an I/O error ended all writing, or a full disk for now */
    struct error stopped_by; /* read by any thread once has_failed is true: then it stays */
    int64_t full_until_us;
    int wal_pages;     /* in the log after the last commit */
    int checkpoint_at; /* pages in the log that trigger the next checkpoint */
    bool wal_dirty;    /* the log should be truncated when the store is idle */

    atomic_bool has_failed; /* stopped for good */
    atomic_int_fast64_t commits, transactions;
};

/* Milliseconds since the epoch. */
int64_t store_now_ms(const struct store *s);

/* store_thread.c */
MUST_CHECK enum status store_thread_start(struct store *s, struct error *err);
void store_thread_stop(struct store *s); /* after all that is queued */
void store_thread_post(struct store *s, struct txn *t);

/* A reader is a connection and the store that it belongs to. */
struct store_reader {
    struct store *store;
    struct store_db db;
    struct str text;      /* the last blob that was read */
    int64_t seen_version; /* query_has_changed; 0: never asked */
};

/* store_files.c */
char *folder_of(const char *path); /* malloc'd */
/* STATUS_IO once a path no longer names the file that is written. */
MUST_CHECK enum status store_files_note(struct store *s, struct error *err);
MUST_CHECK enum status store_files_check(struct store *s, struct error *err);
/* For an error after which nothing is written. */
void store_hint_safe(struct error *err);
/* After a failed read: the same if the file was replaced; else st and err unchanged. Any thread. */
enum status store_file_explain(const struct store *s, enum status st, struct error *err);

/* migrate.c: s->db is of an older version, STORE.lock is held. */
MUST_CHECK enum status store_migrate(struct store *s, struct error *err);

/* store_schema.c: creates the schema in an empty file, rejects other files; stores the version in
 * db. */
MUST_CHECK enum status store_schema_check(struct store_db *db, const char *path, bool *is_empty,
                                          struct error *err);
MUST_CHECK enum status store_schema_create(struct store_db *db, struct error *err);
/* Adds the index of the steps by seq if it is not there. The version is the same with and
 * without it: programs that do not know it keep it right. */
MUST_CHECK enum status store_schema_index(struct store_db *db, struct error *err);
/* The same for the table call_audit, and the triggers that keep its rows. */
MUST_CHECK enum status store_schema_audit(struct store_db *db, struct error *err);

#endif
