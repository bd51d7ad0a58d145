/* audit_rows.h - rows of call_audit: their columns, the chain, and putting them.
 *
 * Inside runtime/store only; rows are put inside a transaction that may write.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_AUDIT_ROWS_H
#define TROUPE_RUNTIME_STORE_AUDIT_ROWS_H

#include "runtime/store/call_audit.h"
#include "runtime/store/store_db.h"

/* The columns in the order of the statements; the chain is the last one. */
enum { N_AUDIT_TEXTS = 8 };
struct audit_cells {
    int64_t id, at, took, effect;
    struct cell
        text[N_AUDIT_TEXTS]; /* who, view, server, method, target, decision, rule, outcome */
    struct cell arguments;
};
/* Numbers, and texts with their length, so that no two rows give the same bytes. */
struct sha256 audit_chain_of(struct hasher *h, struct cell before, const struct audit_cells *c);

/* The end of the chain, good until the transaction ends. Freed with audit_chain_end, also after
 * audit_chain_begin failed. */
struct audit_chain {
    struct hasher *hasher;
    int64_t id;
    struct sha256 last;
    size_t n; /* bytes of `last`: none for the first row */
};
MUST_CHECK enum status audit_chain_begin(struct store_db *db, struct audit_chain *c,
                                         struct error *err);
void audit_chain_end(struct audit_chain *c);
MUST_CHECK enum status audit_chain_put(struct store_db *db, struct audit_chain *c,
                                       const struct call_audit_row *row, struct error *err);

#endif
