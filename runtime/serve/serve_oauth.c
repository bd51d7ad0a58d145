/* serve_oauth.c - see serve_oauth.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/serve_oauth.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/protected_resource.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/serve/serve_internal.h"

#define PREFIX       "oauth:"
#define SUBJECTS_MAX PROTECTED_SUBJECTS_MAX

struct serve_oauth {
    struct protected_resource *resource;
    struct map *subjects; /* subject -> itself with the prefix, lent as long as this lives */
    char *challenge[2];   /* without a token, with one that is not valid */
};

/* ---- configuration */

static char *text_of(const struct yaml_node *node, const char *key)
{
    const struct yaml_node *v = yaml_get(node, key);

    return v ? xstrdup(yaml_text_of(v)) : NULL;
}

static void join(const struct yaml_node *list, struct str *out)
{
    for (size_t i = 0; i < yaml_size(list); i++)
        str_printf(out, "%s%s", i ? " " : "", yaml_text_of(yaml_at(list, i)));
}

static enum status check(const struct serve_oauth_config *c, const struct yaml *y,
                         const struct yaml_node *node, struct error *err)
{
    if (c->n_issuers == 0)
        return yaml_error(err, y, node, "`oauth` needs `issuers`, a list of URLs");
    if (!c->jwks_url == !c->jwks_file)
        return yaml_error(err, y, node, "`oauth` needs either `jwks_url` or `jwks_file`");
    return STATUS_OK;
}

enum status serve_oauth_read(struct serve_oauth_config *c, const struct yaml *y,
                             const struct yaml_node *node, const char *folder, struct error *err)
{
    static const char *const keys[] = {"issuers",  "jwks_url", "jwks_file",
                                       "resource", "audience", "scopes"};
    const struct yaml_node *issuers = yaml_get(node, "issuers");
    struct str text = STR_INIT;
    enum status st;

    if (!node || c->where)
        return STATUS_OK;
    st = yaml_check_keys(y, node, keys, ARRAY_LEN(keys), err);
    if (st)
        return st;
    str_printf(&text, "%s:%d:%d", yaml_name(y), yaml_line(node), yaml_column(node));
    c->where = str_take(&text);
    c->issuer = xcalloc(yaml_size(issuers) + 1, sizeof(*c->issuer));
    for (size_t i = 0; i < yaml_size(issuers); i++)
        c->issuer[c->n_issuers++] = xstrdup(yaml_text_of(yaml_at(issuers, i)));
    c->jwks_url = text_of(node, "jwks_url");
    c->jwks_file = text_of(node, "jwks_file");
    if (c->jwks_file && c->jwks_file[0] != '/') {
        str_printf(&text, "%s/%s", folder, c->jwks_file);
        free(c->jwks_file);
        c->jwks_file = str_take(&text);
    }
    c->resource = text_of(node, "resource");
    c->audience = text_of(node, "audience");
    join(yaml_get(node, "scopes"), &text);
    c->required = xstrdup(str_cstr(&text));
    str_deinit(&text);
    return check(c, y, node, err);
}

void serve_oauth_config_deinit(struct serve_oauth_config *c)
{
    for (int32_t i = 0; i < c->n_issuers; i++)
        free(c->issuer[i]);
    free(c->issuer);
    free(c->jwks_url);
    free(c->jwks_file);
    free(c->resource);
    free(c->audience);
    free(c->required);
    free(c->where);
}

/* ---- opening */

static char *challenge_of(const struct protected_resource *p, bool with_token)
{
    struct str text = STR_INIT;

    protected_resource_challenge(p, with_token, &text);
    return str_take(&text);
}

/* Where no URL is given: the address that it listens at. */
static void put_resource(const struct serve *s, struct str *out)
{
    const struct serve_oauth_config *c = &s->o.config->oauth;
    bool is_v6 = strchr(s->o.address, ':') != NULL;

    if (c->resource)
        str_puts(out, c->resource);
    else
        str_printf(out, "%s://%s%s%s:%d/mcp", s->o.tls_cert ? "https" : "http", is_v6 ? "[" : "",
                   s->o.address, is_v6 ? "]" : "", s->o.port);
}

enum status serve_oauth_open(struct serve *s, struct error *err)
{
    const struct serve_oauth_config *c = &s->o.config->oauth;
    struct protected_options o = {
        .name = "troupe",
        .issuers = (const char *const *)c->issuer,
        .n_issuers = c->n_issuers,
        .scopes = c->required,
        .required = c->required,
        .audience = c->audience,
        .jwks_file = c->jwks_file,
        .jwks_url = c->jwks_url,
        .env = {.loop = s->loop, .seams = s->o.seams},
    };
    struct str resource = STR_INIT;
    enum status st = STATUS_OK;

    if (c->n_issuers == 0)
        return STATUS_OK;
    if (!s->tokens)
        return error_at(err, STATUS_CONFIG, c->where, 0, 0, "`oauth` does not go with --no-token");
    if (!c->resource && s->o.port == 0)
        return error_at(err, STATUS_CONFIG, c->where, 0, 0,
                        "`oauth` needs `resource`, since --listen gives no port");
    put_resource(s, &resource);
    o.resource = str_cstr(&resource);
    if (c->jwks_url)
        st = troupe_http_client(s->troupe, &o.env.http, err);
    s->oauth = xcalloc(1, sizeof(*s->oauth));
    s->oauth->subjects = map_new();
    if (!st)
        st = protected_resource_new(&o, &s->oauth->resource, err);
    str_deinit(&resource);
    if (st) {
        error_note(err, "%s", c->where);
        return error_as_config(st, err);
    }
    for (int i = 0; i < 2; i++)
        s->oauth->challenge[i] = challenge_of(s->oauth->resource, i == 1);
    return STATUS_OK;
}

void serve_oauth_close(struct serve *s)
{
    struct serve_oauth *o = s->oauth;

    s->oauth = NULL;
    if (!o)
        return;
    protected_resource_free(o->resource);
    map_free(o->subjects, free);
    free(o->challenge[0]);
    free(o->challenge[1]);
    free(o);
}

void serve_oauth_reload(struct serve *s)
{
    struct error err = ERROR_INIT;

    if (s->oauth && protected_resource_reload(s->oauth->resource, &err))
        log_write(s->o.log, LOG_WARN, "the keys of `oauth` stay as they were: %s", err.message);
}

/* ---- access */

/* The subject with its prefix, kept. NULL: too many. */
static const char *keep(struct serve_oauth *o, const char *subject)
{
    char *kept = map_get(o->subjects, subject);
    struct str text = STR_INIT;

    if (kept || map_size(o->subjects) >= SUBJECTS_MAX)
        return kept;
    str_printf(&text, PREFIX "%s", subject);
    kept = str_take(&text);
    (void)map_put(o->subjects, subject, kept);
    return kept;
}

bool serve_access_token(void *serve, const char *token, size_t n, const char **subject)
{
    struct serve *s = serve;
    const char *name;

    if (token_file_find(s->tokens, token, n, subject))
        return true;
    if (!s->oauth || !protected_resource_token(s->oauth->resource, token, n, &name))
        return false;
    *subject = keep(s->oauth, name);
    return *subject != NULL;
}

const char *serve_access_challenge(void *serve, const struct http_request *q, bool with_token)
{
    const struct serve *s = serve;
    bool is_mcp = strcmp(q->path, "/mcp") == 0 || strncmp(q->path, "/mcp/", 5) == 0;

    return s->oauth && is_mcp ? s->oauth->challenge[with_token] : NULL;
}

unsigned serve_access_scopes(const struct serve *s, const char *subject)
{
    if (strncmp(subject, PREFIX, strlen(PREFIX)) == 0)
        return TOKEN_MCP;
    return token_file_scopes(s->tokens, subject);
}

void route_oauth_document(struct serve *s, struct http_call *c, const char *const *part)
{
    const char *text;

    (void)part;
    if (!s->oauth ||
        !protected_resource_is_document(s->oauth->resource, http_call_request(c)->path)) {
        http_call_fail(c, 404, "there is nothing at this path");
        return;
    }
    text = protected_resource_document(s->oauth->resource);
    http_call_reply_json(c, 200, text, strlen(text));
}
