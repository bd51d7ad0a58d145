/* route_runs.c - /api/runs: the list of runs, page by page, and a new run.
 *
 * A new run is a blueprint or an agent of the configuration: no request names a file. It is
 * acknowledged once it is durable; this process, or another that watches the store, drives it. With
 * an Idempotency-Key the request can be repeated: as long as the run exists, it gives the same run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/document.h"
#include "runtime/api/run_summary.h"
#include "runtime/api/troupe_watch.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/base/time_text.h"
#include "runtime/serve/api.h"
#include "runtime/serve/serve_note.h"
#include "runtime/serve/v1.h"

#define LIST_DEFAULT 100
#define LIST_MOST    1000
#define LIST_US      100000 /* a page that takes longer is shorter: others wait for it */
#define KEY_MAX      255

/* ---- the list */

struct page {
    struct serve *s;
    struct store_reader *q;
    struct json *runs;
    size_t limit;
    int64_t until_us;
    bool more;
    char last[37]; /* on the page */
};

static bool add_run(void *ctx, const struct run_row *r)
{
    struct page *p = ctx;

    if (jv_size(p->runs) >= p->limit ||
        (jv_size(p->runs) > 0 && seams_mono_us(p->s->o.seams) > p->until_us)) {
        p->more = true;
        return false;
    }
    jv_append_adopt(p->runs, run_summary_json(r, p->q));
    snprintf(p->last, sizeof(p->last), "%s", r->uuid);
    return true;
}

/* "2h", as the option --since takes it, or a time. */
static bool read_since(struct serve *s, const char *text, int64_t *out)
{
    int64_t ms;

    if (text_to_duration_ms(text, &ms))
        *out = seams_wall_ms(s->o.seams) - ms;
    else if (!time_from_rfc3339(text, out))
        return false;
    return true;
}

static enum status read_filter(struct serve *s, const char *query, struct run_filter *f,
                               size_t *limit, struct error *err)
{
    char text[API_TEXT_MAX];
    int64_t n = LIST_DEFAULT;
    struct error why = ERROR_INIT;

    if (http_query_value(query, "status", text, sizeof(text)) &&
        run_statuses_parse(text, &f->statuses, &why))
        return error_set(err, STATUS_USAGE, "status: %s; %s", why.message, why.hint);
    if (http_query_value(query, "since", text, sizeof(text)) && !read_since(s, text, &f->since_ms))
        return error_set(err, STATUS_USAGE,
                         "since: expected a duration, as in 2h, or a time, as in "
                         "2026-03-01T08:00:00Z");
    if (http_query_value(query, "limit", text, sizeof(text)) &&
        (!text_to_i64(text, &n) || n < 1 || n > LIST_MOST))
        return error_set(err, STATUS_USAGE, "limit: expected a number from 1 to %d", LIST_MOST);
    *limit = (size_t)n;
    return STATUS_OK;
}

void route_runs(struct serve *s, struct http_call *c, const char *const *part)
{
    static const char *const known[] = {"status", "since", "limit", "before"};
    const char *query = http_call_request(c)->query;
    char text[API_TEXT_MAX], before[37];
    struct page p = {.s = s};
    struct run_filter f = {.statuses = 0};
    struct error err = ERROR_INIT;
    enum status st;

    (void)part;
    if (!api_query(c, known, ARRAY_LEN(known)) || !api_reader(s, c, &p.q))
        return;
    p.runs = jv_array();
    p.until_us = seams_mono_us(s->o.seams) + LIST_US;
    st = read_filter(s, query, &f, &p.limit, &err);
    if (!st && http_query_value(query, "before", text, sizeof(text))) {
        st = query_resolve_run(p.q, text, before, &err);
        f.before = before;
    }
    if (!st)
        st = query_runs_like(p.q, &f, add_run, &p, &err);
    if (st) {
        serve_fail(c, &err);
        jv_unref(p.runs);
        return;
    }
    struct json *doc = document_new("runs");
    jv_set_adopt(doc, "runs", p.runs);
    if (p.more)
        jv_set_string(doc, "next", p.last);
    serve_reply_json(c, 200, doc);
}

/* ---- a new run */

struct order {
    struct serve *s;
    struct http_call *http; /* NULL: the client has left */
    struct json *body;
    const struct serve_offer *offer;
    const char *const *model; /* NULL: those of the blueprint */
    uint64_t seed;
    bool has_key; /* Idempotency-Key */
    char key_hex[65], body_hex[65];
};

static void hex_of(const char *text, size_t n, char out[65])
{
    struct sha256 sum = sha256_of(text, n);

    sha256_hex(&sum, out);
}

/* Keys of different tokens are different. */
static enum status read_key(const struct http_request *q, struct order *o, struct error *err)
{
    const char *key = http_field_value(q->fields, q->n_fields, "idempotency-key");
    struct str text = STR_INIT, body = STR_INIT;

    o->has_key = key != NULL;
    if (!key)
        return STATUS_OK;
    if (strlen(key) == 0 || strlen(key) > KEY_MAX)
        return error_set(err, STATUS_USAGE, "Idempotency-Key: expected 1 to %d characters",
                         KEY_MAX);
    str_printf(&text, "%s\n%s", q->subject, key);
    hex_of(str_cstr(&text), text.len, o->key_hex);
    jv_write_canonical(o->body, &body);
    hex_of(str_cstr(&body), body.len, o->body_hex);
    str_deinit(&text);
    str_deinit(&body);
    return STATUS_OK;
}

/* Blueprints are listed as a request may name them, and agents as /v1/models does. */
static enum status not_offered(const struct serve_config *c, const char *name, struct error *err)
{
    const char **known = xcalloc((size_t)c->n_offers + 1, sizeof(*known));
    struct str offered = STR_INIT;

    for (int32_t i = 0; i < c->n_offers; i++)
        known[i] = c->offer[i].name + (c->offer[i].is_agent ? 0 : strlen("blueprint/"));
    serve_offered_put(name, known, (size_t)c->n_offers, "", &offered);
    (void)error_set(err, STATUS_NOT_FOUND, "the blueprint \"%.60s\" is not offered; %s", name,
                    str_cstr(&offered));
    str_deinit(&offered);
    free(known);
    return STATUS_NOT_FOUND;
}

static enum status read_offer(const struct serve *s, struct order *o, struct error *err)
{
    const char *name = jv_get_string(jv_get(o->body, "blueprint"), NULL);
    struct str full = STR_INIT;

    if (!name)
        return error_set(err, STATUS_USAGE, "blueprint: expected the name of one");
    str_printf(&full, "blueprint/%s", name);
    o->offer = serve_config_find(s->o.config, str_cstr(&full));
    str_deinit(&full);
    if (!o->offer) /* "agent/helper", as /v1/models names it */
        o->offer = serve_config_find(s->o.config, name);
    return o->offer ? STATUS_OK : not_offered(s->o.config, name, err);
}

static enum status read_seed(const struct serve *s, struct order *o, struct error *err)
{
    const struct json *seed = jv_get(o->body, "seed");

    o->seed = seams_random_u64(s->o.seams) >> 16; /* short enough to type */
    if (!seed)
        return STATUS_OK;
    if (jv_kind(seed) == JV_INT && jv_get_int(seed, -1) >= 0)
        o->seed = (uint64_t)jv_get_int(seed, 0);
    else if (jv_kind(seed) != JV_STRING || !text_to_u64(jv_get_string(seed, ""), &o->seed))
        return error_set(err, STATUS_USAGE, "seed: expected a whole number from 0 to 2^64-1");
    return STATUS_OK;
}

static enum status read_order(const struct serve *s, const struct http_request *q, struct order *o,
                              struct error *err)
{
    const struct json *inputs = jv_get(o->body, "inputs"), *model = jv_get(o->body, "model");
    enum status st = read_key(q, o, err);

    if (!st)
        st = read_offer(s, o, err);
    if (!st)
        st = read_seed(s, o, err);
    if (!st && inputs && jv_kind(inputs) != JV_OBJECT)
        st = error_set(err, STATUS_USAGE, "inputs: expected an object");
    if (!st && model)
        st = serve_run_model(s, jv_get_string(model, ""), &o->model, err);
    return st;
}

static void on_made(void *ctx, const char *uuid, const struct error *err);

/* on_made follows. STATUS_REJECTED there: a run has the key. */
static enum status create(struct order *o, struct error *err)
{
    struct serve *s = o->s;
    struct json *more = jv_object(), *none = jv_object();
    struct json *inputs = jv_get(o->body, "inputs");
    struct troupe_run_spec spec = {.kind = "run",
                                   .plan = o->offer->plan,
                                   .inputs = inputs ? inputs : none,
                                   .seed = o->seed,
                                   .more = more,
                                   .key = o->has_key ? o->key_hex : NULL};
    struct troupe_run_options options = *s->o.run;
    enum status st;

    options.models_are_defaults = true;
    if (o->model) {
        options.model = o->model;
        options.n_models = 1;
    }
    jv_set_string(more, "asked_by", "api");
    serve_put_trace(s, o->http, more);
    if (o->has_key) {
        const struct http_request *q = http_call_request(o->http);

        jv_set_string(more, "idempotency_key",
                      http_field_value(q->fields, q->n_fields, "idempotency-key"));
        jv_set_string(more, "request_sha256", o->body_hex);
    }
    st = troupe_watch_run_new(s->watch, &spec, &options, on_made, o, err);
    jv_unref(more);
    jv_unref(none);
    return st;
}

struct begun {
    struct serve *s;
    struct json *doc;
    char request[65];
};

/* troupe.run/1, as of now. */
static bool take_begun(void *ctx, const struct run_row *r)
{
    struct begun *b = ctx;
    int64_t end_ms = r->ended_ms ? r->ended_ms : seams_wall_ms(b->s->o.seams);
    struct json *doc = document_new("run");

    jv_set_string(doc, "run", r->uuid);
    jv_set_string(doc, "status", run_status_word(r->status));
    jv_set_adopt(doc, "output", r->output ? jv_deep_copy(r->output) : jv_null());
    jv_set_int(doc, "steps", r->n_steps);
    jv_set_int(doc, "tokens", r->tok_in + r->tok_out);
    jv_set_int(doc, "tokens_in", r->tok_in);
    jv_set_int(doc, "tokens_out", r->tok_out);
    run_set_cost(doc, r->cost_nano);
    jv_set_real(doc, "wall_s", (double)(end_ms - r->created_ms) / 1000);
    b->doc = doc;
    snprintf(b->request, sizeof(b->request), "%s",
             jv_get_string(jv_get(r->config, "request_sha256"), ""));
    return false;
}

static void reply_run(const struct order *o, const char *uuid, bool is_new)
{
    struct serve *s = o->s;
    struct http_call *c = o->http;
    struct begun b = {.s = s};
    struct store_reader *q;
    struct error err = ERROR_INIT;
    struct str place = STR_INIT;
    char *text;

    if (!api_reader(s, c, &q))
        return;
    if (query_run(q, uuid, take_begun, &b, &err)) {
        serve_fail(c, &err);
        return;
    }
    if (o->has_key && strcmp(b.request, o->body_hex) != 0) {
        http_call_fail(c, 409, "this Idempotency-Key was used with another request");
        jv_unref(b.doc);
        return;
    }
    str_printf(&place, "/api/runs/%s", uuid);
    text = jv_dump(b.doc);
    const struct http_field location = {"Location", str_cstr(&place)};
    const struct http_reply r = {.code = is_new ? 201 : 200,
                                 .type = "application/json",
                                 .fields = &location,
                                 .n_fields = 1,
                                 .body = text,
                                 .body_bytes = strlen(text)};
    http_call_reply(c, &r);
    free(text);
    str_deinit(&place);
    jv_unref(b.doc);
}

static void free_order(struct order *o)
{
    jv_unref(o->body);
    free(o);
}

static void on_gone(void *ctx)
{
    struct order *o = ctx;

    o->http = NULL; /* the run is made all the same: the client may ask again with its key */
}

/* The run of the order's key. */
static enum status find_by_key(const struct order *o, char uuid[37], bool *found, struct error *err)
{
    struct store_reader *q;
    enum status st = troupe_reader(o->s->troupe, &q, err);

    return st ? st : query_run_by_key(q, o->key_hex, uuid, found, err);
}

static void on_made(void *ctx, const char *uuid, const struct error *err)
{
    struct order *o = ctx;
    struct error why = ERROR_INIT;
    char other[37] = "";
    bool found = false;
    enum status st = uuid ? STATUS_OK : err->status;

    if (st)
        why = *err;
    if (st == STATUS_REJECTED && o->has_key) { /* another process was quicker */
        error_clear(&why);
        st = find_by_key(o, other, &found, &why);
        if (!st && !found)
            st = error_set(&why, STATUS_BUSY, "the run of this Idempotency-Key is being deleted");
    }
    if (o->http && st)
        serve_fail(o->http, &why);
    else if (o->http)
        reply_run(o, uuid ? uuid : other, uuid != NULL);
    o->s->n_calls--;
    free_order(o);
}

/* True: on_made follows. */
static bool take_order(struct order *o)
{
    struct error err = ERROR_INIT;
    char uuid[37];
    bool known = false;
    enum status st = read_order(o->s, http_call_request(o->http), o, &err);

    if (!st && o->has_key)
        st = find_by_key(o, uuid, &known, &err);
    if (!st && !known)
        st = create(o, &err);
    if (st)
        serve_fail(o->http, &err);
    else if (known)
        reply_run(o, uuid, false);
    return !st && !known;
}

void route_runs_new(struct serve *s, struct http_call *c, const char *const *part)
{
    static const char *const known[] = {"blueprint", "inputs", "model", "seed"};
    struct order *o;
    struct json *body;

    (void)part;
    if (!api_body(c, known, ARRAY_LEN(known), &body))
        return;
    o = xcalloc(1, sizeof(*o));
    *o = (struct order){.s = s, .http = c, .body = body};
    if (!take_order(o)) {
        free_order(o);
        return;
    }
    s->n_calls++;
    http_call_on_gone(c, on_gone, o);
}
