/* mcp_offers.h - what this Troupe itself offers over MCP: blueprints and agents of the section
 * `serve:`, and built-in tools, as tools in the hub.
 *
 *   mcp:
 *     expose:                       # the default: all of `serve:`, no built-in tool
 *       blueprints: [report]        # names or patterns
 *       agents: []
 *       tools: [calculator, read_*]
 *
 * They are blueprint__NAME, agent__NAME and troupe__TOOL. A call of a blueprint or an agent is a
 * run of the store. For a client with the tasks extension it is a task, whose id is that of the
 * run, and the run is durable before the client has the id; without it, the call waits for the end
 * of the run, with a note of progress a step. A call that is cancelled cancels its run.
 *
 * On the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_MCP_OFFERS_H
#define TROUPE_RUNTIME_SERVE_MCP_OFFERS_H

#include "runtime/api/troupe_mcp.h"
#include "runtime/serve/serve_config.h"

struct mcp_offers;
struct troupe_watch;

struct mcp_offers_options {
    struct troupe *troupe; /* its hub is open; its store for writing, before the first call */
    const struct seams *seams;
    struct log *log;
    const struct serve_config *config;    /* lent */
    const struct troupe_run_options *run; /* of new runs; lent */
    /* Drives runs that are tasks; NULL at a call: there are no tasks. */
    struct troupe_watch *const *watch;
};
/* Adds them to the hub, which frees them. STATUS_CONFIG: a mistake in `expose`. */
MUST_CHECK enum status mcp_offers_open(const struct mcp_offers_options *o, struct error *err);

#endif
