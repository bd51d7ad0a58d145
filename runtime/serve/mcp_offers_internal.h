/* mcp_offers_internal.h - for the files mcp_offers*.c.
 *
 *   mcp_offers.c       the sources of the hub, their lists, which request goes where
 *   mcp_offers_run.c   a call of a blueprint or an agent: a run
 *   mcp_offers_task.c  runs as tasks
 *   mcp_offers_tool.c  a call of a built-in tool
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_MCP_OFFERS_INTERNAL_H
#define TROUPE_RUNTIME_SERVE_MCP_OFFERS_INTERNAL_H

#include "mcp/hub/hub_source.h"
#include "runtime/serve/mcp_offers.h"

enum offers_kind { OFFERS_BLUEPRINT, OFFERS_AGENT, OFFERS_TOOL, N_OFFERS };

struct mcp_offers {
    struct mcp_offers_options o;
    int32_t refs; /* of its sources */
    struct tool_registry *tools;
    char **pattern[N_OFFERS]; /* of what is exposed; each ends with NULL */
};

struct offers_call;

/* One kind of offers: a source of the hub. */
struct offers_source {
    struct mcp_offers *offers;
    enum offers_kind kind;
    struct offers_call *calls;
};

/* An exchange under way. */
struct offers_call {
    struct offers_source *source;
    struct offers_call *next;
    struct mcp_exchange *x; /* a reference; NULL: it was answered, and its run or tool still ends */
    struct json *arguments;
    struct troupe_run_options options; /* lent to the run */
    struct troupe_run *run;            /* a run of this call, or NULL */
    bool is_task;                      /* the watch has the run */
    int32_t n_notes;
    struct tool_step *step; /* a built-in tool, or NULL */
    struct loop_timer *timer;
    char *change; /* mcp_offers_task.c: the run that is changed */
    struct json *left;
};
/* Takes a reference of the exchange, and is its work. */
struct offers_call *offers_call_new(struct offers_source *s, struct mcp_exchange *x);
/* Its exchange was answered. */
void offers_call_free(struct offers_call *c);
/* Drops the exchange after its answer. */
void offers_call_answered(struct offers_call *c);

/* mcp_offers_run.c */
void offers_run_start(struct offers_call *c, const struct serve_offer *offer);
void offers_run_cancel(struct offers_call *c);
/* The result of tools/call for a run that has ended, or waits. */
void offers_put_result(struct str *out, enum run_status status, const char *uuid,
                       const struct json *output, const char *error);

/* mcp_offers_task.c: tasks/get, tasks/update, tasks/cancel. */
void offers_task_start(struct offers_source *s, struct mcp_exchange *x);
void offers_put_task(struct str *out, const struct seams *seams, const char *uuid,
                     const char *status);

/* mcp_offers_tool.c */
void offers_tool_start(struct offers_call *c, struct tool *t);
void offers_tool_cancel(struct offers_call *c);

#endif
