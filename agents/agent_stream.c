/* agent_stream.c - streams the tokens of a reply as text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/agent_state.h"
#include "runtime/base/memory.h"

static void show_stream(struct agent *a)
{
    struct agent_stream *s = &a->stream;
    int32_t n = atomic_load_explicit(&s->n, memory_order_acquire);
    struct str text = STR_INIT;

    while (s->n_shown < n)
        token_stream_push(&s->text, a->task.role->model->info.tokenizer, s->id[s->n_shown++], true,
                          &text);
    if (text.len > 0)
        a->task.on_text(a->ctx, str_cstr(&a->path), str_cstr(&text), text.len);
    str_deinit(&text);
}

void agent_streams_show(void *ctx, struct mail *m)
{
    (void)ctx;
    while (m) {
        struct mail *next = m->next;
        struct agent_stream *s = CONTAINER_OF(m, struct agent_stream, mail);

        atomic_store(&s->posted, false);
        show_stream(CONTAINER_OF(s, struct agent, stream));
        m = next;
    }
}

void agent_on_token(struct model_call *c, int32_t id, float logp)
{
    struct agent *a = CONTAINER_OF(c, struct agent, call);
    struct agent_stream *s = &a->stream;
    int32_t n = atomic_load_explicit(&s->n, memory_order_relaxed);

    (void)logp;
    if (n >= a->reply_cap)
        return;
    s->id[n] = id;
    atomic_store_explicit(&s->n, n + 1, memory_order_release);
    if (!atomic_exchange(&s->posted, true))
        mailbox_post(a->host->stream, &s->mail);
}

void agent_stream_flush(struct agent *a)
{
    struct str text = STR_INIT;

    if (!a->call.on_token)
        return;
    agent_streams_show(a->host, mailbox_take(a->host->stream));
    show_stream(a);
    token_stream_finish(&a->stream.text, &text);
    if (text.len > 0)
        a->task.on_text(a->ctx, str_cstr(&a->path), str_cstr(&text), text.len);
    str_deinit(&text);
    a->stream.text = TOKEN_STREAM_INIT;
    a->stream.n_shown = 0;
    atomic_store(&a->stream.n, 0);
}
