/* hub_server.c - a server of the hub: found by name, its instances with their peers, its names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_internal.h"
#include "runtime/base/memory.h"

size_t hub_server_place(const struct hub *h, const char *name)
{
    size_t i = 0;

    while (i < h->n_servers && strcmp(hub_source_name(h->server[i]->source), name) < 0)
        i++;
    return i;
}

struct hub_server *hub_server_find(const struct hub *h, const char *name)
{
    size_t i = hub_server_place(h, name);

    if (i == h->n_servers || strcmp(hub_source_name(h->server[i]->source), name) != 0)
        return NULL;
    return h->server[i];
}

struct hub_instance *hub_instance_for(struct hub_server *s, struct mcp_caller *caller)
{
    struct hub_instance *i = hub_source_instance(s->source, caller);

    if (i && !hub_peer_of(i))
        hub_peer_new(&(struct hub_peer_spec){.loop = s->hub->loop,
                                             .seams = s->hub->o.seams,
                                             .log = s->hub->o.log,
                                             .caller = s->hub->self,
                                             .changed = s->hub->changed,
                                             .ctx = s},
                     i);
    return i;
}

void hub_learn(struct hub_server *s, enum hub_list_kind kind, const struct hub_list *list)
{
    enum hub_kind named = kind == HUB_TOOLS ? HUB_TOOL : HUB_PROMPT;
    const char **names;

    s->is_late[kind] = false;
    if (kind > HUB_PROMPTS || s->named[kind] == list->version)
        return;
    names = xcalloc(list->n + 1, sizeof(*names));
    for (size_t i = 0; i < list->n; i++)
        names[i] = list->entry[i].name;
    hub_names_set(s->hub->names, named, hub_source_name(s->source), names, list->n);
    s->named[kind] = list->version;
    free(names);
}
