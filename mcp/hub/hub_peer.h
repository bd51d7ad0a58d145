/* hub_peer.h - what the hub knows of an instance: its capabilities and its lists, kept until they
 * are out of date, and what it says about changes.
 *
 * A list is fetched when somebody wants it, once for all who want it at that time, all pages, and
 * kept: until the server says that it has changed, or until its ttlMs is over. When a list cannot
 * be fetched, the last one is used.
 *
 * Everything is on the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_PEER_H
#define TROUPE_MCP_HUB_HUB_PEER_H

#include "mcp/hub/hub_source.h"

enum hub_list_kind { HUB_TOOLS, HUB_PROMPTS, HUB_RESOURCES, HUB_TEMPLATES, HUB_LIST_N };

/* One tool, prompt, resource or template, as the server gave it. */
struct hub_entry {
    struct json_view object;
    char *name; /* the tool's, the prompt's; the URI, the template */
};
/* Immutable, reference counted: it stays the same for those who hold it. */
struct hub_list {
    int32_t refs;
    struct hub_entry *entry; /* (n) in the server's order */
    size_t n;
    uint64_t version; /* another one for another content, also of another instance */
    char *text;       /* what the objects are lent from */
};
struct hub_list *hub_list_ref(struct hub_list *l);
void hub_list_unref(struct hub_list *l); /* NULL is fine */

/* Pages, entries and bytes of a list at most; what is over is left out, with a warning. */
#define HUB_LIST_MAX_PAGES   200
#define HUB_LIST_MAX_ENTRIES 20000
#define HUB_LIST_MAX_BYTES   ((size_t)32 << 20)

struct hub_peer;
struct hub_peer_spec {
    struct loop *loop;
    const struct seams *seams;
    struct log *log;
    struct mcp_caller *caller; /* as whom the hub asks; a reference is taken */
    /* A list has changed, or a resource that is watched (MCP_RESOURCE_UPDATED, with the server's
     * params). May be NULL. */
    void (*changed)(void *ctx, struct hub_instance *i, enum mcp_method note,
                    struct json_view params);
    void *ctx;
};
/* Makes it the data of the instance, which frees it. */
struct hub_peer *hub_peer_new(const struct hub_peer_spec *spec, struct hub_instance *i);
struct hub_peer *hub_peer_of(struct hub_instance *i); /* NULL: it has none */
/* Of hub_source_spec.on_state: begins to watch, or forgets what was of the ended link. */
void hub_peer_state(struct hub_peer *p, bool is_ready);

/* Of the last server/discover; none before the first. */
struct json_view hub_peer_discovered(const struct hub_peer *p);

/* Wants a list. `done` is called once, perhaps now, with the list (lent; take a reference to keep
 * it), or with NULL and why there is none. */
struct hub_want {
    void (*done)(void *ctx, struct hub_want *w, struct hub_list *list, const struct error *err);
    void *ctx;
    struct hub_peer *peer; /* of hub_peer.c: waits there */
    enum hub_list_kind kind;
    struct hub_want *next;
};
void hub_peer_want(struct hub_peer *p, enum hub_list_kind kind, struct hub_want *w);
void hub_want_drop(struct hub_want *w); /* done is not called any more */
/* The list that is here now, fresh or not; NULL: none. */
struct hub_list *hub_peer_list(const struct hub_peer *p, enum hub_list_kind kind);

/* Its lists are fetched again when they are next wanted. */
void hub_peer_outdate(struct hub_instance *i);

/* The resources that are watched from now on (n, copied); an equal set changes nothing. */
void hub_peer_watch_resources(struct hub_peer *p, const char *const *uri, size_t n);

#endif
