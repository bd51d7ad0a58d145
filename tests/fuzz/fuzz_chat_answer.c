/* fuzz_chat_answer.c - any bytes as the streamed answer of a model's server, and as its body.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/remote/chat_answer.h"
#include "runtime/base/utf8.h"
#include "runtime/http/sse.h"

#define MAX_TOKENS 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct reading {
    struct chat_answer *answer;
    size_t n_text; /* bytes that were streamed */
};

static enum status on_event(void *ctx, const struct sse_event *e, struct error *err)
{
    struct reading *r = ctx;
    enum status st = chat_answer_event(r->answer, e->data, e->n, err);
    size_t more = 0;

    (void)chat_answer_news(r->answer, false, &more);
    r->n_text += more;
    return st;
}

/* What a caller relies on in an answer without an error. */
static void check(const struct model_call *c)
{
    if (!c->text || utf8_valid_prefix(c->text, strlen(c->text)) != strlen(c->text))
        __builtin_trap();
    for (size_t i = 0; i < jv_size(c->tool_calls); i++) {
        const struct json *call = jv_at(c->tool_calls, i), *arguments = jv_get(call, "arguments");

        if (!jv_get_string(jv_get(call, "name"), NULL) ||
            (jv_kind(arguments) != JV_OBJECT && jv_kind(arguments) != JV_STRING))
            __builtin_trap();
    }
    if (c->n_ids < 0 || c->n_ids > MAX_TOKENS || (c->n_ids > 0) != (c->prompt_ids != NULL))
        __builtin_trap();
    for (int32_t i = 0; i < c->n_ids; i++)
        if (c->ids[i] < 0 || !isfinite(c->logp[i]) || c->logp[i] > 0)
            __builtin_trap();
    if (c->usage.prompt < 0 || c->usage.completion < 0 || c->usage.cached > c->usage.prompt)
        __builtin_trap();
}

static void end(struct reading *r, enum status st, bool streamed)
{
    int32_t ids[MAX_TOKENS];
    float logp[MAX_TOKENS];
    struct model_call c = {.max_tokens = MAX_TOKENS, .ids = ids, .logp = logp};
    struct error err = ERROR_INIT;

    if (!st)
        st = chat_answer_end(r->answer, &c, &err);
    if (!st)
        check(&c);
    else if (c.text || c.tool_calls)
        __builtin_trap();
    if (!st && streamed && r->n_text != strlen(c.text))
        __builtin_trap();
    model_call_clear_text(&c);
    chat_answer_free(r->answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char url[] = "https://host/v1", model[] = "m";
    struct remote_spec spec = {.url = url, .model = model};
    struct reading r = {.answer = chat_answer_new(&spec, MAX_TOKENS)};
    struct sse_parser *p = sse_parser_new((size_t)1 << 20, on_event, &r);
    struct error err = ERROR_INIT;
    enum status st = STATUS_OK;

    for (size_t at = 0; at < n && !st; at += 7) /* in pieces */
        st = sse_feed(p, (const char *)bytes + at, n - at < 7 ? n - at : 7, &err);
    sse_parser_free(p);
    end(&r, st, true);
    r = (struct reading){.answer = chat_answer_new(&spec, MAX_TOKENS)};
    st = chat_answer_body(r.answer, (const char *)bytes, n, &err);
    end(&r, st, false);
    return 0;
}
