/* hub_upstream.c - see hub_upstream.h.
 *
 * A connection that the hub lets go ends in order (its process may finish what it does), so it
 * lives on for a moment without an instance.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/auth/mcp_auth.h"
#include "mcp/client/client.h"
#include "mcp/client/client_auth.h"
#include "mcp/config/mcp_launch.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_url.h"

#define ENDING_MS 8000     /* time for a connection to end in order */
#define CALL_MS   86400000 /* the hub's own limit counts, which may change */

struct upstream {
    const struct hub_upstream_env *env;
    struct mcp_server_spec *server;
    struct upstream_link *links; /* open and ending */
};

/* One connection. */
struct upstream_link {
    struct upstream *upstream;
    struct mcp_client *client;
    struct mcp_auth *auth; /* NULL: none is needed */
    struct client_auth *client_auth;
    struct address_policy policy;
    struct hub_link_events events;
    struct loop_timer *timer; /* of its end */
    struct upstream_link *next;
    char last_error[256]; /* the last line of its standard error */
};

static void link_free(struct upstream_link *l)
{
    struct upstream_link **at = &l->upstream->links;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    loop_timer_free(l->timer);
    mcp_client_free(l->client);
    client_auth_free(l->client_auth);
    mcp_auth_free(l->auth);
    free(l);
}

/* ---- events of the client */

static void on_state(void *ctx, enum mcp_client_state state)
{
    struct upstream_link *l = ctx;
    struct error err = ERROR_INIT;

    if (state == MCP_CLIENT_READY) {
        l->events.ready(l->events.ctx);
    } else if (state == MCP_CLIENT_DOWN && !l->timer) {
        error_set(&err, STATUS_IO, "%s%s%s", mcp_client_facts(l->client).fault,
                  l->last_error[0] ? "; its last line: " : "", l->last_error);
        l->events.down(l->events.ctx, &err);
    }
}

static void on_line(void *ctx, bool is_error, const char *text, size_t n)
{
    struct upstream_link *l = ctx;
    const struct hub_upstream_env *env = l->upstream->env;

    if (is_error && n > 0)
        (void)snprintf(l->last_error, sizeof(l->last_error), "%.*s", (int)(n < 200 ? n : 200),
                       text);
    if (is_error && env->stderr_line)
        env->stderr_line(env->ctx, l->upstream->server->name, text, n);
    else
        log_write(env->log, is_error ? LOG_DEBUG : LOG_WARN, "server %s: %.*s",
                  l->upstream->server->name, (int)(n < 2000 ? n : 2000), text);
}

static void on_message(void *ctx, struct json_view params)
{
    struct upstream_link *l = ctx;

    log_write(l->upstream->env->log, LOG_DEBUG, "server %s: %.*s", l->upstream->server->name,
              (int)(params.n < 2000 ? params.n : 2000), params.at ? params.at : "");
}

/* ---- authorization */

static bool open_url(void *ctx, const char *url)
{
    struct upstream_link *l = ctx;
    const struct hub_upstream_env *env = l->upstream->env;

    return env->open_url(env->ctx, l->upstream->server->name, url);
}

/* A token of one's own in the headers means that there is nothing to ask for. */
static bool has_own_authorization(const struct mcp_launch *launch)
{
    for (size_t i = 0; i < launch->n_headers; i++) {
        if (strcasecmp(launch->headers[i].name, "authorization") == 0)
            return true;
    }
    return false;
}

static enum status make_auth(struct upstream_link *l, const struct mcp_launch *launch,
                             struct error *err)
{
    const struct hub_upstream_env *env = l->upstream->env;
    const struct mcp_auth_options options = {.server_url = launch->url,
                                             .http = env->http,
                                             .seams = env->seams,
                                             .policy = &l->policy,
                                             .ctx = l,
                                             .open_url = env->open_url ? open_url : NULL};
    enum status st;

    if (!launch->url || has_own_authorization(launch))
        return STATUS_OK;
    st = mcp_auth_new(env->loop, &options, &l->auth, err);
    if (!st)
        l->client_auth = client_auth_new(l->auth, l->upstream->server->name);
    return st;
}

/* ---- opening */

/* An address that the configuration itself names may be one of this machine; what a name resolves
 * to may not, unless `allow_local` says so. */
static void set_policy(struct address_policy *p, const struct mcp_server_spec *server,
                       const char *url)
{
    struct http_url u = {0};
    bool here = !http_url_parse(url, &u, NULL) &&
                (strcmp(u.host, "localhost") == 0 || strcmp(u.host, "::1") == 0 ||
                 (strncmp(u.host, "127.", 4) == 0 && !u.host[strspn(u.host, "0123456789.")]));

    *p = (struct address_policy){.allow_http = here || server->settings.allow_local,
                                 .allow_loopback = here || server->settings.allow_local,
                                 .allow_private = server->settings.allow_local};
    http_url_deinit(&u);
}

static void put_roots(char *const *roots, struct str *out)
{
    str_putc(out, '[');
    for (size_t i = 0; roots && roots[i]; i++) {
        struct str uri = STR_INIT;

        str_printf(&uri, "file://%s", roots[i]);
        str_puts(out, i ? ",{\"uri\":" : "{\"uri\":");
        str_put_json_string(out, str_cstr(&uri), uri.len);
        str_putc(out, '}');
        str_deinit(&uri);
    }
    str_putc(out, ']');
}

static struct http_field *fields_of(const struct mcp_launch *launch)
{
    struct http_field *fields = xcalloc(launch->n_headers + 1, sizeof(*fields));

    for (size_t i = 0; i < launch->n_headers; i++)
        fields[i] =
            (struct http_field){.name = launch->headers[i].name, .value = launch->headers[i].value};
    return fields;
}

/* What a legacy server may ask for: of one legacy client, what that one declared. Others declare it
 * with each request. */
static unsigned abilities_of(const struct mcp_server_spec *server, const struct mcp_caller *owner)
{
    unsigned all = MCP_CAN_ELICIT_FORM | MCP_CAN_ELICIT_URL | MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS;
    unsigned roots = server->settings.roots.n ? MCP_CAN_LIST_ROOTS : 0, declared;

    if (!owner)
        return all | roots;
    declared = mcp_is_modern(owner->revision) ? all | MCP_CAN_LIST_ROOTS
                                              : owner->can & (all | MCP_CAN_LIST_ROOTS);
    return declared | roots ? declared | roots : all; /* 0 means the default; each is refused */
}

static enum status make_client(struct upstream_link *l, const struct mcp_launch *launch,
                               const struct mcp_caller *owner, struct error *err)
{
    static const enum mcp_transport transports[N_MCP_TRANSPORTS] = {MCP_OVER_STDIO, MCP_OVER_HTTP,
                                                                    MCP_OVER_HTTP_SSE};
    const struct hub_upstream_env *env = l->upstream->env;
    const struct mcp_server_spec *server = l->upstream->server;
    struct mcp_client_auth auth = client_auth_ops(l->client_auth);
    struct http_field *fields = fields_of(launch);
    struct str roots = STR_INIT;
    enum status st;

    put_roots(launch->roots, &roots);
    st = mcp_client_new(
        &(struct mcp_client_spec){
            .loop = env->loop,
            .seams = env->seams,
            .name = server->name,
            .transport = transports[server->transport],
            .argv = (const char *const *)launch->argv,
            .env = (const char *const *)launch->env,
            .program = server->command,
            .folder = launch->cwd,
            .supervisor = env->supervisor,
            .url = launch->url,
            .http = env->http,
            .policy = &l->policy,
            .fields = fields,
            .n_fields = (int32_t)launch->n_headers,
            .auth = l->auth ? &auth : NULL,
            .client_name = env->client_name,
            .client_version = env->client_version,
            .prefers_legacy = owner && !mcp_is_modern(owner->revision),
            .abilities = abilities_of(server, owner),
            .roots = json_view_str(&roots),
            .limits = {.call_ms = CALL_MS, .initialize_ms = server->settings.start_timeout_ms},
            .events = {.ctx = l, .state = on_state, .message = on_message, .line = on_line},
        },
        &l->client, err);
    str_deinit(&roots);
    free(fields);
    return st;
}

static void close_link(void *ctx);

static struct hub_facts facts(void *ctx)
{
    const struct upstream_link *l = ctx;
    const struct mcp_client_facts f = mcp_client_facts(l->client);
    static const char *const words[] = {
        [MCP_OVER_STDIO] = "stdio", [MCP_OVER_HTTP] = "http", [MCP_OVER_HTTP_SSE] = "sse"};

    return (struct hub_facts){.revision = f.revision,
                              .transport = words[f.transport],
                              .pid = f.pid,
                              .server_info = f.server_info,
                              .left_out = f.left_out};
}

static enum status open_link(void *ctx, struct mcp_caller *owner,
                             const struct hub_link_events *events, struct hub_link *out,
                             struct error *err)
{
    struct upstream *u = ctx;
    struct mcp_launch launch = {0};
    struct upstream_link *l;
    enum status st = mcp_launch_resolve(u->server, u->env->inputs, &launch, err);

    if (!st && launch.url && !u->env->http)
        st = error_set(err, STATUS_UNSUPPORTED, "there is no HTTP client for %s", u->server->name);
    if (st) {
        mcp_launch_deinit(&launch);
        return st;
    }
    l = xcalloc(1, sizeof(*l));
    l->upstream = u;
    l->events = *events;
    l->next = u->links;
    u->links = l;
    if (launch.url)
        set_policy(&l->policy, u->server, launch.url);
    st = make_auth(l, &launch, err);
    if (!st)
        st = make_client(l, &launch, owner, err);
    mcp_launch_deinit(&launch);
    if (st) {
        link_free(l);
        return st;
    }
    *out = (struct hub_link){
        .handler = *mcp_client_handler(l->client), .ctx = l, .close = close_link, .facts = facts};
    mcp_client_start(l->client);
    return STATUS_OK;
}

/* ---- closing */

static void ended(void *ctx)
{
    link_free(ctx);
}

static void close_link(void *ctx)
{
    struct upstream_link *l = ctx;

    l->timer = loop_timer_new(l->upstream->env->loop, ENDING_MS, ended, l);
    mcp_client_stop(l->client);
}

static void upstream_free(void *ctx)
{
    struct upstream *u = ctx;

    while (u->links)
        link_free(u->links);
    mcp_server_spec_unref(u->server);
    free(u);
}

static bool offers(void *ctx, const char *tool)
{
    const struct upstream *u = ctx;

    return mcp_server_spec_has_tool(u->server, tool);
}

static enum effect effect(void *ctx, const char *tool)
{
    const struct upstream *u = ctx;

    return mcp_server_spec_effect(u->server, tool);
}

static struct hub_source_limits limits_of(const struct mcp_server_spec *server)
{
    return (struct hub_source_limits){.max_in_flight = server->settings.max_in_flight,
                                      .start_ms = server->settings.start_timeout_ms,
                                      .call_ms = server->settings.timeout_ms,
                                      .total_ms = server->settings.total_timeout_ms,
                                      .idle_ms = server->settings.idle_shutdown_ms};
}

void hub_upstream_spec(const struct hub_upstream_env *env, struct mcp_server_spec *server,
                       struct hub_source_spec *out)
{
    struct upstream *u = xcalloc(1, sizeof(*u));

    u->env = env;
    u->server = mcp_server_spec_ref(server);
    *out = (struct hub_source_spec){
        .name = server->name,
        .per_client = server->settings.instances == MCP_PER_CLIENT,
        .limits = limits_of(server),
        .opener = {.ctx = u,
                   .open = open_link,
                   .free = upstream_free,
                   .offers = offers,
                   .effect = effect},
    };
}

void hub_upstream_change(struct hub_source *s, struct mcp_server_spec *now,
                         struct hub_source_limits *out)
{
    struct upstream *u = hub_source_opener(s);

    mcp_server_spec_ref(now);
    mcp_server_spec_unref(u->server);
    u->server = now;
    *out = limits_of(now);
}
