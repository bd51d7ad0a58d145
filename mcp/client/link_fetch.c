/* link_fetch.c - see link_fetch.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/client/link_fetch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/memory.h"

#define LONG_MS ((int64_t)24 * 3600 * 1000) /* streams stay open; the client has its own limits */

struct link_fetch {
    struct link_fetch_spec spec;
    struct http_fields fields, challenge;
    struct str url, body, used; /* used: the value of Authorization */
    struct http_fetch *fetch;
    void *wait; /* for authorization */
    int code;   /* 401 or 403 that is being answered; else 0 */
    int32_t n_tries;
};

static void free_fetch(struct link_fetch *f)
{
    http_fields_deinit(&f->fields);
    http_fields_deinit(&f->challenge);
    str_deinit(&f->url);
    str_deinit(&f->body);
    str_deinit(&f->used);
    free(f);
}

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct link_fetch *f = ctx;

    f->code = 0;
    if ((code != 401 && code != 403) || !f->spec.client->auth) {
        f->spec.on_head(f->spec.ctx, code, fields, n);
        return;
    }
    f->code = code;
    http_fields_clear(&f->challenge);
    for (int32_t i = 0; i < n; i++)
        (void)!http_fields_add(&f->challenge, fields[i].name, strlen(fields[i].name),
                               fields[i].value, strlen(fields[i].value), NULL);
}

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct link_fetch *f = ctx;

    return f->code ? true : f->spec.on_body(f->spec.ctx, bytes, n);
}

static void finish(struct link_fetch *f, enum status st, const struct error *err)
{
    struct link_fetch_spec spec = f->spec;

    free_fetch(f);
    spec.on_done(spec.ctx, st, err);
}

static enum status begin(struct link_fetch *f, struct error *err);

static void on_authorized(void *arg, bool again, const struct error *err)
{
    struct link_fetch *f = arg;
    struct error copy = ERROR_INIT;

    f->wait = NULL;
    if (err)
        copy = *err;
    if (again) {
        f->n_tries++;
        if (begin(f, &copy) == STATUS_OK)
            return;
    }
    f->spec.on_head(f->spec.ctx, f->code, http_fields_list(&f->challenge), f->challenge.n);
    if (!copy.status)
        (void)error_set(&copy, STATUS_REJECTED, "the server answers with the code %d", f->code);
    finish(f, copy.status, &copy);
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct link_fetch *f = ctx;
    const struct mcp_client_auth *auth = f->spec.client->auth;
    struct mcp_client_challenge c = {.code = f->code,
                                     .n_tries = f->n_tries,
                                     .used = f->used.len > 0 ? str_cstr(&f->used) : NULL};

    (void)sent;
    f->fetch = NULL;
    if (!f->code) {
        finish(f, st, err);
        return;
    }
    c.fields = http_fields_list(&f->challenge);
    c.n_fields = c.fields ? f->challenge.n : 0;
    f->wait = auth->answer(auth->ctx, &c, on_authorized, f);
    if (!f->wait)
        on_authorized(f, false, NULL);
}

static enum status add(struct http_fields *to, const char *name, const char *value,
                       struct error *err)
{
    return http_fields_add(to, name, strlen(name), value, strlen(value), err);
}

static enum status put_fields(struct link_fetch *f, struct http_fields *all, struct error *err)
{
    const struct mcp_client_spec *client = f->spec.client;
    const char *header = client->auth ? client->auth->header(client->auth->ctx) : NULL;
    const struct http_field *own = http_fields_list(&f->fields);
    const char *proof = NULL;
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < f->fields.n && own && !st; i++)
        st = add(all, own[i].name, own[i].value, err);
    for (int32_t i = 0; i < client->n_fields && !st; i++)
        st = add(all, client->fields[i].name, client->fields[i].value, err);
    str_clear(&f->used);
    if (!st && header) {
        str_puts(&f->used, header);
        st = add(all, "authorization", header, err);
        proof = client->auth->proof ? client->auth->proof(client->auth->ctx, f->spec.method) : NULL;
    }
    if (!st && proof)
        st = add(all, "dpop", proof, err);
    return st;
}

static enum status begin(struct link_fetch *f, struct error *err)
{
    const struct mcp_client_spec *client = f->spec.client;
    struct http_fetch_spec spec = {.method = f->spec.method,
                                   .url = str_cstr(&f->url),
                                   .body = str_cstr(&f->body),
                                   .body_bytes = f->body.len,
                                   .policy = client->policy,
                                   .first_byte_ms = LONG_MS,
                                   .idle_ms = LONG_MS,
                                   .deadline_ms = f->spec.deadline_ms,
                                   .max_body = INT64_MAX,
                                   .ctx = f,
                                   .on_head = on_head,
                                   .on_body = on_body,
                                   .on_done = on_done};
    struct http_fields all;
    enum status st;

    http_fields_init(&all);
    st = put_fields(f, &all, err);
    if (!st) {
        spec.fields = http_fields_list(&all);
        spec.n_fields = spec.fields ? all.n : 0;
        st = http_fetch_start(client->http, &spec, &f->fetch, err);
    }
    http_fields_deinit(&all);
    return st;
}

enum status link_fetch_start(const struct link_fetch_spec *spec, struct link_fetch **out,
                             struct error *err)
{
    struct link_fetch *f = xcalloc(1, sizeof(*f));
    enum status st = STATUS_OK;

    f->spec = *spec;
    f->fields = *spec->fields;
    http_fields_init(spec->fields);
    http_fields_init(&f->challenge);
    f->url = f->used = STR_INIT;
    str_init(&f->body, spec->body_bytes + 1);
    str_puts(&f->url, spec->url);
    if (spec->body_bytes > 0)
        str_append(&f->body, spec->body, spec->body_bytes);
    if (!str_ok(&f->body))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a request of %zu bytes",
                       spec->body_bytes);
    if (!st)
        st = begin(f, err);
    if (st) {
        free_fetch(f);
        return st;
    }
    *out = f;
    return STATUS_OK;
}

void link_fetch_cancel(struct link_fetch *f)
{
    if (!f)
        return;
    if (f->fetch)
        http_fetch_cancel(f->fetch);
    if (f->wait)
        f->spec.client->auth->cancel(f->spec.client->auth->ctx, f->wait);
    free_fetch(f);
}

bool link_fetch_is_type(const struct http_field *fields, int32_t n, const char *type)
{
    const char *value = http_field_value(fields, n, "content-type");
    size_t len = strlen(type);

    return value && strncasecmp(value, type, len) == 0 && strchr("; \t", value[len]);
}
