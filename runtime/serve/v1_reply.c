/* v1_reply.c - what all replies below /v1 share: heads, errors, events of a stream.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "runtime/base/rng.h"
#include "runtime/serve/serve_oauth.h"
#include "runtime/serve/v1.h"

uint64_t v1_random(struct serve *s)
{
    return rng_derive(s->random_seed, s->n_random++);
}

void v1_client_of(struct serve *s, struct http_call *c, struct v1_client *out)
{
    const char *subject = http_call_request(c)->subject;

    *out = (struct v1_client){
        .s = s, .sees_details = !s->tokens || serve_access_scopes(s, subject) & TOKEN_API};
    serve_request_id(s, c, out->id);
}

void v1_error_of(const struct v1_client *who, const char *what, const struct chat_result *r,
                 struct openai_error *out)
{
    const struct log_field field = {.name = "request", .text = who->id};

    openai_error_of(r, who->sees_details ? NULL : who->id, out);
    if (out->http == 429 || out->http >= 500)
        log_write_fields(who->s->o.log, LOG_WARN, &field, 1, "request %s to %s failed (%d): %s%s%s",
                         who->id, what, out->http, r->err.where, r->err.where[0] ? ": " : "",
                         r->err.message);
}

/* ---- replies */

#define MAX_FIELDS 5
struct fields {
    struct http_field list[MAX_FIELDS];
    int32_t n;
};

static void add(struct fields *f, const char *name, const char *value)
{
    f->list[f->n++] = (struct http_field){name, value};
}

static void begin(const struct v1_client *who, const char *run, struct fields *out)
{
    out->n = 0;
    add(out, "X-Request-Id", who->id);
    if (run)
        add(out, "X-Troupe-Run", run);
}

static void send_json(struct http_call *c, int code, const struct fields *f, const struct str *body)
{
    http_call_reply(c, &(struct http_reply){.code = code,
                                            .type = "application/json",
                                            .fields = f->list,
                                            .n_fields = f->n,
                                            .body = str_cstr(body),
                                            .body_bytes = body->len});
}

void v1_fail(const struct v1_client *who, struct http_call *c, const struct openai_error *e,
             const char *run)
{
    struct str body = STR_INIT;
    char seconds[24];
    struct fields f;

    begin(who, run, &f);
    snprintf(seconds, sizeof(seconds), "%lld", (long long)((e->retry_after_ms + 999) / 1000));
    if (e->retry_after_ms > 0 && !run)
        add(&f, "Retry-After", seconds);
    if (run || e->lasts)
        add(&f, "X-Should-Retry", "false");
    openai_error_body(e, &body);
    send_json(c, e->http, &f, &body);
    str_deinit(&body);
}

void v1_reply(const struct v1_client *who, struct http_call *c, const struct str *json,
              const char *run)
{
    struct fields f;

    begin(who, run, &f);
    send_json(c, 200, &f, json);
}

bool v1_stream(const struct v1_client *who, struct http_call *c, const char *run)
{
    struct fields f;

    begin(who, run, &f);
    add(&f, "Cache-Control", "no-cache");
    add(&f, "X-Accel-Buffering", "no");
    return http_call_stream(
        c, &(struct http_reply){
               .code = 200, .type = "text/event-stream", .fields = f.list, .n_fields = f.n});
}

void v1_head(struct serve *s, const struct openai_request *q, const struct model_info *m,
             struct openai_head *out)
{
    *out = (struct openai_head){.kind = q->kind,
                                .model = q->model,
                                .created_s = seams_wall_ms(s->o.seams) / 1000,
                                .include_usage = q->include_usage,
                                .chunk = STR_INIT};
    openai_make_id(out, v1_random(s), v1_random(s));
    if (m)
        openai_make_fingerprint(out, m);
    if (q->stream)
        openai_head_ready(out);
}

void v1_event_begin(struct str *events)
{
    str_append(events, "data: ", 6);
}

void v1_event_end(struct str *events)
{
    str_append(events, "\n\n", 2);
}

bool v1_events_send(struct http_call *c, struct str *events)
{
    bool ok = str_ok(events) && http_call_write(c, str_cstr(events), events->len);

    str_clear(events);
    return ok;
}
