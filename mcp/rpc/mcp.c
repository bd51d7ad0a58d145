/* mcp.c - see mcp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/mcp.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"

static const struct {
    const char *name;
    bool modern;
} revisions[] = {
#define LEGACY           false
#define MODERN           true
#define R(id, name, era) {name, era},
#include "mcp/rpc/mcp_revision.def"
#undef R
#undef LEGACY
#undef MODERN
};

const char *mcp_revision_name(enum mcp_revision r)
{
    assert(r < MCP_REVISION_N);
    return revisions[r].name;
}

bool mcp_is_modern(enum mcp_revision r)
{
    return r < MCP_REVISION_N && revisions[r].modern;
}

enum mcp_revision mcp_revision_named(const char *name)
{
    size_t i = 0;

    while (i < MCP_REVISION_N && strcmp(revisions[i].name, name) != 0)
        i++;
    return (enum mcp_revision)i;
}

enum mcp_revision mcp_revision_find(struct json_view name)
{
    size_t i = 0;

    while (i < MCP_REVISION_N && !json_view_is(name, revisions[i].name))
        i++;
    return (enum mcp_revision)i;
}

/* ---- methods */

static const struct mcp_method_facts methods[] = {
#define CLIENT                               MCP_OF_CLIENT
#define SERVER                               MCP_OF_SERVER
#define NOTE                                 MCP_NOTE
#define LEGACY                               MCP_ERA_LEGACY
#define MODERN                               MCP_ERA_MODERN
#define BOTH                                 MCP_ERA_BOTH
#define M(id, name, kind, eras, name_member) {name, kind, eras, name_member},
#include "mcp/rpc/mcp_method.def"
#undef M
};

const struct mcp_method_facts *mcp_method_facts(enum mcp_method m)
{
    assert(m < MCP_METHOD_N);
    return &methods[m];
}

enum mcp_method mcp_method_find(struct json_view name)
{
    size_t i = 0;

    while (i < MCP_METHOD_N && !json_view_is(name, methods[i].name))
        i++;
    return (enum mcp_method)i;
}

/* ---- what a client can do */

unsigned mcp_abilities(struct json_view capabilities)
{
    struct json_view elicitation = json_view_get(capabilities, "elicitation"),
                     sampling = json_view_get(capabilities, "sampling"),
                     extensions = json_view_get(capabilities, "extensions");
    bool form = json_view_get(elicitation, "form").at, url = json_view_get(elicitation, "url").at;
    unsigned can = 0;

    if (json_view_kind(elicitation) == JV_OBJECT && (form || !url))
        can |= MCP_CAN_ELICIT_FORM;
    if (url)
        can |= MCP_CAN_ELICIT_URL;
    if (json_view_kind(sampling) == JV_OBJECT)
        can |= MCP_CAN_SAMPLE;
    if (json_view_get(sampling, "tools").at)
        can |= MCP_CAN_SAMPLE_TOOLS;
    if (json_view_kind(json_view_get(capabilities, "roots")) == JV_OBJECT)
        can |= MCP_CAN_LIST_ROOTS;
    if (json_view_get(extensions, MCP_META_TASKS).at)
        can |= MCP_CAN_TASKS;
    return can;
}

unsigned mcp_ability_for(enum mcp_method m, struct json_view params)
{
    switch (m) {
    case MCP_ELICIT:
        return json_view_is(json_view_get(params, "mode"), "url") ? MCP_CAN_ELICIT_URL
                                                                  : MCP_CAN_ELICIT_FORM;
    case MCP_SAMPLE:
        return json_view_get(params, "tools").at ? MCP_CAN_SAMPLE_TOOLS : MCP_CAN_SAMPLE;
    case MCP_ROOTS_LIST:
        return MCP_CAN_LIST_ROOTS;
    default:
        return 0;
    }
}

/* ---- log levels */

static const char *const levels[] = {"",      "debug",    "info",  "notice",   "warning",
                                     "error", "critical", "alert", "emergency"};

enum mcp_log_level mcp_log_level_find(struct json_view name)
{
    for (size_t i = MCP_LOG_DEBUG; i < ARRAY_LEN(levels); i++) {
        if (json_view_is(name, levels[i]))
            return (enum mcp_log_level)i;
    }
    return MCP_LOG_NONE;
}

const char *mcp_log_level_name(enum mcp_log_level level)
{
    assert(level < ARRAY_LEN(levels));
    return levels[level];
}
