/* route_v1.c - /v1/chat/completions and /v1/completions: to a model, an agent or a blueprint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/v1.h"

const struct http_reply v1_event_stream = {
    .code = 200,
    .type = "text/event-stream",
    .fields =
        (const struct http_field[]){{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}},
    .n_fields = 2,
};

void v1_fail(struct http_call *c, const struct openai_error *e, int64_t retry_after_ms,
             const char *run)
{
    struct str body = STR_INIT;
    char seconds[24];
    struct http_field field[2];
    struct http_reply r = {.code = e->http, .type = "application/json", .fields = field};

    openai_error_body(e, &body);
    if (retry_after_ms > 0) {
        snprintf(seconds, sizeof(seconds), "%lld", (long long)((retry_after_ms + 999) / 1000));
        field[r.n_fields++] = (struct http_field){"Retry-After", seconds};
    } else if (run) {
        field[r.n_fields++] = (struct http_field){"X-Troupe-Run", run};
        field[r.n_fields++] = (struct http_field){"X-Should-Retry", "false"};
    }
    r.body = str_cstr(&body);
    r.body_bytes = body.len;
    http_call_reply(c, &r);
    str_deinit(&body);
}

void v1_head(struct serve *s, const struct openai_request *q, const struct model_info *m,
             struct openai_head *out)
{
    *out = (struct openai_head){.kind = q->kind,
                                .model = q->model,
                                .created_s = seams_wall_ms(s->o.seams) / 1000,
                                .include_usage = q->include_usage};
    openai_make_id(out, seams_random_u64(s->o.seams), seams_random_u64(s->o.seams));
    if (m)
        openai_make_fingerprint(out, m);
}

void v1_put_event(const struct str *data, struct str *out)
{
    str_puts(out, "data: ");
    str_append(out, str_cstr(data), data->len);
    str_puts(out, "\n\n");
}

bool v1_event(struct http_call *c, const struct str *data)
{
    struct str event = STR_INIT;
    bool ok;

    v1_put_event(data, &event);
    ok = http_call_write(c, str_cstr(&event), event.len);
    str_deinit(&event);
    return ok;
}

static void serve_kind(struct serve *s, struct http_call *c, enum openai_kind kind)
{
    const struct http_request *q = http_call_request(c);
    struct openai_request r;
    struct openai_error e;
    const struct serve_offer *offer;
    struct model *m;

    if (s->n_v1 >= s->max_queue) {
        openai_fail(&e, 429, "rate_limit_exceeded", NULL, "%d replies are under way or waiting",
                    s->n_v1);
        v1_fail(c, &e, 1000, NULL);
        return;
    }
    if (!openai_parse(kind, q->body ? q->body : "", (size_t)q->body_bytes, &r, &e)) {
        v1_fail(c, &e, 0, NULL);
        return;
    }
    m = serve_model_find(s, r.model);
    offer = m ? NULL : serve_config_find(s->o.config, r.model);
    if (m) {
        v1_model_call(s, c, &r, m);
    } else if (offer) {
        v1_offer_call(s, c, &r, offer);
    } else {
        openai_fail(&e, 404, "model_not_found", "model", "the model \"%.80s\" does not exist",
                    r.model);
        v1_fail(c, &e, 0, NULL);
        openai_request_deinit(&r);
    }
}

void route_v1_chat(struct serve *s, struct http_call *c, const char *const *part)
{
    (void)part;
    serve_kind(s, c, OPENAI_CHAT);
}

void route_v1_completions(struct serve *s, struct http_call *c, const char *const *part)
{
    (void)part;
    serve_kind(s, c, OPENAI_COMPLETIONS);
}
