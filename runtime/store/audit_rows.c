/* audit_rows.c - see audit_rows.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/audit_rows.h"

#include <string.h>

struct sha256 audit_chain_of(struct hasher *h, struct cell before, const struct audit_cells *c)
{
    const int64_t numbers[] = {c->id, c->at, c->took, c->effect};

    hasher_add(h, before.data, before.n);
    hasher_add(h, numbers, sizeof(numbers));
    for (int i = 0; i <= N_AUDIT_TEXTS; i++) {
        const struct cell *t = i < N_AUDIT_TEXTS ? &c->text[i] : &c->arguments;
        uint64_t n = t->n;

        hasher_add(h, &n, sizeof(n));
        hasher_add(h, t->data, t->n);
    }
    return hasher_next(h);
}

enum status audit_chain_begin(struct store_db *db, struct audit_chain *c, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_AUDIT_LAST, err);
    struct cell chain;
    enum status status;
    bool row;

    *c = (struct audit_chain){.hasher = hasher_new()};
    if (!st)
        return STATUS_FAILED;
    status = db_step(db, st, &row, err);
    if (status || !row)
        return status;
    c->id = cell_int(st, 0);
    chain = cell_bytes(st, 1);
    c->n = chain.n < sizeof(c->last) ? chain.n : sizeof(c->last);
    memcpy(&c->last, chain.data, c->n);
    sqlite3_reset(st);
    return STATUS_OK;
}

enum status audit_chain_put(struct store_db *db, struct audit_chain *c,
                            const struct call_audit_row *from, struct error *err)
{
    const char *const texts[N_AUDIT_TEXTS] = {from->who,    from->view,   from->server,
                                              from->method, from->target, from->decision,
                                              from->rule,   from->outcome};
    struct audit_cells row = {.id = c->id + 1,
                              .at = from->at_ms,
                              .took = from->took_us,
                              .effect = (int64_t)from->effect,
                              .arguments = {&from->arguments, sizeof(from->arguments)}};
    sqlite3_stmt *st = db_stmt(db, STMT_AUDIT_PUT, err);

    if (!st)
        return STATUS_FAILED;
    for (int i = 0; i < N_AUDIT_TEXTS; i++)
        row.text[i] = cell_words(texts[i] ? texts[i] : "");
    c->last = audit_chain_of(c->hasher, (struct cell){&c->last, c->n}, &row);
    c->n = sizeof(c->last);
    c->id = row.id;
    bind_int(st, 1, row.id);
    bind_int(st, 2, row.at);
    bind_int(st, 3, row.took);
    bind_int(st, 4, row.effect);
    for (int i = 0; i < N_AUDIT_TEXTS; i++)
        bind_text(st, 5 + i, row.text[i]);
    bind_bytes(st, 5 + N_AUDIT_TEXTS, row.arguments);
    bind_bytes(st, 6 + N_AUDIT_TEXTS, (struct cell){&c->last, sizeof(c->last)});
    return db_run(db, st, err);
}

void audit_chain_end(struct audit_chain *c)
{
    hasher_free(c->hasher);
}
