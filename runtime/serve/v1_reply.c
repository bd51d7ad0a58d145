/* v1_reply.c - what all replies below /v1 share: heads, errors, events of a stream.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "runtime/base/rng.h"
#include "runtime/serve/v1.h"

uint64_t v1_random(struct serve *s)
{
    return rng_derive(s->random_seed, s->n_random++);
}

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
