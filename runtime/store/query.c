/* query.c - finding a run by a prefix of its id.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/query.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/query_internal.h"

#define SHORTEST_ID 6

/* The first text of a one-column query with one text parameter, or "". */
static enum status first_text(struct store_reader *q, enum stmt_id id, const char *arg,
                              char out[37], bool *second, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, id, err);
    enum status status;
    bool row;

    out[0] = '\0';
    *second = false;
    if (!st)
        return STATUS_FAILED;
    if (arg)
        bind_words(st, 1, arg);
    status = db_step(&q->db, st, &row, err);
    if (status)
        return status;
    if (row) {
        (void)snprintf(out, 37, "%.36s", cell_cstr(cell_text(st, 0)));
        status = db_step(&q->db, st, second, err);
    }
    sqlite3_reset(st);
    return status;
}

enum status query_resolve_run(struct store_reader *q, const char *prefix, char uuid[37],
                              struct error *err)
{
    char one[37];
    bool more;
    bool last = strcmp(prefix, "last") == 0;
    enum status st = last ? first_text(q, STMT_RUN_LAST, NULL, one, &more, err)
                          : first_text(q, STMT_RUN_PREFIX, prefix, one, &more, err);

    if (st)
        return st;
    if (!one[0] || !prefix[0]) {
        if (last)
            return error_set(err, STATUS_NOT_FOUND, "the store has no runs yet");
        (void)error_set(err, STATUS_NOT_FOUND, "run %s not found", prefix);
        error_hint(err, "`troupe runs` lists the runs of this store");
        return STATUS_NOT_FOUND;
    }
    if (more && strcmp(one, prefix) != 0) {
        (void)error_set(err, STATUS_INVALID, "%s is ambiguous: more than one run id begins with it",
                        prefix);
        error_hint(err, "give more characters of the id");
        return STATUS_INVALID;
    }
    memcpy(uuid, one, sizeof(one));
    return STATUS_OK;
}

enum status query_each(struct store_reader *q, sqlite3_stmt *st, query_row row, void *ctx,
                       struct error *err)
{
    bool there, go = true;
    enum status status = STATUS_OK;

    while (go && !status) {
        status = db_step(&q->db, st, &there, err);
        if (status || !there)
            break;
        status = row(ctx, st, &go, err);
    }
    sqlite3_reset(st);
    return status;
}

static size_t common(const char *a, const char *b)
{
    size_t n = 0;

    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* Only the neighbours in the order of ids can share a longer beginning. */
enum status query_short_id(struct store_reader *q, const char *uuid, char out[37],
                           struct error *err)
{
    char before[37], after[37];
    size_t n = SHORTEST_ID;
    bool more;
    enum status st = first_text(q, STMT_RUN_BEFORE, uuid, before, &more, err);

    if (st == STATUS_OK)
        st = first_text(q, STMT_RUN_AFTER, uuid, after, &more, err);
    if (st)
        return st;
    if (common(uuid, before) + 1 > n)
        n = common(uuid, before) + 1;
    if (common(uuid, after) + 1 > n)
        n = common(uuid, after) + 1;
    (void)snprintf(out, 37, "%.*s", (int)(n > 36 ? 36 : n), uuid);
    return STATUS_OK;
}

enum status query_run_id(struct store_reader *q, const char *uuid, int64_t *id, struct error *err)
{
    sqlite3_stmt *st = db_stmt(&q->db, STMT_RUN_GET, err);
    enum status status;
    bool row;

    if (!st)
        return STATUS_FAILED;
    bind_words(st, 1, uuid);
    status = db_step(&q->db, st, &row, err);
    if (status)
        return status;
    if (row)
        *id = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return row ? STATUS_OK : error_set(err, STATUS_NOT_FOUND, "run %s not found", uuid);
}

int64_t cell_or_zero(int64_t v)
{
    return v == CELL_NULL ? 0 : v;
}
