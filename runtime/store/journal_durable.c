/* journal_durable.c - the run's open transaction, and waiting until it is on disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

struct txn *run_txn(struct run *r)
{
    if (!r->open)
        r->open = txn_new_for_run(r->store, r->writer);
    return r->open;
}

/* Gives the open transaction (made when there is none) away. */
static struct txn *detach(struct run *r)
{
    struct txn *t = run_txn(r);

    r->open = NULL;
    t->number = ++r->posted;
    return t;
}

static bool has_open(const struct run *r)
{
    /* A transaction that failed while it was built must be reported, even when it is empty. */
    return r->open && (!txn_is_empty(r->open) || r->open->status);
}

static bool is_durable(const struct run *r)
{
    return !has_open(r) &&
           atomic_load_explicit(&r->writer->durable, memory_order_acquire) == r->posted;
}

void journal_flush(struct run *r)
{
    if (has_open(r))
        txn_post(detach(r), NULL, NULL, NULL);
}

void journal_when_durable(struct run *r, txn_done then, void *ctx)
{
    if (is_durable(r))
        then(ctx, STATUS_OK, NULL);
    else
        txn_post(detach(r), store_reply_box(r->store), then, ctx);
}

enum status journal_sync(struct run *r, struct error *err)
{
    return is_durable(r) ? STATUS_OK : txn_post_wait(detach(r), err);
}

uint64_t run_thing_hash(enum run_thing kind, const char *path)
{
    return fnv1a64(path, strlen(path)) + (uint64_t)kind * 0x9E3779B97F4A7C15u;
}

enum status run_reader(struct run *r, struct store_reader **out, struct error *err)
{
    if (!r->reader) {
        enum status st = store_reader_open(r->store, &r->reader, err);

        if (st)
            return st;
    }
    *out = r->reader;
    return STATUS_OK;
}

enum status run_reader_for(struct run *r, enum run_thing kind, const char *path,
                           struct store_reader **out, struct error *err)
{
    uint64_t h = run_thing_hash(kind, path);

    *out = NULL;
    if (hash_set_has(&r->touched, h)) {
        enum status st = journal_sync(r, err);

        if (st)
            return st;
    } else if (!hash_set_has(&r->before, h)) {
        return STATUS_OK;
    }
    return run_reader(r, out, err);
}
