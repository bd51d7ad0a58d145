/* hub_target.c - what a client sees of the servers, and whose a name or a URI is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/hub/hub_internal.h"
#include "runtime/base/memory.h"

const struct hub_view *hub_view_of(const struct hub *h, const struct mcp_caller *c)
{
    return *c->view ? hub_views_find(h->o.views, c->view) : hub_views_all(h->o.views);
}

static enum hub_kind named(enum hub_list_kind kind)
{
    return kind == HUB_TOOLS ? HUB_TOOL : HUB_PROMPT;
}

bool hub_sees_server(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s)
{
    const struct hub_view *v = hub_view_of(h, c);

    return v && hub_view_has_server(v, hub_source_name(s->source));
}

bool hub_sees(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
              enum hub_list_kind kind, const char *own)
{
    const struct hub_view *v = hub_view_of(h, c);
    const char *server = hub_source_name(s->source);
    struct hub_seen seen;

    if (!v || !hub_view_has_server(v, server))
        return false;
    return kind > HUB_PROMPTS ? hub_view_sees_uri(v, server, own)
                              : hub_view_see(v, h->names, named(kind), server, own, &seen);
}

bool hub_is_always(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
                   const char *tool)
{
    const struct hub_view *v = hub_view_of(h, c);

    return v && hub_view_is_always(v, h->names, hub_source_name(s->source), tool);
}

bool hub_shown(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
               enum hub_list_kind kind, const char *own, struct str *out, const char **description)
{
    const struct hub_view *v = hub_view_of(h, c);
    const char *server = hub_source_name(s->source);
    struct hub_seen seen;

    *description = NULL;
    if (!v || !hub_view_has_server(v, server))
        return false;
    if (kind > HUB_PROMPTS) {
        if (!hub_view_sees_uri(v, server, own))
            return false;
        if (hub_view_is_bare(v))
            str_puts(out, own);
        else
            hub_uri_put(server, own, out);
        return true;
    }
    if (!hub_view_see(v, h->names, named(kind), server, own, &seen) || !seen.listed)
        return false;
    str_puts(out, seen.name);
    *description = seen.description;
    return true;
}

static void show_uri(const void *ctx, const char *uri, size_t n, struct str *out)
{
    const struct hub_server *s = ctx;

    (void)n; /* a JSON text has no NUL */
    hub_uri_put(hub_source_name(s->source), uri, out);
}

struct hub_uris hub_uris_for(const struct hub *h, const struct mcp_caller *c,
                             const struct hub_server *s)
{
    const struct hub_view *v = hub_view_of(h, c);

    return (struct hub_uris){.show = v && !hub_view_is_bare(v) ? show_uri : NULL, .ctx = s};
}

static bool has_uri(const struct hub_server *s, const char *uri)
{
    struct hub_instance *i = hub_source_instance(s->source, NULL);
    struct hub_peer *p = i ? hub_peer_of(i) : NULL;
    const struct hub_list *l = p ? hub_peer_list(p, HUB_RESOURCES) : NULL;

    for (size_t k = 0; l && k < l->n; k++) {
        if (strcmp(l->entry[k].name, uri) == 0)
            return true;
    }
    return false;
}

/* Of a bare view: the server that lists it, else the first one, which may have it by a template. */
static struct hub_server *bare_owner(const struct hub *h, const struct hub_view *v, const char *uri)
{
    struct hub_server *first = NULL;

    for (size_t i = 0; i < h->n_servers; i++) {
        if (!hub_view_has_server(v, hub_source_name(h->server[i]->source)))
            continue;
        if (has_uri(h->server[i], uri))
            return h->server[i];
        first = first ? first : h->server[i];
    }
    return first;
}

/* The names of the servers of a view, sorted; malloc'd. */
static const char **server_names(const struct hub *h, const struct hub_view *v, size_t *n)
{
    const char **names = xcalloc(h->n_servers + 1, sizeof(*names));

    *n = 0;
    for (size_t i = 0; i < h->n_servers; i++) {
        const char *name = hub_source_name(h->server[i]->source);

        if (hub_view_has_server(v, name))
            names[(*n)++] = name;
    }
    return names;
}

bool hub_target(const struct hub *h, const struct mcp_caller *c, enum hub_list_kind kind,
                const char *shown, struct hub_server **server, struct str *own)
{
    const struct hub_view *v = hub_view_of(h, c);
    const char **names, *name = NULL, *upstream = NULL;
    size_t n;
    bool found;

    if (!v)
        return false;
    if (kind > HUB_PROMPTS && hub_view_is_bare(v)) {
        *server = bare_owner(h, v, shown);
        str_puts(own, shown);
        return *server != NULL;
    }
    names = server_names(h, v, &n);
    found = kind > HUB_PROMPTS
                ? hub_uri_split(shown, names, n, &name, &upstream)
                : hub_view_find(v, h->names, named(kind), names, n, shown, &name, &upstream);
    if (found) {
        *server = hub_server_find(h, name);
        str_puts(own, upstream);
    }
    free(names);
    return found && *server;
}

static bool has_prefix(const struct hub_server *s, const char *name)
{
    size_t n = strlen(s->prefix);

    return strncmp(name, s->prefix, n) == 0 && strncmp(name + n, "__", 2) == 0;
}

bool hub_may_have(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
                  const char *shown)
{
    const struct hub_view *v = hub_view_of(h, c);
    const char *before = v ? hub_view_renamed(v, shown) : NULL;

    if (!v || !hub_view_has_server(v, hub_source_name(s->source)))
        return false;
    return hub_view_is_bare(v) || has_prefix(s, shown) || (before && has_prefix(s, before));
}

struct hub_server *hub_candidate(const struct hub *h, const struct mcp_caller *c, const char *shown,
                                 size_t *from)
{
    while (*from < h->n_servers) {
        struct hub_server *s = h->server[(*from)++];

        if (hub_may_have(h, c, s, shown))
            return s;
    }
    return NULL;
}
