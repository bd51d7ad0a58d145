/* auth_discover.c - see auth_discover.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_discover.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_url.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

struct auth_discovery {
    struct auth_env env;
    struct auth_discovery_spec spec;
    struct str place, wanted;
    struct auth_fetch *fetch;
    int n; /* the place that is tried, from 0 */
    struct resource_metadata resource;
    struct server_metadata server;
};

static void free_discovery(struct auth_discovery *d)
{
    resource_metadata_deinit(&d->resource);
    server_metadata_deinit(&d->server);
    str_deinit(&d->place);
    str_deinit(&d->wanted);
    free(d);
}

static void finish(struct auth_discovery *d, enum status st, const struct error *err)
{
    d->spec.done(d->spec.ctx, st, &d->resource, &d->server, err);
    if (!st) { /* they were taken over */
        d->resource = (struct resource_metadata){.scopes = STR_INIT};
        d->server = (struct server_metadata){.scopes = STR_INIT};
    }
    free_discovery(d);
}

/* Catch-all pages of web applications answer every path with 200 and HTML. */
static bool is_document(enum status st, int code, const struct str *body)
{
    struct json *doc = NULL;
    bool is =
        !st && code == 200 &&
        jv_parse_max(str_cstr(body), body->len, METADATA_BYTES_MAX, "", &doc, NULL) == STATUS_OK;

    jv_unref(doc);
    return is;
}

static enum status get(struct auth_discovery *d, const char *url, const char *what,
                       void (*done)(void *ctx, enum status st, int code, const struct str *body,
                                    const struct error *err),
                       struct error *err)
{
    return auth_fetch_start(
        &d->env, &(struct auth_fetch_spec){.url = url, .what = what, .ctx = d, .done = done},
        &d->fetch, err);
}

/* ---- the authorization server */

static enum status try_server(struct auth_discovery *d, struct error *err);

static void on_server(void *ctx, enum status st, int code, const struct str *body,
                      const struct error *err)
{
    struct auth_discovery *d = ctx;
    struct error why = *err;

    d->fetch = NULL;
    if (!st && !is_document(st, code, body)) {
        d->n++;
        st = try_server(d, &why);
        if (!st)
            return;
    } else if (!st) {
        st = server_metadata_read(str_cstr(body), body->len, d->resource.issuer, d->env.policy,
                                  &d->server, &why);
    }
    finish(d, st, &why);
}

static enum status try_server(struct auth_discovery *d, struct error *err)
{
    struct str url = STR_INIT;
    enum status st;

    if (auth_url_server_metadata(d->resource.issuer, d->n, &url))
        st = get(d, str_cstr(&url), "metadata of the authorization server", on_server, err);
    else
        st = error_set(err, STATUS_NOT_FOUND,
                       "the authorization server %.200s has no metadata at its well-known places",
                       d->resource.issuer);
    str_deinit(&url);
    return st;
}

/* ---- the resource */

static enum status try_resource(struct auth_discovery *d, struct error *err);

static void on_resource(void *ctx, enum status st, int code, const struct str *body,
                        const struct error *err)
{
    struct auth_discovery *d = ctx;
    struct error why = *err;

    d->fetch = NULL;
    if (!st && !is_document(st, code, body)) {
        d->n++;
        st = try_resource(d, &why);
    } else if (!st) {
        st = resource_metadata_read(str_cstr(body), body->len, d->spec.server_url,
                                    d->wanted.len > 0 ? str_cstr(&d->wanted) : NULL, d->env.policy,
                                    &d->resource, &why);
        d->n = 0;
        if (!st)
            st = try_server(d, &why);
    }
    if (st)
        finish(d, st, &why);
}

static enum status try_resource(struct auth_discovery *d, struct error *err)
{
    struct str url = STR_INIT;
    bool more =
        d->place.len > 0 ? d->n == 0 : auth_url_resource_metadata(d->spec.server_url, d->n, &url);
    enum status st;

    if (d->place.len > 0)
        str_puts(&url, str_cstr(&d->place));
    if (more)
        st = get(d, str_cstr(&url), "metadata of the MCP server", on_resource, err);
    else
        st = error_set(err, STATUS_NOT_FOUND,
                       "the MCP server wants authorization, but has no metadata of its protected "
                       "resource (RFC 9728) at %s",
                       d->place.len > 0 ? "the place that it names" : "its well-known places");
    str_deinit(&url);
    return st;
}

enum status auth_discovery_start(const struct auth_env *env, const struct auth_discovery_spec *s,
                                 struct auth_discovery **out, struct error *err)
{
    struct auth_discovery *d = xcalloc(1, sizeof(*d));
    enum status st = STATUS_OK;

    d->env = *env;
    d->spec = *s;
    d->resource.scopes = d->server.scopes = d->place = d->wanted = STR_INIT;
    str_puts(&d->place, s->place);
    str_puts(&d->wanted, s->wanted ? s->wanted : "");
    if (*s->place)
        st = auth_url_check(s->place, env->policy, "resource_metadata of the MCP server", err);
    if (!st)
        st = try_resource(d, err);
    if (st)
        free_discovery(d);
    else
        *out = d;
    return st;
}

void auth_discovery_cancel(struct auth_discovery *d)
{
    if (!d)
        return;
    auth_fetch_cancel(d->fetch);
    free_discovery(d);
}
