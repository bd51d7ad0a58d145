/* troupe_mcp.h - the MCP servers of the configuration behind one hub, as part of a troupe.
 *
 * Opening it starts nothing: a server is started when its list or one of its tools is first needed.
 * Its tools are in every registry of troupe_tools from the time that their list is known
 * (troupe_mcp_warm), under SERVER__TOOL.
 *
 * On the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_MCP_H
#define TROUPE_RUNTIME_API_TROUPE_MCP_H

#include "mcp/config/mcp_config.h"
#include "mcp/hub/hub.h"
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
    /* May this server be started? Of servers that a file of the project names. NULL: all may. */
    bool (*may_start)(void *ctx, const struct mcp_server_spec *s);
    /* A person must open this URL to log in to the server. NULL: nobody is there. */
    bool (*open_url)(void *ctx, const char *server, const char *url);
    void *ctx;
};
/* Once. What is wrong in the files is in the notes of troupe_mcp_config, and in the log. */
MUST_CHECK enum status troupe_mcp_open(struct troupe *t, const struct troupe_mcp_options *o,
                                       struct error *err);
struct hub *troupe_hub(const struct troupe *t);                     /* NULL: not opened */
const struct mcp_config *troupe_mcp_config(const struct troupe *t); /* the same; until a reload */
const struct hub_views *troupe_mcp_views(const struct troupe *t);

/* Runs the loop until the tools of these servers (n; NULL: all) are known, at most ms. Not while
 * the loop runs. */
MUST_CHECK enum status troupe_mcp_warm(struct troupe *t, const char *const *server, size_t n,
                                       int64_t ms, struct error *err);
/* The same for the servers that the names of tools in a plan belong to. */
MUST_CHECK enum status troupe_mcp_warm_plan(struct troupe *t, const struct plan *p, int64_t ms,
                                            struct error *err);

/* ---- of troupe.c */
void troupe_mcp_free(struct troupe *t);

#endif
