/* server_facts.c - what the server knows of itself: eras, revisions, what its handler calls itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/server/server_internal.h"
#include "runtime/base/memory.h"

#define INFO_MAX  ((size_t)64 << 10) /* a longer serverInfo is not repeated in each result */
#define VIEWS_MAX 256

bool mcp_server_has_era(const struct mcp_server *s, enum mcp_era era)
{
    return s->eras & era;
}

void mcp_server_put_revisions(const struct mcp_server *s, struct str *out)
{
    const char *comma = "";

    str_putc(out, '[');
    for (int r = MCP_REVISION_N - 1; r >= 0; r--) {
        enum mcp_era era = mcp_is_modern((enum mcp_revision)r) ? MCP_ERA_MODERN : MCP_ERA_LEGACY;

        if (!mcp_server_has_era(s, era))
            continue;
        str_printf(out, "%s\"%s\"", comma, mcp_revision_name((enum mcp_revision)r));
        comma = ",";
    }
    str_putc(out, ']');
}

/* ---- what the handler calls itself */

struct view_info {
    char *text;                    /* of serverInfo; NULL: not known */
    struct mcp_exchange *discover; /* while it is asked for */
    struct mcp_server *server;
};

static void free_info(void *p)
{
    struct view_info *v = p;

    if (v->discover) {
        mcp_exchange_abandon(v->discover);
        mcp_exchange_unref(v->discover);
    }
    free(v->text);
    free(v);
}

static struct view_info *info_of(struct mcp_server *s, const char *view)
{
    struct view_info *v = map_get(s->info, view);

    if (v || map_size(s->info) >= VIEWS_MAX)
        return v;
    v = xcalloc(1, sizeof(*v));
    v->server = s;
    (void)map_put(s->info, view, v);
    return v;
}

void mcp_server_learn(struct mcp_server *s, const char *view, struct json_view discovered)
{
    struct json_view info = json_view_get(json_view_get(discovered, "_meta"), MCP_META_SERVER);
    struct view_info *v = info_of(s, view);

    if (!v || json_view_kind(info) != JV_OBJECT || info.n > INFO_MAX)
        return;
    free(v->text);
    v->text = xstrndup(info.at, info.n);
}

static void on_discovered(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct view_info *v = ctx;

    v->discover = NULL;
    if (a->kind == MCP_COMPLETE)
        mcp_server_learn(v->server, x->caller->view, a->result);
    mcp_exchange_unref(x);
}

struct json_view mcp_server_info(struct mcp_server *s, struct mcp_caller *caller)
{
    bool is_new = !map_get(s->info, caller->view);
    struct view_info *v = info_of(s, caller->view);

    if (v && is_new) { /* not waited for: a result without serverInfo is valid */
        v->discover = mcp_exchange_new(&(struct mcp_exchange_spec){
            .method = MCP_DISCOVER, .caller = caller, .events = {.done = on_discovered, .ctx = v}});
        if (v->discover)
            mcp_exchange_start(v->discover, s->handler);
    }
    return v && v->text ? json_view_of(v->text, strlen(v->text)) : JSON_VIEW_NONE;
}

void mcp_server_forget(struct mcp_server *s)
{
    map_free(s->info, free_info);
    s->info = NULL;
}
