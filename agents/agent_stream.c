/* agent_stream.c - streams the tokens of an agent's reply as text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/agent_state.h"
#include "runtime/base/memory.h"

static void give(struct agent *a, struct str *text)
{
    if (text->len > 0)
        a->task.on_text(a->ctx, str_cstr(&a->path), str_cstr(text), text->len);
    str_deinit(text);
}

void agent_stream_show(struct reply_feed *f)
{
    struct agent *a = CONTAINER_OF(f, struct agent, stream.feed);
    struct agent_stream *s = &a->stream;
    int32_t n = reply_feed_n(f);
    struct str text = STR_INIT;

    while (s->n_shown < n)
        token_stream_push(&s->text, a->task.role->model->info.tokenizer, f->id[s->n_shown++], true,
                          &text);
    give(a, &text);
}

void agent_on_token(struct model_call *c, int32_t id, float logp)
{
    reply_feed_token(&CONTAINER_OF(c, struct agent, call)->stream.feed, id, logp);
}

void agent_stream_flush(struct agent *a)
{
    struct str text = STR_INIT;

    if (!a->call.on_token)
        return;
    reply_feeds_show(a->host, mailbox_take(a->host->stream));
    agent_stream_show(&a->stream.feed);
    token_stream_finish(&a->stream.text, &text);
    give(a, &text);
    a->stream.text = TOKEN_STREAM_INIT;
    a->stream.n_shown = 0;
    reply_feed_restart(&a->stream.feed);
}
