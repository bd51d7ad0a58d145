/* client_login.c - see client_login.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client_login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mcp/auth/mcp_auth.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_client.h"

#define TEXTS 8

static const struct address_policy local = {.allow_http = true, .allow_loopback = true};

struct client_login {
    struct http_client *http;
    struct mcp_auth *auth;
    struct client_auth *client;
    struct http_fetch *page; /* the login page that is being fetched */
    char folder[64], store[96];
    struct str text[TEXTS]; /* of the context, for the options */
    int n_texts;
};

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct client_login *c = ctx;
    struct error err = ERROR_INIT;

    (void)code;
    for (int32_t i = 0; i < n; i++) {
        const char *query = strchr(fields[i].value, '?');

        if (strcmp(fields[i].name, "location") == 0 && query &&
            mcp_auth_redirected(c->auth, query + 1, &err))
            fprintf(stderr, "conformance_client: %s\n", err.message);
    }
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct client_login *c = ctx;

    (void)sent;
    c->page = NULL;
    if (st)
        fprintf(stderr, "conformance_client: the login page: %s\n", err->message);
}

static bool open_url(void *ctx, const char *url)
{
    struct client_login *c = ctx;
    const struct http_fetch_spec spec = {.method = HTTP_GET,
                                         .url = url,
                                         .policy = &local,
                                         .ctx = c,
                                         .on_head = on_head,
                                         .on_done = on_done};

    return http_fetch_start(c->http, &spec, &c->page, NULL) == STATUS_OK;
}

/* A text of the context; NULL: it has none. */
static const char *text_of(struct client_login *c, struct json_view context, const char *key)
{
    struct str *s = &c->text[c->n_texts];

    str_init(s, 1 << 20);
    if (!json_view_text(json_view_get(context, key), s))
        return NULL;
    c->n_texts++;
    return str_cstr(s);
}

static enum mcp_auth_grant grant_of(const char *scenario)
{
    if (strncmp(scenario, "auth/client-credentials", 23) == 0)
        return MCP_AUTH_CLIENT_CREDENTIALS;
    if (strcmp(scenario, "auth/wif-jwt-bearer") == 0 ||
        strcmp(scenario, "auth/enterprise-managed-authorization") == 0)
        return MCP_AUTH_ASSERTION;
    return MCP_AUTH_CODE;
}

struct client_login *client_login_new(struct loop *l, struct http_client *http, const char *url,
                                      const char *scenario, struct json_view context)
{
    struct client_login *c = xcalloc(1, sizeof(*c));
    struct error err = ERROR_INIT;
    struct mcp_auth_options o = {
        .server_url = url,
        .http = http,
        .policy = &local,
        .grant = grant_of(scenario),
        .client_metadata_url = "https://conformance-test.local/client-metadata.json",
        .redirect_uri = "http://localhost:3000/callback",
        .ctx = c,
        .open_url = open_url,
    };

    c->http = http;
    snprintf(c->folder, sizeof(c->folder), "/tmp/conformance-XXXXXX");
    if (!mkdtemp(c->folder)) {
        perror("conformance_client");
        exit(1);
    }
    snprintf(c->store, sizeof(c->store), "%s/auth.json", c->folder);
    o.store_path = c->store;
    o.client_id = text_of(c, context, "client_id");
    o.client_secret = text_of(c, context, "client_secret");
    o.client_key_pem = text_of(c, context, "private_key_pem");
    o.assertion = text_of(c, context, "valid_jwt");
    if (!o.assertion)
        o.assertion = text_of(c, context, "idp_id_token");
    o.idp_token_endpoint = text_of(c, context, "idp_token_endpoint");
    o.idp_client_id = text_of(c, context, "idp_client_id");
    if (mcp_auth_new(l, &o, &c->auth, &err)) {
        fprintf(stderr, "conformance_client: %s\n", err.message);
        exit(1);
    }
    c->client = client_auth_new(c->auth, "the server");
    return c;
}

void client_login_free(struct client_login *c)
{
    char lock[128];

    if (c->page)
        http_fetch_cancel(c->page);
    client_auth_free(c->client);
    mcp_auth_free(c->auth);
    for (int i = 0; i < c->n_texts; i++)
        str_deinit(&c->text[i]);
    snprintf(lock, sizeof(lock), "%s.lock", c->store);
    unlink(c->store);
    unlink(lock);
    rmdir(c->folder);
    free(c);
}

struct mcp_client_auth client_login_ops(struct client_login *c)
{
    return client_auth_ops(c->client);
}
