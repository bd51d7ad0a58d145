/* route_v1.c - /v1/chat/completions and /v1/completions: to a model, an agent or a blueprint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/v1.h"

/* 400: what has this name is not for this path. */
static bool fits(enum openai_kind kind, const struct model *m, const struct serve_offer *offer,
                 struct openai_error *e)
{
    if (offer && offer->api_only)
        return openai_fail(e, 400, "unsupported_value", "model",
                           "%s is for POST /api/runs only: a message cannot start it, since %s",
                           offer->name, offer->api_only);
    if (m && kind == OPENAI_CHAT && !model_chats(&m->info))
        return openai_fail(e, 400, "unsupported_value", "model",
                           "the model knows only the calls of environments and cannot chat; "
                           "/v1/completions continues a text");
    return true;
}

static void serve_kind(struct serve *s, struct http_call *c, enum openai_kind kind)
{
    const struct http_request *q = http_call_request(c);
    struct openai_request r;
    struct openai_error e;
    struct v1_client who;
    const struct serve_offer *offer;
    struct model *m;

    v1_client_of(s, c, &who);
    if (s->n_v1 >= s->max_queue) {
        openai_fail(&e, 429, "rate_limit_exceeded", NULL, "%d replies are under way or waiting",
                    s->n_v1);
        e.retry_after_ms = 1000;
        v1_fail(&who, c, &e, NULL);
        return;
    }
    if (!openai_parse(kind, q->body ? q->body : "", (size_t)q->body_bytes, &r, &e)) {
        v1_fail(&who, c, &e, NULL);
        return;
    }
    m = serve_model_find(s, r.model);
    offer = m ? NULL : serve_config_find(s->o.config, r.model);
    if (!fits(kind, m, offer, &e)) {
        v1_fail(&who, c, &e, NULL);
        openai_request_deinit(&r);
    } else if (m) {
        v1_model_call(&who, c, &r, m);
    } else if (offer) {
        v1_offer_call(&who, c, &r, offer);
    } else {
        serve_model_missing(s, r.model, &e);
        v1_fail(&who, c, &e, NULL);
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
