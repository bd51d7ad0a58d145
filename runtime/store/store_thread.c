/* store_thread.c - the writer thread: batches, commits, checkpoints.
 *
 * Group commit without a timer: what is queued when the last commit returns is the next
 * batch, and what arrives while the batch is being applied joins it. A batch is one SQLite
 * transaction; every posted transaction in it but the first has a SAVEPOINT, so that a failed one
 * does not affect the others. STORE.lock is held around each batch and checkpoint, so that of all
 * processes one connection at a time writes or checkpoints: SQLite before 3.51.3 can corrupt a log
 * that is restarted while another connection writes (the "WAL-reset" race).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "runtime/store/call_fold.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

/* A PASSIVE checkpoint after so many pages: large enough that a lone run's two extra
 * fsyncs vanish among its commits, small enough that the log stays in the page cache. */
#define CHECKPOINT_PAGES 2000
/* So many transactions at most before their completions go out. */
#define BATCH_MAX 512
/* After a full disk writing is tried again: until then nothing waits for the disk. */
#define FULL_US 1000000
/* Idle for so long: the log is folded into the file and cut. */
#define IDLE_MS 1000

static struct txn *txn_of(struct mail *m)
{
    return CONTAINER_OF(m, struct txn, mail);
}

/* The next transaction that is there already, or NULL; it stays at the head of the queue. */
static struct txn *peek(struct store *s)
{
    if (!s->queue)
        s->queue = mailbox_take(s->box);
    return s->queue ? txn_of(s->queue) : NULL;
}

static void drop_head(struct store *s)
{
    s->queue = s->queue->next;
}

/* The transactions of one batch in order, linked by their mail. */
struct batch {
    struct mail *first, **end;
    int32_t n;
};

static void batch_add(struct batch *b, struct txn *t)
{
    t->mail.next = NULL;
    *b->end = &t->mail;
    b->end = &t->mail.next;
    b->n++;
}

/* After an I/O error nothing may be written any more: what SQLite holds in memory and what is on
 * the disk may differ (fsync). After a full disk they agree: what did not fit was rolled back. But
 * the next write would fail the same way, so that one waits a little. */
static bool stops_writing(enum status st)
{
    return st == STATUS_IO || st == STATUS_DISK_FULL;
}

static void stop_writing(struct store *s, enum status st, const struct error *err)
{
    if (s->stopped || !stops_writing(st))
        return;
    s->stopped = st;
    s->stopped_by = *err;
    s->full_until_us = seams_mono_us(s->seams) + FULL_US;
    store_hint_safe(&s->stopped_by);
    if (st == STATUS_IO)
        atomic_store_explicit(&s->has_failed, true, memory_order_release);
}

static enum status stopped(struct store *s)
{
    if (s->stopped == STATUS_DISK_FULL && seams_mono_us(s->seams) >= s->full_until_us)
        s->stopped = STATUS_OK;
    return s->stopped;
}

static void fail(struct txn *t, enum status st, const struct error *err)
{
    if (t->status == STATUS_OK)
        txn_fail(t, st, err);
    if (t->run && t->run->failed == STATUS_OK) {
        t->run->failed = t->status;
        t->run->failed_by = *t->error;
    }
}

/* Only waits for what was posted before it. */
static bool is_pause(const struct txn *t)
{
    return txn_is_empty(t) && t->status == STATUS_OK;
}

/* The run must still be ours (another process that took it over raised its epoch), and must not
 * have ended. */
static enum status check_epoch(struct store *s, struct run_writer *w, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&s->db, STMT_RUN_EPOCH, err);
    char ended[24] = "";
    int64_t epoch = -1;
    bool row;
    enum status status;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, w->id);
    status = db_step(&s->db, st, &row, err);
    if (status)
        return status;
    if (row)
        epoch = sqlite3_column_int64(st, 0);
    if (row && cell_int(st, 2) != CELL_NULL)
        (void)snprintf(ended, sizeof(ended), "%s", cell_cstr(cell_text(st, 1)));
    sqlite3_reset(st);
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "run %s was removed", w->uuid);
    if (epoch != w->epoch)
        return error_set(err, STATUS_BUSY, "run %s was taken over by another process", w->uuid);
    if (ended[0] && !w->is_taking)
        return run_refuse_ended(w->uuid, ended, err);
    return STATUS_OK;
}

static enum status apply(struct store *s, struct txn *t, struct error *err)
{
    enum status st = STATUS_OK;

    if (t->status) { /* did not fit in memory while it was built */
        *err = *t->error;
        return t->status;
    }
    if (t->run && t->run->failed) {
        *err = t->run->failed_by;
        return t->run->failed;
    }
    if (t->run && t->run->id && !txn_is_empty(t))
        st = check_epoch(s, t->run, err);
    return st ? st : txn_apply_all(t, &s->db, err);
}

static void roll_back(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db.handle))
        (void)sqlite3_exec(s->db.handle, "ROLLBACK", NULL, NULL, NULL);
}

/* One transaction inside the batch. is_first: nothing before it in this batch, so that
 * undoing it is undoing all, and no savepoint is needed. */
static enum status apply_guarded(struct store *s, struct txn *t, bool is_first, struct error *err)
{
    enum status st = STATUS_OK, undone;
    struct error undo = ERROR_INIT;

    if (!is_first)
        st = db_run_id(&s->db, STMT_SAVEPOINT, err);
    if (st)
        return st;
    st = apply(s, t, err);
    if (st == STATUS_OK)
        return is_first ? STATUS_OK : db_run_id(&s->db, STMT_RELEASE, err);
    if (sqlite3_get_autocommit(s->db.handle))
        return st; /* SQLite itself rolled everything back */
    if (is_first) {
        roll_back(s);
        undone = db_run_id(&s->db, STMT_BEGIN, &undo);
    } else {
        undone = db_run_id(&s->db, STMT_ROLLBACK_TO, &undo);
        if (undone == STATUS_OK)
            undone = db_run_id(&s->db, STMT_RELEASE, &undo);
    }
    if (undone) /* the caller sees that no transaction is open */
        roll_back(s);
    return st;
}

static void fail_all(struct batch *b, enum status st, const struct error *err)
{
    for (struct mail *m = b->first; m; m = m->next)
        fail(txn_of(m), st, err);
}

/* Moves writes from the queue into the batch, applying each, until none is there.
 * *n_kept: how many left something to commit. */
static enum status apply_queued(struct store *s, struct batch *b, int32_t *n_kept,
                                struct error *err)
{
    struct txn *t;

    while (b->n < BATCH_MAX && (t = peek(s)) && t->kind == TXN_WRITE) {
        struct error one = ERROR_INIT;
        enum status st;

        drop_head(s);
        batch_add(b, t);
        st = apply_guarded(s, t, *n_kept == 0, &one);
        if (st)
            fail(t, st, &one);
        else if (!txn_is_empty(t))
            ++*n_kept;
        if (stops_writing(st) || sqlite3_get_autocommit(s->db.handle)) {
            *err = one;
            return st ? st : STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status write_batch(struct store *s, struct batch *b, struct error *err)
{
    int32_t n_kept = 0;
    enum status st = db_run_id(&s->db, STMT_BEGIN, err);

    if (st == STATUS_OK)
        st = apply_queued(s, b, &n_kept, err);
    if (st == STATUS_OK && n_kept > 0) {
        st = db_run_id(&s->db, STMT_COMMIT, err);
        if (st == STATUS_OK)
            st = store_files_check(s, err); /* a deleted file takes commits, too */
        if (st == STATUS_OK)
            atomic_fetch_add_explicit(&s->commits, 1, memory_order_relaxed);
    }
    roll_back(s);
    return st;
}

/* Gives every transaction of the batch its completion. */
static void complete(struct store *s, struct batch *b)
{
    struct mail *m = b->first;

    while (m) {
        struct txn *t = txn_of(m);

        m = m->next;
        if (t->status == STATUS_OK) {
            if (t->run)
                atomic_store_explicit(&t->run->durable, t->number, memory_order_release);
            if (!txn_is_empty(t))
                atomic_fetch_add_explicit(&s->transactions, 1, memory_order_relaxed);
        }
        txn_complete(t);
    }
}

/* A mere wait for what was before it, and everything once writing has stopped. */
static bool needs_no_disk(struct store *s, const struct txn *t)
{
    return t->kind == TXN_WRITE && (stopped(s) || is_pause(t));
}

static void answer_without_disk(struct store *s)
{
    struct batch b = {.first = NULL, .end = &b.first};
    struct txn *t;

    while ((t = peek(s)) && needs_no_disk(s, t)) {
        drop_head(s);
        batch_add(&b, t);
        if (t->run && t->run->failed)
            fail(t, t->run->failed, &t->run->failed_by);
        else if (s->stopped)
            fail(t, s->stopped, &s->stopped_by);
    }
    complete(s, &b);
}

static void run_batch(struct store *s)
{
    struct batch b = {.first = NULL, .end = &b.first};
    struct error err = ERROR_INIT;
    struct txn *t;
    enum status st;

    st = file_lock_take(s->lock_fd, store_now_ms(s),
                        peek(s)->run ? STORE_RUN_WAIT_MS : STORE_WAIT_MS, &err);
    if (st == STATUS_OK) {
        st = write_batch(s, &b, &err);
        file_lock_release(s->lock_fd);
    }
    /* Fails everything that is queued, so that not each transaction waits that long again. */
    while (st && (t = peek(s)) && t->kind == TXN_WRITE) {
        drop_head(s);
        batch_add(&b, t);
    }
    if (st) {
        stop_writing(s, st, &err);
        fail_all(&b, st, &err);
    }
    complete(s, &b);
}

/* Rows of calls that are to outlive a power failure: all that wait with one sync. */
static void sync_calls(struct store *s)
{
    struct call_spool *spool = atomic_load_explicit(&s->spool, memory_order_acquire);
    struct batch b = {.first = NULL, .end = &b.first};
    struct error err = ERROR_INIT;
    uint64_t number = 0;
    struct txn *t;
    enum status st = STATUS_OK;

    while ((t = peek(s)) && t->kind == TXN_SYNC) {
        drop_head(s);
        batch_add(&b, t);
        number = t->number > number ? t->number : number;
    }
    if (number > 0 && s->stopped == STATUS_IO) {
        st = s->stopped;
        err = s->stopped_by;
    } else if (number > 0) {
        st = spool_sync(spool, number, &err);
    }
    if (st) {
        stop_writing(s, st, &err);
        fail_all(&b, st, &err);
    }
    complete(s, &b);
}

/* Moves rows of calls into their table when it is time. */
static void fold_calls(struct store *s)
{
    struct error err = ERROR_INIT;
    enum status st;

    if (stopped(s)) {
        s->fold_at_ms += FULL_US / 1000;
        return;
    }
    st = file_lock_take(s->lock_fd, store_now_ms(s), STORE_WAIT_MS, &err);
    if (st == STATUS_OK) {
        st = calls_fold(s, &err);
        file_lock_release(s->lock_fd);
    }
    if (st) {
        if (st == STATUS_CORRUPT) /* what cannot be recorded must not go on */
            st = STATUS_IO;
        stop_writing(s, st, &err);
        s->fold_at_ms += FULL_US / 1000;
    }
}

/* gc and the like: manages its own transactions, STORE.lock held. */
static void run_alone(struct store *s, struct txn *t)
{
    struct error err = ERROR_INIT;
    enum status st = stopped(s);

    if (st)
        err = s->stopped_by;
    else
        st = file_lock_take(s->lock_fd, store_now_ms(s), STORE_WAIT_MS, &err);
    if (st == STATUS_OK) {
        st = apply(s, t, &err);
        roll_back(s);
        file_lock_release(s->lock_fd);
    }
    if (st) {
        stop_writing(s, st, &err);
        fail(t, st, &err);
    }
}

static int count_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct store *s = ctx;

    (void)db;
    (void)name;
    if (pages < s->wal_pages) /* the log was restarted */
        s->checkpoint_at = CHECKPOINT_PAGES;
    s->wal_pages = pages;
    s->wal_dirty = true;
    return SQLITE_OK;
}

/* TRUNCATE does not wait: with a reader on an old snapshot it does as much as possible. */
static void checkpoint(struct store *s, int mode)
{
    struct error err = ERROR_INIT;
    int in_log = 0, done = 0, rc;

    if (stopped(s))
        return;
    if (file_lock_take(s->lock_fd, store_now_ms(s), 0, &err)) { /* later is fine */
        s->checkpoint_at = s->wal_pages + CHECKPOINT_PAGES;
        s->wal_dirty = false;
        return;
    }
    sqlite3_busy_timeout(s->db.handle, 0);
    rc = sqlite3_wal_checkpoint_v2(s->db.handle, NULL, mode, &in_log, &done);
    sqlite3_busy_timeout(s->db.handle, 10000);
    if (rc != SQLITE_OK && db_status_of(rc) != STATUS_BUSY)
        stop_writing(s, db_error(&s->db, rc, "checkpoint", &err), &err);
    file_lock_release(s->lock_fd);
    /* When a reader keeps the log from being restarted, try again after as many more pages. */
    s->checkpoint_at = s->wal_pages + CHECKPOINT_PAGES;
    s->wal_dirty = mode == SQLITE_CHECKPOINT_PASSIVE;
}

/* Serves what is queued; false at the stop mark. */
static bool serve(struct store *s)
{
    struct txn *t;

    while ((t = peek(s)) != NULL) {
        if (t->kind == TXN_SYNC) {
            sync_calls(s);
        } else if (needs_no_disk(s, t)) {
            answer_without_disk(s);
        } else if (t->kind == TXN_WRITE) {
            run_batch(s);
        } else {
            struct batch one = {.first = NULL, .end = &one.first};
            bool stop = t->kind == TXN_STOP;

            drop_head(s);
            batch_add(&one, t);
            if (!stop)
                run_alone(s, t);
            complete(s, &one);
            if (stop)
                return false;
        }
        if (calls_due_ms(s) == 0)
            fold_calls(s);
        if (s->wal_pages >= s->checkpoint_at)
            checkpoint(s, SQLITE_CHECKPOINT_PASSIVE);
    }
    return true;
}

static void *store_thread(void *arg)
{
    struct store *s = arg;

    for (;;) {
        int64_t idle = s->wal_dirty ? IDLE_MS : -1, due = calls_due_ms(s);
        bool is_idle;

        s->queue = mailbox_wait(s->box, due >= 0 && (idle < 0 || due < idle) ? due : idle);
        is_idle = !s->queue;
        if (!is_idle && !serve(s))
            break;
        if (calls_due_ms(s) == 0)
            fold_calls(s);
        else if (is_idle && due < 0)
            checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
    }
    if (calls_due_ms(s) >= 0)
        fold_calls(s);
    if (s->wal_dirty)
        checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE);
    return NULL;
}

enum status store_thread_start(struct store *s, struct error *err)
{
    int e;

    s->checkpoint_at = CHECKPOINT_PAGES;
    s->wal_dirty = true; /* what another process may have left */
    sqlite3_wal_hook(s->db.handle, count_pages, s);
    e = thread_start(&s->thread, store_thread, s);
    if (e)
        return error_errno(err, e, "starting the store thread");
    s->has_thread = true;
    return STATUS_OK;
}

void store_thread_stop(struct store *s)
{
    struct txn *t;

    if (!s->has_thread)
        return;
    t = txn_new(s);
    t->kind = TXN_STOP;
    txn_post(t, NULL, NULL, NULL);
    pthread_join(s->thread, NULL);
    s->has_thread = false;
}

void store_thread_post(struct store *s, struct txn *t)
{
    struct error err;

    if (s->has_thread) {
        mailbox_post(s->box, &t->mail);
        return;
    }
    fail(t, error_set(&err, STATUS_CONFIG, "%s is open for reading only", s->path), &err);
    txn_complete(t);
}
