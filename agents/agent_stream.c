/* agent_stream.c - streams the tokens or the text of an agent's reply as text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "agents/agent_state.h"
#include "runtime/base/memory.h"

static void show(struct agent *a, const char *text, size_t n)
{
    if (a->task.talks && a->call.on_text)
        str_append(&a->stream.said, text, n);
    if (n > 0)
        a->task.on_text(a->ctx, str_cstr(&a->path), text, n);
}

void agent_stream_show(struct reply_feed *f)
{
    struct agent *a = CONTAINER_OF(f, struct agent, stream.feed);
    struct agent_stream *s = &a->stream;
    int32_t n = reply_feed_n(f);
    struct str text = STR_INIT;

    if (a->call.on_text) {
        reply_feed_take_text(f, &text);
        s->n_shown_bytes += text.len;
    }
    while (a->call.on_token && s->n_shown < n)
        token_stream_push(&s->text, a->task.role->model->info.tokenizer, f->id[s->n_shown++], true,
                          &text);
    show(a, str_cstr(&text), text.len);
    str_deinit(&text);
}

void agent_on_token(struct model_call *c, int32_t id, float logp)
{
    reply_feed_token(&CONTAINER_OF(c, struct agent, call)->stream.feed, id, logp);
}

void agent_on_text(struct model_call *c, const char *text, size_t n)
{
    reply_feed_text(&CONTAINER_OF(c, struct agent, call)->stream.feed, text, n);
}

/* A model may give its text whole, or what remains of it, with the answer. */
static void show_rest(struct agent *a)
{
    const char *text = a->call.status ? NULL : a->call.text;
    size_t n = text ? strlen(text) : 0, from = a->stream.n_shown_bytes;

    if (n > from)
        show(a, text + from, n - from);
    a->stream.n_shown_bytes = 0;
}

void agent_stream_flush(struct agent *a)
{
    struct str text = STR_INIT;

    if (!a->call.on_token && !a->call.on_text)
        return;
    reply_feeds_show(a->host, mailbox_take(a->host->stream));
    agent_stream_show(&a->stream.feed);
    if (a->call.on_text)
        show_rest(a);
    if (a->call.on_token)
        token_stream_finish(&a->stream.text, &text);
    show(a, str_cstr(&text), text.len);
    str_deinit(&text);
    a->stream.text = TOKEN_STREAM_INIT;
    a->stream.n_shown = 0;
    reply_feed_restart(&a->stream.feed);
}
