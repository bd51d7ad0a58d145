/* run_row.c - the run of the store thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/run_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

struct run_writer *run_writer_new(const char *uuid)
{
    struct run_writer *w = xcalloc(1, sizeof(*w));

    atomic_init(&w->refs, 1);
    atomic_init(&w->durable, 0);
    (void)snprintf(w->uuid, sizeof(w->uuid), "%s", uuid);
    w->lock_fd = -1;
    w->threads = map_new();
    w->epoch = 1;
    w->change.output = CELL_NULL;
    w->change.ended = CELL_NULL;
    return w;
}

struct run_writer *run_writer_ref(struct run_writer *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void run_writer_unref(struct run_writer *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    map_free(w->threads, NULL);
    free(w->change.budget);
    free(w->change.error);
    free(w);
}

int64_t run_writer_next_message(struct run_writer *w, const char *thread)
{
    int64_t next = (int64_t)(intptr_t)map_get(w->threads, thread);

    run_writer_set_next_message(w, thread, next + 1);
    return next;
}

void run_writer_set_next_message(struct run_writer *w, const char *thread, int64_t next)
{
    (void)map_put(w->threads, thread, (void *)(intptr_t)next);
}

static char *copy_cell(struct cell c)
{
    return c.data ? xstrndup(c.data, c.n) : NULL;
}

enum status run_writer_from_row(struct run_writer *w, const struct run_cells *row,
                                struct error *err)
{
    struct run_change *c = &w->change;

    if (!run_status_from_word(cell_cstr(row->status), row->status.n, &c->status))
        return error_set(err, STATUS_CONFIG, "run %s has an unknown status, `%.40s`", w->uuid,
                         cell_cstr(row->status));
    w->id = row->id;
    w->epoch = row->epoch;
    free(c->budget);
    free(c->error);
    c->budget = copy_cell(row->budget);
    c->error = copy_cell(row->error);
    c->output = row->output;
    c->ended = row->ended;
    return STATUS_OK;
}

struct run_cells run_change_cells(const struct run_writer *w)
{
    const struct run_change *c = &w->change;

    return (struct run_cells){
        .status = cell_words(run_status_word(c->status)),
        .epoch = w->epoch,
        .budget = cell_words(c->budget),
        .error = cell_words(c->error),
        .output = c->output,
        .ended = c->ended,
    };
}

enum status run_refuse_ended(const char *uuid, const char *status, struct error *err)
{
    (void)error_set(err, STATUS_INVALID, "run %s has ended (%s)", uuid, status);
    error_hint(err, "`troupe show %s` shows it; `troupe replay %s --live` forks a new run", uuid,
               uuid);
    return STATUS_INVALID;
}

enum status run_writer_store_change(struct run_writer *w, struct store_db *db, struct error *err)
{
    struct run_cells row = run_change_cells(w);
    sqlite3_stmt *st = db_stmt(db, STMT_RUN_CHANGE, err);
    enum status status;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, w->id);
    bind_text(st, 2, row.status);
    bind_text(st, 3, row.budget);
    bind_int(st, 4, row.output);
    bind_text(st, 5, row.error);
    bind_int(st, 6, row.ended);
    bind_int(st, 7, (int64_t)run_sum_change(&row));
    status = db_run(db, st, err);
    if (status == STATUS_OK && sqlite3_changes(db->handle) != 1)
        return error_set(err, STATUS_INVALID, "run %s has ended already", w->uuid);
    return status;
}

char *run_key_key(const char *key)
{
    struct str s = STR_INIT;

    str_printf(&s, "key/%s", key);
    return str_take(&s);
}

void run_cancel_key(const char *uuid, char out[48])
{
    (void)snprintf(out, 48, "cancel/%.36s", uuid);
}
