/* hub_audit.h - where the hub leaves a row for each call that may have changed something: an
 * interface, so that a hub without a store works.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_AUDIT_H
#define TROUPE_MCP_HUB_HUB_AUDIT_H

#include <stdbool.h>

#include "runtime/base/effect.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

/* Texts are lent during the call. */
struct hub_audit_row {
    int64_t at_ms, took_us; /* the end of the call, wall clock; its length */
    const char *who, *view;
    const char *server, *method, *target; /* the server's own name of it, or the URI */
    const char *decision, *rule;          /* "allow", "deny"; which rule, "" for none */
    const char *outcome;                  /* hub_outcome_name */
    enum effect effect;
    struct sha256 request; /* of the method and the params in canonical JSON */
};
struct hub_audit {
    void *ctx;
    /* true: the row is kept, and done is not called. false: done comes once, later, on the loop's
     * thread: err NULL: the row is kept. It may come after the hub's end. done NULL: nobody waits.
     */
    bool (*append)(void *ctx, const struct hub_audit_row *row,
                   void (*done)(void *arg, const struct error *err), void *arg);
};

#endif
