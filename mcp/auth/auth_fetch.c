/* auth_fetch.c - see auth_fetch.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_fetch.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/auth/auth_dpop.h"
#include "mcp/auth/auth_metadata.h"
#include "runtime/base/memory.h"
#include "runtime/http/http_redirect.h"

struct auth_fetch {
    struct auth_env env;
    struct auth_fetch_spec spec;
    struct http_fetch *http;
    struct str url, type, authorization, dpop, body, location, answer;
    int code, n_redirects;
};

static void free_fetch(struct auth_fetch *f)
{
    struct str *const all[] = {&f->url,  &f->type,     &f->authorization, &f->dpop,
                               &f->body, &f->location, &f->answer};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i]->data)
            explicit_bzero(all[i]->data, all[i]->len);
        str_deinit(all[i]);
    }
    free(f);
}

static void finish(struct auth_fetch *f, enum status st, const struct error *err)
{
    struct error why = err ? *err : ERROR_INIT;

    if (st)
        error_note(&why, "%s", f->spec.what);
    f->spec.done(f->spec.ctx, st, f->code, &f->answer, &why);
    free_fetch(f);
}

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct auth_fetch *f = ctx;
    const char *location = http_field_value(fields, n, "location");
    const char *nonce = http_field_value(fields, n, "dpop-nonce");

    f->code = code;
    str_clear(&f->location);
    if (location)
        str_puts(&f->location, location);
    if (nonce && f->spec.nonce && auth_dpop_is_nonce(nonce)) {
        str_clear(f->spec.nonce);
        str_puts(f->spec.nonce, nonce);
    }
}

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct auth_fetch *f = ctx;

    str_append(&f->answer, bytes, n);
    return str_ok(&f->answer);
}

static enum status begin(struct auth_fetch *f, struct error *err);

/* false: not a redirect, so the answer is final. */
static bool follow(struct auth_fetch *f, enum status *st, struct error *err)
{
    struct http_url from = {.target = NULL};
    struct http_redirect to = {.same_origin = false};

    *st = STATUS_OK;
    if (!http_is_redirect(f->code))
        return false;
    if (f->type.len > 0) {
        *st = error_set(err, STATUS_REJECTED, "it redirects, which is not allowed here");
        return true;
    }
    *st = http_url_parse(str_cstr(&f->url), &from, err);
    if (!*st)
        *st = http_redirect_follow(&from, f->code, HTTP_GET, str_cstr(&f->location), &to, err);
    if (!*st && !to.same_origin)
        *st = error_set(err, STATUS_REJECTED, "it redirects to another origin");
    else if (!*st && ++f->n_redirects > AUTH_REDIRECTS_MAX)
        *st = error_set(err, STATUS_LIMIT, "more than %d redirects", AUTH_REDIRECTS_MAX);
    if (!*st) {
        str_clear(&f->url);
        str_printf(&f->url, "%s%s", to.url.origin, to.url.target);
        str_clear(&f->answer);
        *st = begin(f, err);
    }
    http_url_deinit(&to.url);
    http_url_deinit(&from);
    return true;
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct auth_fetch *f = ctx;
    struct error why = *err;

    (void)sent;
    f->http = NULL;
    if (!st && follow(f, &st, &why)) {
        if (st)
            finish(f, st, &why);
        return;
    }
    if (st == STATUS_CANCELLED) /* only on_body cancels */
        st = error_set(&why, STATUS_NO_MEMORY, "no memory for the answer");
    finish(f, st, &why);
}

static enum status begin(struct auth_fetch *f, struct error *err)
{
    bool posts = f->type.len > 0;
    int64_t limit_ms = f->env.fetch_ms ? f->env.fetch_ms : AUTH_FETCH_MS;
    struct http_field fields[4] = {{"accept", "application/json"}};
    int32_t n = 1;

    if (posts)
        fields[n++] = (struct http_field){"content-type", str_cstr(&f->type)};
    if (f->authorization.len > 0)
        fields[n++] = (struct http_field){"authorization", str_cstr(&f->authorization)};
    if (f->dpop.len > 0)
        fields[n++] = (struct http_field){"dpop", str_cstr(&f->dpop)};
    return http_fetch_start(f->env.http,
                            &(struct http_fetch_spec){.method = posts ? HTTP_POST : HTTP_GET,
                                                      .url = str_cstr(&f->url),
                                                      .fields = fields,
                                                      .n_fields = n,
                                                      .body = posts ? str_cstr(&f->body) : NULL,
                                                      .body_bytes = posts ? f->body.len : 0,
                                                      .policy = f->env.policy,
                                                      .first_byte_ms = limit_ms,
                                                      .idle_ms = limit_ms,
                                                      .deadline_ms = limit_ms,
                                                      .max_body = (int64_t)METADATA_BYTES_MAX,
                                                      .ctx = f,
                                                      .on_head = on_head,
                                                      .on_body = on_body,
                                                      .on_done = on_done},
                            &f->http, err);
}

enum status auth_fetch_start(const struct auth_env *env, const struct auth_fetch_spec *s,
                             struct auth_fetch **out, struct error *err)
{
    struct auth_fetch *f = xcalloc(1, sizeof(*f));
    enum status st;

    f->env = *env;
    f->spec = *s;
    f->url = f->type = f->authorization = f->dpop = f->body = f->location = f->answer = STR_INIT;
    str_puts(&f->url, s->url);
    str_puts(&f->type, s->type ? s->type : "");
    str_puts(&f->authorization, s->authorization ? s->authorization : "");
    str_puts(&f->dpop, s->dpop ? s->dpop : "");
    str_append(&f->body, s->body ? s->body : "", s->body_bytes);
    st = begin(f, err);
    if (st) {
        error_note(err, "%s", s->what);
        free_fetch(f);
        return st;
    }
    *out = f;
    return STATUS_OK;
}

void auth_fetch_cancel(struct auth_fetch *f)
{
    if (!f)
        return;
    if (f->http)
        http_fetch_cancel(f->http);
    free_fetch(f);
}
