/* troupe_mcp.h - the MCP servers of the configuration behind one hub, as part of a troupe.
 *
 * Opening it starts nothing: a server is started when its list or one of its tools is first needed.
 * Its tools are in every registry of troupe_tools from the time that their list is known
 * (troupe_mcp_plan, troupe_mcp_warm), under SERVER__TOOL.
 *
 * On the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_MCP_H
#define TROUPE_RUNTIME_API_TROUPE_MCP_H

#include "mcp/config/mcp_config.h"
#include "mcp/hub/hub_tool.h"
#include "runtime/api/troupe.h"

struct troupe_mcp_options {
    const char *project;       /* the folder of .mcp.json and troupe.yaml */
    const char *user_yaml;     /* the user's config.yaml, beside which is mcp.json; NULL: none */
    const char *version;       /* of this program */
    struct mcp_inputs *inputs; /* lent; NULL: questions of files are not answered */
    /* (HUB_KEY_BYTES) copied: with the same key, ids of tasks that clients hold are good after a
     * restart. NULL: a new one. */
    const unsigned char *key;
    bool follow; /* read the files again when they change, and start and stop what differs */
    /* May this server be started? Servers that a file of the project names may have come with it
     * from anywhere. is_needed: it is wanted now, by its name, so that a person can be asked. NULL:
     * all may. */
    bool (*may_start)(void *ctx, const struct mcp_server_spec *s, bool is_needed);
    /* With follow: may servers be started now that could not before? Those are started then. NULL:
     * never. */
    bool (*may_start_changed)(void *ctx);
    /* As in hub_upstream.h. */
    bool (*open_url)(void *ctx, const char *server, const char *url);
    void (*stderr_line)(void *ctx, const char *server, const char *text, size_t n);
    void *ctx;
};
/* Once. What is wrong in the files is in the notes of troupe_mcp_config, and in the log. */
MUST_CHECK enum status troupe_mcp_open(struct troupe *t, const struct troupe_mcp_options *o,
                                       struct error *err);
struct hub *troupe_hub(const struct troupe *t);                     /* NULL: not opened */
const struct mcp_config *troupe_mcp_config(const struct troupe *t); /* the same; until a reload */
const struct hub_views *troupe_mcp_views(const struct troupe *t);

/* How the servers are opened when a plan or a tool first names one of them (troupe_mcp_plan.c), so
 * that nothing is read before. */
void troupe_mcp_offer(struct troupe *t, enum status (*open)(void *ctx, struct error *err),
                      void *ctx);

/* The server may be started, and is in the hub from now on. STATUS_CONFIG: it is disabled, has a
 * mistake in its definition; STATUS_REJECTED: it is not approved; STATUS_NOT_FOUND: there is none
 * of this name. The error has its place. */
MUST_CHECK enum status troupe_mcp_admit(struct troupe *t, const char *name, struct error *err);
/* Runs the loop until the tools of these servers (n; NULL: all that are in the hub) are known, or
 * cannot be. Not while the loop runs. STATUS_CANCELLED: the process was asked to end. */
MUST_CHECK enum status troupe_mcp_warm(struct troupe *t, const char *const *server, size_t n,
                                       struct error *err);
/* The same on the loop that runs, for all that are in the hub; once. */
void troupe_mcp_warm_later(struct troupe *t);

/* As long as waiting for lists of tools makes sense: the servers' own time-outs end it before. */
int64_t troupe_mcp_warm_ms(const struct troupe *t);

/* ---- troupe_mcp_plan.c */

/* Before tools are looked up: the servers that the names of tools in a plan belong to are admitted,
 * and their tools are known. If the loop runs, it cannot wait: STATUS_BUSY while a server starts.
 * The error of a server that cannot be used says why, with its place. */
MUST_CHECK enum status troupe_mcp_plan(struct troupe *t, const struct plan *p, struct error *err);
/* The same for one name of a tool, or any name that begins with SERVER__; for the URI of a
 * resource, troupe://SERVER/URI; for a server. Names that are of no server are fine. */
MUST_CHECK enum status troupe_mcp_name(struct troupe *t, const char *name, struct error *err);
MUST_CHECK enum status troupe_mcp_uri(struct troupe *t, const char *uri, struct error *err);
MUST_CHECK enum status troupe_mcp_server(struct troupe *t, const char *server, struct error *err);
/* Calls `done` once, perhaps now, when troupe_mcp_plan does not answer STATUS_BUSY any more. The
 * plan is lent until then. NULL: it was called. */
struct hub_warm *troupe_mcp_plan_later(struct troupe *t, const struct plan *p,
                                       void (*done)(void *ctx), void *ctx);
/* The declarations of a plan's upstream tools, for the record: a list; NULL: none. The caller's. */
struct json *troupe_mcp_describe(const struct plan *p, const struct tool_registry *r);
/* Tools of this record, which cannot be called: for a replay, whose results are recorded. */
MUST_CHECK enum status troupe_mcp_recorded(const struct json *tools, struct tool_registry *r,
                                           struct error *err);

/* ---- of troupe.c */
void troupe_mcp_free(struct troupe *t);

#endif
