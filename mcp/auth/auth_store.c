/* auth_store.c - see auth_store.h.
 *
 *     {"version": 1,
 *      "servers": {URL: {"issuer": ..., "resource": ...}},
 *      "issuers": {ISSUER: {"client": {...}, "tokens": {RESOURCE: {...}}}}}
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_store.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/private_file.h"

enum status auth_store_default_path(struct str *out, struct error *err)
{
    return private_file_path("mcp-auth.json", out, err);
}

void auth_saved_deinit(struct auth_saved *s)
{
    free(s->issuer);
    free(s->resource);
    auth_client_deinit(&s->client);
    auth_token_deinit(&s->token);
    *s = (struct auth_saved){.issuer = NULL};
}

/* ---- the document */

static char *get_text(const struct json *object, const char *key)
{
    const char *text = jv_get_string(jv_get(object, key), NULL);

    return text ? xstrdup(text) : NULL;
}

static void set_text(struct json *object, const char *key, const char *text)
{
    if (text)
        jv_set_string(object, key, text);
}

static void read_client(const struct json *v, struct auth_client *out)
{
    const char *auth = jv_get_string(jv_get(v, "auth"), "");

    *out = (struct auth_client){.id = get_text(v, "id"),
                                .secret = get_text(v, "secret"),
                                .redirect_uri = get_text(v, "redirect_uri"),
                                .secret_expires_ms = jv_get_int(jv_get(v, "expires_ms"), 0)};
    if (!client_auth_parse(auth, &out->auth))
        out->auth = (enum client_auth)0;
}

static struct json *client_json(const struct auth_client *c)
{
    struct json *v = jv_object();

    set_text(v, "id", c->id);
    set_text(v, "secret", c->secret);
    set_text(v, "redirect_uri", c->redirect_uri);
    jv_set_int(v, "expires_ms", c->secret_expires_ms);
    if (c->auth)
        jv_set_string(v, "auth", client_auth_name(c->auth));
    return v;
}

static void read_token(const struct json *v, struct auth_token *out)
{
    *out = (struct auth_token){.access = get_text(v, "access"),
                               .refresh = get_text(v, "refresh"),
                               .scope = get_text(v, "scope"),
                               .client_id = get_text(v, "client_id"),
                               .dpop_pem = get_text(v, "dpop_pem"),
                               .expires_ms = jv_get_int(jv_get(v, "expires_ms"), 0)};
}

static struct json *token_json(const struct auth_token *t)
{
    struct json *v = jv_object();

    set_text(v, "access", t->access);
    set_text(v, "refresh", t->refresh);
    set_text(v, "scope", t->scope);
    set_text(v, "client_id", t->client_id);
    set_text(v, "dpop_pem", t->dpop_pem);
    jv_set_int(v, "expires_ms", t->expires_ms);
    return v;
}

/* The member, made if it is not there. */
static struct json *member(struct json *object, const char *key)
{
    struct json *v = jv_get(object, key);

    if (jv_kind(v) == JV_OBJECT)
        return v;
    jv_set_adopt(object, key, jv_object());
    return jv_get(object, key);
}

static void read_saved(const struct json *doc, const char *issuer, const char *resource,
                       struct auth_saved *out)
{
    const struct json *v = jv_get(jv_get(doc, "issuers"), issuer);

    *out = (struct auth_saved){.issuer = xstrdup(issuer), .resource = xstrdup(resource)};
    read_client(jv_get(v, "client"), &out->client);
    read_token(jv_get(jv_get(v, "tokens"), resource), &out->token);
}

/* ---- the file */

static struct private_file file_at(const char *path)
{
    return (struct private_file){.path = path,
                                 .what = "the file of authorizations",
                                 .lost = "each MCP server then asks for a login again"};
}

enum status auth_store_hold(const char *path, const char *issuer, const char *resource, int *fd,
                            struct error *err)
{
    struct str both = STR_INIT;
    enum status st;

    str_printf(&both, "%s %s", issuer, resource);
    st = private_file_hold(path, fnv1a64(str_cstr(&both), both.len), fd, err);
    str_deinit(&both);
    if (st == STATUS_BUSY)
        error_set(err, STATUS_BUSY, "another process asks for a token");
    return st;
}

void auth_store_release(int fd)
{
    private_file_release(fd);
}

struct edit {
    const char *url;
    const struct auth_saved *saved;
};

static enum status change(const char *path, const struct seams *seams,
                          void (*edit)(void *ctx, struct json *doc), const char *url,
                          const struct auth_saved *s, struct error *err)
{
    const struct private_file f = file_at(path);
    struct edit e = {url, s};

    return private_file_change(&f, seams, edit, &e, err);
}

static void edit_put(void *ctx, struct json *doc)
{
    const struct edit *e = ctx;
    const struct auth_saved *s = e->saved;
    struct json *server = member(member(doc, "servers"), e->url);
    struct json *issuer = member(member(doc, "issuers"), s->issuer);

    jv_set_string(server, "issuer", s->issuer);
    jv_set_string(server, "resource", s->resource);
    if (s->client.id)
        jv_set_adopt(issuer, "client", client_json(&s->client));
    else
        jv_remove(issuer, "client");
    if (s->token.access)
        jv_set_adopt(member(issuer, "tokens"), s->resource, token_json(&s->token));
    else
        jv_remove(member(issuer, "tokens"), s->resource);
}

static void edit_forget(void *ctx, struct json *doc)
{
    const struct edit *e = ctx;
    const struct json *server = jv_get(jv_get(doc, "servers"), e->url);
    struct json *issuer =
        jv_get(jv_get(doc, "issuers"), jv_get_string(jv_get(server, "issuer"), ""));

    if (issuer)
        jv_remove(member(issuer, "tokens"), jv_get_string(jv_get(server, "resource"), ""));
}

enum status auth_store_put(const char *path, const struct seams *seams, const char *url,
                           const struct auth_saved *s, struct error *err)
{
    return change(path, seams, edit_put, url, s, err);
}

enum status auth_store_forget(const char *path, const struct seams *seams, const char *url,
                              struct error *err)
{
    return change(path, seams, edit_forget, url, NULL, err);
}

enum status auth_store_issuer(const char *path, const char *issuer, const char *resource,
                              struct auth_saved *out, struct error *err)
{
    const struct private_file f = file_at(path);
    struct json *doc = NULL;
    enum status st = private_file_load(&f, &doc, err);

    if (!st)
        read_saved(doc, issuer, resource, out);
    jv_unref(doc);
    return st;
}

enum status auth_store_server(const char *path, const char *url, struct auth_saved *out,
                              struct error *err)
{
    struct json *doc = NULL;
    const struct json *server;
    const struct private_file f = file_at(path);
    const char *issuer, *resource;
    enum status st = private_file_load(&f, &doc, err);

    if (!st) {
        server = jv_get(jv_get(doc, "servers"), url);
        issuer = jv_get_string(jv_get(server, "issuer"), NULL);
        resource = jv_get_string(jv_get(server, "resource"), NULL);
        *out = (struct auth_saved){.issuer = NULL};
        if (issuer && resource)
            read_saved(doc, issuer, resource, out);
    }
    jv_unref(doc);
    return st;
}
