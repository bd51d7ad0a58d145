/* mcp_audit.c - see mcp_audit.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/mcp_audit.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/store/call_audit.h"

struct wait {
    void (*done)(void *arg, const struct error *err);
    void *arg;
};

static void written(void *ctx, enum status status, const struct error *err)
{
    struct wait *w = ctx;

    w->done(w->arg, status ? err : NULL);
    free(w);
}

static void append(void *ctx, const struct hub_audit_row *row,
                   void (*done)(void *arg, const struct error *err), void *arg)
{
    const struct call_audit_row own = {
        .at_ms = row->at_ms,
        .took_us = row->took_us,
        .who = row->who,
        .view = row->view,
        .server = row->server,
        .method = row->method,
        .target = row->target,
        .decision = row->decision,
        .rule = row->rule,
        .outcome = row->outcome,
        .effect = row->effect,
        .arguments = row->request,
    };
    struct wait *w = NULL;

    if (done) {
        w = xcalloc(1, sizeof(*w));
        *w = (struct wait){.done = done, .arg = arg};
    }
    call_audit_append(ctx, &own, w ? written : NULL, w);
}

struct hub_audit mcp_audit(struct store *s)
{
    return (struct hub_audit){.ctx = s, .append = s ? append : NULL};
}
