/* auth_metadata.c - see auth_metadata.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_scope.h"
#include "mcp/auth/auth_url.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"

static const struct {
    const char *name;
    enum client_auth auth;
} auth_names[] = {
    {"none", CLIENT_AUTH_NONE},
    {"client_secret_basic", CLIENT_AUTH_BASIC},
    {"client_secret_post", CLIENT_AUTH_POST},
    {"private_key_jwt", CLIENT_AUTH_JWT},
};

const char *client_auth_name(enum client_auth one)
{
    size_t i = 0;

    while (auth_names[i].auth != one)
        i++;
    return auth_names[i].name;
}

bool client_auth_parse(const char *name, enum client_auth *out)
{
    for (size_t i = 0; i < ARRAY_LEN(auth_names); i++)
        if (strcmp(auth_names[i].name, name) == 0) {
            *out = auth_names[i].auth;
            return true;
        }
    return false;
}

static bool array_has(const struct json *array, const char *text)
{
    for (size_t i = 0; i < jv_size(array); i++)
        if (strcmp(jv_get_string(jv_at(array, i), ""), text) == 0)
            return true;
    return false;
}

/* Adds the strings of an array to a set of scopes. */
static enum status read_scopes(const struct json *array, struct str *out, struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; i < jv_size(array) && !st; i++)
        st = scope_add(out, jv_get_string(jv_at(array, i), ""), err);
    return st;
}

static enum status parse_object(const char *json, size_t n, const char *what, struct json **out,
                                struct error *err)
{
    enum status st = jv_parse_max(json, n, METADATA_BYTES_MAX, what, out, err);

    if (!st && jv_kind(*out) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "%s is not a JSON object", what);
    return st;
}

/* ---- the resource */

static enum status choose_issuer(const struct json *servers, const char *wanted, char **out,
                                 struct error *err)
{
    const char *first = jv_get_string(jv_at(servers, 0), "");

    if (!*first)
        return error_set(err, STATUS_INVALID,
                         "the metadata of the MCP server names no "
                         "authorization server (authorization_servers)");
    *out = xstrdup(wanted && array_has(servers, wanted) ? wanted : first);
    return STATUS_OK;
}

static enum status read_resource(const struct json *doc, const char *url, const char *wanted,
                                 const struct address_policy *policy, struct resource_metadata *out,
                                 struct error *err)
{
    const char *resource = jv_get_string(jv_get(doc, "resource"), "");
    const struct json *methods = jv_get(doc, "bearer_methods_supported");
    enum status st;

    if (!*resource)
        return error_set(err, STATUS_INVALID, "the metadata of the MCP server has no resource");
    if (!auth_resource_is_of(resource, url))
        return error_set(err, STATUS_REJECTED,
                         "the metadata of the MCP server is that of another "
                         "resource; expected the server's own URL");
    if (methods && !array_has(methods, "header"))
        return error_set(err, STATUS_UNSUPPORTED,
                         "the MCP server takes no token in a header (bearer_methods_supported)");
    out->resource = xstrdup(resource);
    out->wants_dpop = jv_get_bool(jv_get(doc, "dpop_bound_access_tokens_required"), false);
    st = choose_issuer(jv_get(doc, "authorization_servers"), wanted, &out->issuer, err);
    if (!st)
        st = auth_issuer_check(out->issuer, policy, err);
    return st ? st : read_scopes(jv_get(doc, "scopes_supported"), &out->scopes, err);
}

enum status resource_metadata_read(const char *json, size_t n, const char *url, const char *wanted,
                                   const struct address_policy *policy,
                                   struct resource_metadata *out, struct error *err)
{
    struct resource_metadata m = {.scopes = STR_INIT};
    struct json *doc = NULL;
    enum status st = parse_object(json, n, "the metadata of the MCP server", &doc, err);

    if (!st)
        st = read_resource(doc, url, wanted, policy, &m, err);
    jv_unref(doc);
    if (st)
        resource_metadata_deinit(&m);
    else
        *out = m;
    return st;
}

void resource_metadata_deinit(struct resource_metadata *m)
{
    free(m->resource);
    free(m->issuer);
    str_deinit(&m->scopes);
    *m = (struct resource_metadata){.resource = NULL};
}

/* ---- the authorization server */

static enum status read_endpoint(const struct json *doc, const char *key,
                                 const struct address_policy *policy, char **out, struct error *err)
{
    const char *url = jv_get_string(jv_get(doc, key), "");
    enum status st;

    if (!*url)
        return STATUS_OK;
    st = auth_url_check(url, policy, key, err);
    if (!st)
        *out = xstrdup(url);
    return st;
}

static void read_auth(const struct json *doc, struct server_metadata *out)
{
    const struct json *methods = jv_get(doc, "token_endpoint_auth_methods_supported");

    out->lists_auth = jv_kind(methods) == JV_ARRAY;
    for (size_t i = 0; i < ARRAY_LEN(auth_names); i++)
        if (array_has(methods, auth_names[i].name))
            out->auth |= auth_names[i].auth;
    if (!out->lists_auth)
        out->auth = CLIENT_AUTH_BASIC;
}

static enum status read_server(const struct json *doc, const char *issuer,
                               const struct address_policy *policy, struct server_metadata *out,
                               struct error *err)
{
    const struct json *grants = jv_get(doc, "grant_types_supported");
    const struct json *scopes = jv_get(doc, "scopes_supported");
    enum status st;

    if (strcmp(jv_get_string(jv_get(doc, "issuer"), ""), issuer) != 0)
        return error_set(err, STATUS_REJECTED,
                         "the metadata of the authorization server is that "
                         "of another issuer; expected %.200s",
                         issuer);
    out->issuer = xstrdup(issuer);
    st = read_endpoint(doc, "authorization_endpoint", policy, &out->authorization_endpoint, err);
    if (!st)
        st = read_endpoint(doc, "token_endpoint", policy, &out->token_endpoint, err);
    if (!st)
        st = read_endpoint(doc, "registration_endpoint", policy, &out->registration_endpoint, err);
    if (!st && !out->token_endpoint)
        st = error_set(err, STATUS_INVALID,
                       "the metadata of the authorization server has no token_endpoint");
    if (st)
        return st;
    out->has_s256 = array_has(jv_get(doc, "code_challenge_methods_supported"), "S256");
    out->sends_iss =
        jv_get_bool(jv_get(doc, "authorization_response_iss_parameter_supported"), false);
    out->takes_metadata_url =
        jv_get_bool(jv_get(doc, "client_id_metadata_document_supported"), false);
    out->refreshes = !grants || array_has(grants, "refresh_token");
    out->lists_scopes = jv_kind(scopes) == JV_ARRAY;
    read_auth(doc, out);
    return read_scopes(scopes, &out->scopes, err);
}

enum status server_metadata_read(const char *json, size_t n, const char *issuer,
                                 const struct address_policy *policy, struct server_metadata *out,
                                 struct error *err)
{
    struct server_metadata m = {.scopes = STR_INIT};
    struct json *doc = NULL;
    enum status st = parse_object(json, n, "the metadata of the authorization server", &doc, err);

    if (!st)
        st = read_server(doc, issuer, policy, &m, err);
    jv_unref(doc);
    if (st)
        server_metadata_deinit(&m);
    else
        *out = m;
    return st;
}

void server_metadata_deinit(struct server_metadata *m)
{
    free(m->issuer);
    free(m->authorization_endpoint);
    free(m->token_endpoint);
    free(m->registration_endpoint);
    str_deinit(&m->scopes);
    *m = (struct server_metadata){.issuer = NULL};
}
