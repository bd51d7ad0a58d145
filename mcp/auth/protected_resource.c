/* protected_resource.c - see protected_resource.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/protected_resource.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_scope.h"
#include "mcp/auth/auth_url.h"
#include "mcp/auth/jwks.h"
#include "mcp/auth/www_authenticate.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_url.h"
#include "runtime/loop/loop.h"

#define WELL_KNOWN        "/.well-known/oauth-protected-resource"
#define SUBJECT_BYTES_MAX 256

struct protected_resource {
    struct auth_env env;
    struct str resource, audience, scopes, required, jwks_file, jwks_url;
    struct str document, metadata_url, path; /* path: of the resource, without a "/" at its end */
    char **issuers;
    int32_t n_issuers;
    struct jwks *keys; /* NULL: not fetched yet */
    struct map *subjects;
    struct auth_fetch *fetch;
    struct loop_timer *timer;
    int64_t fetched_ms; /* when the last fetch began; 0: never */
};

/* ---- the document */

static void write_document(struct protected_resource *p, const struct protected_options *o)
{
    struct json *doc = jv_object(), *servers = jv_array(), *methods = jv_array();

    for (int32_t i = 0; i < p->n_issuers; i++)
        jv_append_adopt(servers, jv_string(p->issuers[i]));
    jv_append_adopt(methods, jv_string("header"));
    jv_set_string(doc, "resource", o->resource);
    jv_set_adopt(doc, "authorization_servers", servers);
    jv_set_adopt(doc, "bearer_methods_supported", methods);
    if (p->scopes.len > 0) {
        struct json *scopes = jv_array();

        for (const char *at = str_cstr(&p->scopes); *at; at += strcspn(at, " "), at += *at == ' ')
            jv_append_adopt(scopes, jv_string_n(at, strcspn(at, " ")));
        jv_set_adopt(doc, "scopes_supported", scopes);
    }
    if (o->name)
        jv_set_string(doc, "resource_name", o->name);
    jv_write(doc, 0, &p->document);
    jv_unref(doc);
}

bool protected_resource_is_document(const struct protected_resource *p, const char *path)
{
    size_t n = strlen(WELL_KNOWN);

    return strncmp(path, WELL_KNOWN, n) == 0 &&
           (path[n] == '\0' || strcmp(path + n, str_cstr(&p->path)) == 0);
}

const char *protected_resource_document(const struct protected_resource *p)
{
    return str_cstr(&p->document);
}

void protected_resource_challenge(const struct protected_resource *p, bool with_token,
                                  struct str *out)
{
    bearer_challenge_put(out, str_cstr(&p->metadata_url), with_token ? "invalid_token" : NULL,
                         str_cstr(&p->required));
}

void protected_resource_step_up(const struct protected_resource *p, const char *scope,
                                struct str *out)
{
    bearer_challenge_put(out, str_cstr(&p->metadata_url), "insufficient_scope", scope);
}

/* ---- the keys */

static void fetch_keys(struct protected_resource *p);

static void on_refresh(void *ctx)
{
    struct protected_resource *p = ctx;

    loop_timer_free(p->timer);
    p->timer = NULL;
    fetch_keys(p);
}

static void fetch_later(struct protected_resource *p, int64_t ms)
{
    loop_timer_free(p->timer);
    p->timer = loop_timer_new(p->env.loop, ms, on_refresh, p);
}

static void on_keys(void *ctx, enum status st, int code, const struct str *body,
                    const struct error *err)
{
    struct protected_resource *p = ctx;
    struct jwks *keys = NULL;

    (void)err;
    p->fetch = NULL;
    if (!st && code == 200 &&
        jwks_parse(str_cstr(body), body->len, "jwks_url", &keys, NULL) == STATUS_OK) {
        jwks_free(p->keys);
        p->keys = keys;
        fetch_later(p, PROTECTED_KEYS_MS);
    } else { /* the old keys stay */
        fetch_later(p, PROTECTED_KEYS_GAP_MS);
    }
}

static void fetch_keys(struct protected_resource *p)
{
    p->fetched_ms = seams_wall_ms(p->env.seams);
    if (auth_fetch_start(
            &p->env,
            &(struct auth_fetch_spec){
                .url = str_cstr(&p->jwks_url), .what = "the key set", .ctx = p, .done = on_keys},
            &p->fetch, NULL))
        fetch_later(p, PROTECTED_KEYS_GAP_MS);
}

/* A token with an unknown key: the server may have changed its keys. Anyone can send such tokens,
 * so this happens at most once in PROTECTED_KEYS_GAP_MS. */
static void fetch_for_unknown_key(struct protected_resource *p)
{
    if (p->jwks_url.len > 0 && !p->fetch &&
        seams_wall_ms(p->env.seams) >= p->fetched_ms + PROTECTED_KEYS_GAP_MS)
        fetch_keys(p);
}

static enum status read_keys(struct protected_resource *p, struct error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    struct jwks *keys = NULL;
    enum status st = file_read(str_cstr(&p->jwks_file), JWKS_BYTES_MAX, &bytes, &n, err);

    if (!st)
        st = jwks_parse(bytes, n, str_cstr(&p->jwks_file), &keys, err);
    free(bytes);
    if (!st) {
        jwks_free(p->keys);
        p->keys = keys;
    }
    return error_as_config(st, err);
}

enum status protected_resource_reload(struct protected_resource *p, struct error *err)
{
    if (p->jwks_file.len > 0)
        return read_keys(p, err);
    if (!p->fetch)
        fetch_keys(p);
    return STATUS_OK;
}

/* ---- the check */

static enum status refuse(struct error *err, const char *why)
{
    return error_set(err, STATUS_REJECTED, "the token %s", why);
}

/* aud is a text or an array of texts (RFC 7519, 4.1.3). */
static bool has_audience(const struct json *aud, const char *wanted)
{
    bool has = strcmp(jv_get_string(aud, ""), wanted) == 0;

    for (size_t i = 0; i < jv_size(aud); i++)
        has |= strcmp(jv_get_string(jv_at(aud, i), ""), wanted) == 0;
    return has;
}

static bool is_issuer(const struct protected_resource *p, const char *iss)
{
    bool is = false;

    for (int32_t i = 0; i < p->n_issuers; i++)
        is |= strcmp(p->issuers[i], iss) == 0;
    return is;
}

static enum status check_claims(const struct protected_resource *p, const struct json *claims,
                                struct error *err)
{
    const struct json *nbf = jv_get(claims, "nbf"), *exp = jv_get(claims, "exp");
    double now_s = (double)seams_wall_ms(p->env.seams) / 1000;
    const char *sub = jv_get_string(jv_get(claims, "sub"), "");

    if (!is_issuer(p, jv_get_string(jv_get(claims, "iss"), "")))
        return refuse(err, "is of an issuer that is not configured");
    if (!has_audience(jv_get(claims, "aud"), str_cstr(&p->audience)))
        return refuse(err, "was issued for another resource (aud)");
    if (jv_kind(exp) != JV_INT && jv_kind(exp) != JV_REAL)
        return refuse(err, "has no time at which it ends (exp)");
    if (jv_get_number(exp, 0) + PROTECTED_LEEWAY_S <= now_s)
        return refuse(err, "has expired");
    if (nbf && jv_get_number(nbf, now_s + 1e9) - PROTECTED_LEEWAY_S > now_s)
        return refuse(err, "is not valid yet (nbf)");
    if (!*sub || strlen(sub) > SUBJECT_BYTES_MAX)
        return refuse(err, "has no subject (sub) of 1 to 256 bytes");
    for (const char *c = sub; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return refuse(err, "has a control character in its subject (sub)");
    return STATUS_OK;
}

/* `scope` is one text; some servers send `scp`, an array. */
static enum status check_scopes(const struct protected_resource *p, const struct json *claims,
                                struct str *out, struct error *err)
{
    const struct json *scp = jv_get(claims, "scp");
    enum status st = scope_add(out, jv_get_string(jv_get(claims, "scope"), ""), err);

    for (size_t i = 0; i < jv_size(scp) && !st; i++)
        st = scope_add(out, jv_get_string(jv_at(scp, i), ""), err);
    if (!st && !scope_covers(str_cstr(out), str_cstr(&p->required)))
        st = refuse(err, "lacks a scope that every request needs");
    return st;
}

/* The name of the subject, kept for the life of p. */
static enum status keep_subject(struct protected_resource *p, const struct json *claims,
                                const char **out, struct error *err)
{
    struct str name = STR_INIT;
    char *kept;
    enum status st = STATUS_OK;

    if (p->n_issuers > 1)
        str_printf(&name, "%s ", jv_get_string(jv_get(claims, "iss"), ""));
    str_puts(&name, jv_get_string(jv_get(claims, "sub"), ""));
    kept = map_get(p->subjects, str_cstr(&name));
    if (!kept && map_size(p->subjects) >= PROTECTED_SUBJECTS_MAX) {
        st = refuse(err, "is of one subject more than this server can keep apart");
    } else if (!kept) {
        kept = xstrdup(str_cstr(&name));
        map_put(p->subjects, kept, kept);
    }
    str_deinit(&name);
    if (!st)
        *out = kept;
    return st;
}

enum status protected_resource_check(struct protected_resource *p, const char *token, size_t n,
                                     const char **subject, struct str *scopes, struct error *err)
{
    struct jwt t = {.kid = NULL};
    struct str found = STR_INIT;
    bool knows_kid = false;
    enum status st = p->keys ? jwt_parse(token, n, &t, err)
                             : refuse(err, "cannot be checked: the keys have not come yet");

    if (!st && !jwks_verify(p->keys, &t, token, &knows_kid)) {
        if (!knows_kid)
            fetch_for_unknown_key(p);
        st = refuse(err, knows_kid ? "has a signature that is not valid"
                                   : "is signed with a key that is not in the key set");
    }
    if (!st)
        st = check_claims(p, t.claims, err);
    if (!st)
        st = check_scopes(p, t.claims, &found, err);
    if (!st)
        st = keep_subject(p, t.claims, subject, err);
    if (!st && scopes)
        str_puts(scopes, str_cstr(&found));
    str_deinit(&found);
    jwt_deinit(&t);
    if (st && err)
        err->status = STATUS_REJECTED;
    return st ? STATUS_REJECTED : STATUS_OK;
}

bool protected_resource_token(void *protected_resource, const char *token, size_t n,
                              const char **subject)
{
    return protected_resource_check(protected_resource, token, n, subject, NULL, NULL) == STATUS_OK;
}

/* ---- options */

static enum status copy_texts(struct protected_resource *p, const struct protected_options *o,
                              struct error *err)
{
    enum status st = scope_add(&p->scopes, o->scopes, err);

    if (!st)
        st = scope_add(&p->required, o->required, err);
    str_puts(&p->resource, o->resource);
    str_puts(&p->audience, o->audience ? o->audience : o->resource);
    str_puts(&p->jwks_file, o->jwks_file ? o->jwks_file : "");
    str_puts(&p->jwks_url, o->jwks_url ? o->jwks_url : "");
    p->issuers = xcalloc((size_t)o->n_issuers, sizeof(*p->issuers));
    for (; p->n_issuers < o->n_issuers; p->n_issuers++)
        p->issuers[p->n_issuers] = xstrdup(o->issuers[p->n_issuers]);
    return st;
}

static enum status check_options(struct protected_resource *p, const struct protected_options *o,
                                 struct error *err)
{
    const struct address_policy *policy = o->env.policy;
    struct http_url url = {.target = NULL};
    enum status st = auth_url_check(o->resource, policy, "resource", err);

    for (int32_t i = 0; i < o->n_issuers && !st; i++)
        st = auth_issuer_check(o->issuers[i], policy, err);
    if (!st && o->jwks_url)
        st = auth_url_check(o->jwks_url, policy, "jwks_url", err);
    if (!st && (!o->jwks_url) == (!o->jwks_file))
        st = error_set(err, STATUS_CONFIG, "expected one of jwks_file and jwks_url");
    if (!st)
        st = http_url_parse(o->resource, &url, err);
    if (!st) {
        str_append(&p->path, url.target, strcspn(url.target, "?"));
        while (p->path.len > 0 && p->path.data[p->path.len - 1] == '/')
            p->path.data[--p->path.len] = '\0';
        (void)auth_url_resource_metadata(o->resource, 0, &p->metadata_url);
    }
    http_url_deinit(&url);
    return error_as_config(st, err);
}

enum status protected_resource_new(const struct protected_options *o,
                                   struct protected_resource **out, struct error *err)
{
    struct protected_resource *p;
    enum status st;

    if (o->n_issuers < 1)
        return error_set(err, STATUS_CONFIG, "expected at least one issuer of tokens");
    p = xcalloc(1, sizeof(*p));
    p->env = o->env;
    p->resource = p->audience = p->scopes = p->required = p->jwks_file = p->jwks_url = STR_INIT;
    p->document = p->metadata_url = p->path = STR_INIT;
    p->subjects = map_new();
    st = error_as_config(copy_texts(p, o, err), err);
    if (!st)
        st = check_options(p, o, err);
    if (!st)
        write_document(p, o);
    if (!st && o->jwks_file)
        st = read_keys(p, err);
    if (st) {
        error_note(err, "authorization of the MCP endpoint");
        protected_resource_free(p);
        return st;
    }
    if (o->jwks_url)
        fetch_keys(p);
    *out = p;
    return STATUS_OK;
}

static void free_texts(struct protected_resource *p)
{
    struct str *const all[] = {&p->resource, &p->audience,     &p->scopes,
                               &p->required, &p->jwks_file,    &p->jwks_url,
                               &p->document, &p->metadata_url, &p->path};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        str_deinit(all[i]);
}

void protected_resource_free(struct protected_resource *p)
{
    if (!p)
        return;
    auth_fetch_cancel(p->fetch);
    loop_timer_free(p->timer);
    free_texts(p);
    for (int32_t i = 0; i < p->n_issuers; i++)
        free(p->issuers[i]);
    free(p->issuers);
    jwks_free(p->keys);
    map_free(p->subjects, free);
    free(p);
}
