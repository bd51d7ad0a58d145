/* mcp_audit.c - see mcp_audit.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/mcp_audit.h"

#include <stdlib.h>
#include <string.h>

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

static bool append(void *ctx, const struct hub_audit_row *row,
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
    const struct mcp_audit *a = ctx;
    struct store *s = *a->store;
    struct wait *w = NULL;

    if (!s)
        return true;
    if (done) {
        w = xcalloc(1, sizeof(*w));
        *w = (struct wait){.done = done, .arg = arg};
    }
    if (!call_audit_append(s, &own, a->durability, w ? written : NULL, w))
        return false;
    free(w);
    return true;
}

struct hub_audit mcp_audit_hub(struct mcp_audit *a)
{
    return (struct hub_audit){.ctx = a, .append = append};
}

enum status mcp_audit_read(const struct mcp_config *config, enum store_durability *out,
                           struct error *err)
{
    const struct yaml *yaml;
    const struct yaml_node *section;
    enum store_durability d = STORE_NORMAL;

    for (size_t i = 0; mcp_config_section(config, i, &yaml, &section); i++) {
        const struct yaml_node *audit = yaml_get(section, "audit");
        const char *text =
            audit && yaml_node_kind(audit) == YAML_SCALAR ? yaml_text_of(audit) : NULL;

        if (!audit)
            continue;
        if (text && strcmp(text, "synced") == 0)
            d = STORE_FULL;
        else if (!text || strcmp(text, "written") != 0)
            return yaml_error(err, yaml, audit, "`audit` is `written` or `synced`");
        break;
    }
    *out = d;
    return STATUS_OK;
}
