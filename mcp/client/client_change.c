/* client_change.c - a burst of list_changed is one change.
 *
 * A change is passed on when the server has been quiet for quiet_ms, at the latest after 40 times
 * that. If the next one follows closely, the gap to it doubles: a server that changes its list
 * because it was asked for it costs one refresh a minute in the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "mcp/client/client_internal.h"

#define LONGEST 40 /* times quiet_ms */
#define CLOSE   4  /* times the gap */
#define GAP_MS  60000
#define N_KINDS 3

struct change {
    struct client_changes *all;
    enum mcp_method note;
    struct loop_timer *timer; /* NULL: nothing to pass on */
    int64_t first_ms, last_ms;
    int64_t passed_ms, gap_ms; /* gap 0: none passed yet */
};
struct client_changes {
    struct mcp_client *client;
    struct change list[N_KINDS];
};

static int64_t now(const struct change *ch)
{
    return seams_mono_us(ch->all->client->spec.seams) / 1000;
}

static void pass(struct change *ch)
{
    struct mcp_client *c = ch->all->client;

    ch->passed_ms = now(ch);
    c->counts.passed++;
    if (c->spec.events.changed)
        c->spec.events.changed(c->spec.events.ctx, ch->note, JSON_VIEW_NONE);
    client_listen_note(c, ch->note, JSON_VIEW_NONE);
}

static void on_time(void *ctx)
{
    struct change *ch = ctx;
    struct mcp_client *c = ch->all->client;
    int64_t quiet = c->spec.limits.quiet_ms, wait = ch->last_ms + quiet - now(ch);
    int64_t longest = ch->first_ms + LONGEST * quiet - now(ch);

    loop_timer_free(ch->timer);
    ch->timer = NULL;
    wait = wait < longest ? wait : longest;
    if (wait > 0)
        ch->timer = loop_timer_new(c->spec.loop, wait, on_time, ch);
    else
        pass(ch);
}

void client_changed(struct mcp_client *c, enum mcp_method note)
{
    int64_t quiet = c->spec.limits.quiet_ms, wait = quiet;
    struct change *ch = c->changes->list;

    while (ch->note != note)
        ch++;
    c->counts.changes++;
    if (note == MCP_TOOLS_CHANGED)
        c->headers_known = false;
    ch->last_ms = now(ch);
    if (ch->timer)
        return;
    ch->first_ms = ch->last_ms;
    if (ch->gap_ms && ch->last_ms - ch->passed_ms < CLOSE * ch->gap_ms) {
        ch->gap_ms = ch->gap_ms * 2 < GAP_MS ? ch->gap_ms * 2 : GAP_MS;
        wait = ch->passed_ms + ch->gap_ms - ch->last_ms;
    } else {
        ch->gap_ms = quiet;
    }
    ch->timer = loop_timer_new(c->spec.loop, wait > quiet ? wait : quiet, on_time, ch);
}

void client_updated(struct mcp_client *c, struct json_view params)
{
    if (json_view_kind(json_view_get(params, "uri")) != JV_STRING)
        return;
    if (c->spec.events.changed)
        c->spec.events.changed(c->spec.events.ctx, MCP_RESOURCE_UPDATED, params);
    client_listen_note(c, MCP_RESOURCE_UPDATED, params);
}

struct client_changes *client_changes_new(struct mcp_client *c)
{
    static const enum mcp_method notes[N_KINDS] = {MCP_TOOLS_CHANGED, MCP_RESOURCES_CHANGED,
                                                   MCP_PROMPTS_CHANGED};
    struct client_changes *all = xcalloc(1, sizeof(*all));

    all->client = c;
    for (size_t i = 0; i < N_KINDS; i++)
        all->list[i] = (struct change){.all = all, .note = notes[i]};
    return all;
}

void client_changes_free(struct client_changes *all)
{
    for (size_t i = 0; all && i < N_KINDS; i++)
        loop_timer_free(all->list[i].timer);
    free(all);
}
