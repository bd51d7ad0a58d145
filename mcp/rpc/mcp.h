/* mcp.h - the names of MCP: revisions, methods, log levels, the metadata of a request.
 *
 * "Modern" is revision 2026-07-28 or later: each request carries its revision and the client's
 * capabilities. "Legacy" is 2025-11-25 or earlier: a session begins with `initialize`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_RPC_MCP_H
#define TROUPE_MCP_RPC_MCP_H

#include "runtime/base/json_view.h"

enum mcp_revision {
#define R(id, name, era) MCP_##id,
#include "mcp/rpc/mcp_revision.def"
#undef R
    MCP_REVISION_N
};
#define MCP_NEWEST_LEGACY MCP_2025_11_25
#define MCP_NEWEST        (MCP_REVISION_N - 1)

const char *mcp_revision_name(enum mcp_revision r);
bool mcp_is_modern(enum mcp_revision r);
/* MCP_REVISION_N: not known. */
enum mcp_revision mcp_revision_find(struct json_view name);
enum mcp_revision mcp_revision_named(const char *name);

enum mcp_method {
#define M(id, name, kind, eras, name_member) MCP_##id,
#include "mcp/rpc/mcp_method.def"
#undef M
    MCP_METHOD_N
};
enum mcp_method_kind { MCP_OF_CLIENT, MCP_OF_SERVER, MCP_NOTE };
enum mcp_era { MCP_ERA_LEGACY = 1, MCP_ERA_MODERN = 2, MCP_ERA_BOTH = 3 };

struct mcp_method_facts {
    const char *name;
    enum mcp_method_kind kind;
    enum mcp_era eras;
    const char *name_member; /* of params, repeated by the header Mcp-Name; NULL: none */
};
const struct mcp_method_facts *mcp_method_facts(enum mcp_method m);
/* MCP_METHOD_N: not known. */
enum mcp_method mcp_method_find(struct json_view name);

/* What a client can do for a server that asks in the course of a request. */
enum mcp_ability {
    MCP_CAN_ELICIT_FORM = 1,
    MCP_CAN_ELICIT_URL = 2,
    MCP_CAN_SAMPLE = 4,
    MCP_CAN_SAMPLE_TOOLS = 8,
    MCP_CAN_LIST_ROOTS = 16,
    MCP_CAN_TASKS = 32, /* the tasks extension */
};
/* Of a capabilities object; "elicitation": {} alone means forms. */
unsigned mcp_abilities(struct json_view capabilities);
/* The ability that an input request needs; 0: the method is not one. */
unsigned mcp_ability_for(enum mcp_method m, struct json_view params);

/* Syslog's levels, as MCP names them; a higher number is more important. */
enum mcp_log_level {
    MCP_LOG_NONE, /* not asked for */
    MCP_LOG_DEBUG,
    MCP_LOG_INFO,
    MCP_LOG_NOTICE,
    MCP_LOG_WARNING,
    MCP_LOG_ERROR,
    MCP_LOG_CRITICAL,
    MCP_LOG_ALERT,
    MCP_LOG_EMERGENCY,
};
enum mcp_log_level mcp_log_level_find(struct json_view name); /* MCP_LOG_NONE: not known */
const char *mcp_log_level_name(enum mcp_log_level level);

#define MCP_META_PREFIX       "io.modelcontextprotocol/"
#define MCP_META_VERSION      MCP_META_PREFIX "protocolVersion"
#define MCP_META_CLIENT       MCP_META_PREFIX "clientInfo"
#define MCP_META_CAPABILITIES MCP_META_PREFIX "clientCapabilities"
#define MCP_META_LOG_LEVEL    MCP_META_PREFIX "logLevel"
#define MCP_META_SERVER       MCP_META_PREFIX "serverInfo"
#define MCP_META_SUBSCRIPTION MCP_META_PREFIX "subscriptionId"
#define MCP_META_TASKS        MCP_META_PREFIX "tasks" /* name of the extension */

#endif
