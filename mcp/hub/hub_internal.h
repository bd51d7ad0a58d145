/* hub_internal.h - struct hub, for the files hub*.c that answer clients.
 *
 *   hub.c          adds and removes servers; which file answers which method
 *   hub_server.c   a server: its place, its instances, its names
 *   hub_target.c   whose a name or URI is
 *   hub_call.c     one request that goes to one server (hub_call.h)
 *   hub_translate.c  its two forms: the server's and the client's
 *   hub_gate.c     what may pass, and the books about it
 *   hub_task.c     ids of tasks
 *   hub_listing.c  one list of all servers; search_tools looks in it
 *   hub_catalog.c  search_tools and call_tool in place of a long list
 *   hub_listen.c   clients that listen
 *   hub_change.c   servers that report changes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_INTERNAL_H
#define TROUPE_MCP_HUB_HUB_INTERNAL_H

#include "mcp/hub/hub.h"
#include "mcp/hub/hub_gate.h"
#include "mcp/hub/hub_names.h"
#include "mcp/hub/hub_rewrite.h"
#include "mcp/hub/hub_seal.h"
#include "mcp/hub/hub_view.h"
#include "runtime/base/map.h"

struct hub_call;
struct hub_listing;
struct hub_listener;
struct hub_indexes;
struct hub_retries;
struct hub_server;

/* A list of a server that may have changed: looked at again after a pause, which grows while the
 * server reports changes that are none. */
struct hub_change {
    struct hub_server *server;
    enum hub_list_kind kind;
    struct loop_timer *timer; /* NULL: nothing was reported */
    int64_t pause_ms;
    uint64_t version; /* that clients know of; 0: none */
    struct hub_want want;
    bool looking; /* `want` waits */
};

struct hub_server {
    struct hub *hub;
    struct hub_source *source;
    char prefix[HUB_PREFIX_MAX + 1]; /* of its names */
    uint64_t named[HUB_LIST_N];      /* versions that hub_names has */
    bool is_late[HUB_LIST_N]; /* a listing had to go without its list: the next does not wait */
    struct hub_change change[HUB_LIST_N];
    struct hub_traffic traffic;
};

struct hub {
    struct loop *loop;
    struct hub_options o;
    char *name, *version, *instructions;
    struct mcp_handler handler;
    struct hub_seal *seal;      /* of states: a key of this process, since what they name is here */
    struct hub_seal *task_seal; /* of ids of tasks: these may outlive the process */
    struct hub_retries *retries;
    struct hub_indexes *indexes;
    struct map *busy; /* principal to its number of requests under way */
    int64_t n_passed; /* requests through the gate */
    struct hub_names *names;
    struct hub_views *all; /* if the options have no views */
    /* hub_peer_spec.changed, of all peers; ctx: the server */
    void (*changed)(void *ctx, struct hub_instance *i, enum mcp_method note,
                    struct json_view params);
    struct mcp_caller *self;    /* as whom the hub asks for lists */
    struct hub_server **server; /* (n_servers) sorted by name */
    size_t n_servers;
    struct hub_call *calls;
    struct hub_listing *listings;
    struct hub_listener *listeners;
    struct loop_timer *watch_timer; /* of hub_listen.c: resources to watch are looked at again */
    int64_t watch_rest_us;          /* not before */
};

/* ---- hub_server.c */
/* Where it is, or would be. */
size_t hub_server_place(const struct hub *h, const char *name);
struct hub_server *hub_server_find(const struct hub *h, const char *name);
/* The instance of a server for a client, with its peer; NULL: too many clients. */
struct hub_instance *hub_instance_for(struct hub_server *s, struct mcp_caller *caller);
/* Makes the names of a list known. */
void hub_learn(struct hub_server *s, enum hub_list_kind kind, const struct hub_list *list);

/* ---- hub_target.c: what a client sees, and whose it is */
/* NULL: a client with a view that does not exist sees nothing. */
const struct hub_view *hub_view_of(const struct hub *h, const struct mcp_caller *c);
/* Is this server part of what the client sees? */
bool hub_sees_server(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s);
/* The name or URI under which the client sees an entry in a list, appended; false: it does not see
 * it. description: another one than the server's, or NULL. */
bool hub_shown(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
               enum hub_list_kind kind, const char *own, struct str *out, const char **description);
/* May this client reach the server's tool, prompt, resource or template of this name? Also what is
 * in no list of its view (`hide`). */
bool hub_sees(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
              enum hub_list_kind kind, const char *own);
/* Is the tool listed whatever the budget is? */
bool hub_is_always(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
                   const char *tool);
/* What is changed in URIs of results for this client. */
struct hub_uris hub_uris_for(const struct hub *h, const struct mcp_caller *c,
                             const struct hub_server *s);
/* Whose name or URI it is, as far as lists are known. own: appended. */
bool hub_target(const struct hub *h, const struct mcp_caller *c, enum hub_list_kind kind,
                const char *shown, struct hub_server **server, struct str *own);
/* May the server's list have the tool or prompt that the client calls so? By its prefix, also
 * before any list is known: a server that hangs is not asked for a tool of another. */
bool hub_may_have(const struct hub *h, const struct mcp_caller *c, const struct hub_server *s,
                  const char *shown);
/* The next server, from *from on, that may have a name that is not known; NULL: none. */
struct hub_server *hub_candidate(const struct hub *h, const struct mcp_caller *c, const char *shown,
                                 size_t *from);

/* ---- hub_task.c */
/* Whose task it is; own: appended. false: not one that this client was given. */
bool hub_task_find(const struct hub *h, const struct mcp_caller *c, const char *shown,
                   struct hub_server **server, struct str *own);
/* A result that begins or describes a task, as the client gets it. shown: the id that the client
 * has for it; NULL: the task is new. */
bool hub_task_put_result(const struct hub *h, const struct mcp_caller *c,
                         const struct hub_server *s, struct json_view result, const char *shown,
                         const struct hub_uris *uris, struct str *out);

/* ---- each takes an exchange of its methods */
void hub_call_start(struct hub *h, struct mcp_exchange *x);
void hub_call_cancel(struct hub_call *c);
void hub_listing_start(struct hub *h, struct mcp_exchange *x, enum hub_list_kind kind);
void hub_listing_cancel(struct hub_listing *l);
void hub_listen_start(struct hub *h, struct mcp_exchange *x);
void hub_listen_cancel(struct hub_listener *l);
/* A server goes: nothing of it is used from now on. */
void hub_calls_forget(struct hub *h, struct hub_server *s);
void hub_listings_forget(struct hub *h, struct hub_server *s);

/* ---- hub_listen.c */
/* To all who listen and see the server. */
void hub_notify_list(struct hub *h, const struct hub_server *s, enum hub_list_kind kind);
void hub_notify_resource(struct hub *h, struct hub_server *s, struct json_view params);

/* ---- hub_change.c */
void hub_change_init(struct hub_server *s);
void hub_change_deinit(struct hub_server *s);
void hub_change_reported(struct hub_server *s, enum hub_list_kind kind);
/* Clients have been given this version. */
void hub_change_shown(struct hub_server *s, enum hub_list_kind kind, uint64_t version);

#endif
