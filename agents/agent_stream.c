/* agent_stream.c - streams the tokens or the text of a reply as text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "agents/agent_state.h"
#include "runtime/base/memory.h"

static void show(struct agent *a, const char *text, size_t n)
{
    if (n > 0)
        a->task.on_text(a->ctx, str_cstr(&a->path), text, n);
}

static void show_text(struct agent *a)
{
    struct agent_stream *s = &a->stream;
    struct str text;

    pthread_mutex_lock(&s->lock);
    text = s->said;
    s->said = STR_INIT;
    pthread_mutex_unlock(&s->lock);
    show(a, str_cstr(&text), text.len);
    s->n_shown_bytes += text.len;
    str_deinit(&text);
}

static void show_stream(struct agent *a)
{
    struct agent_stream *s = &a->stream;
    int32_t n = atomic_load_explicit(&s->n, memory_order_acquire);
    struct str text = STR_INIT;

    if (a->call.on_text)
        show_text(a);
    while (s->n_shown < n)
        token_stream_push(&s->text, a->task.role->model->info.tokenizer, s->id[s->n_shown++], true,
                          &text);
    show(a, str_cstr(&text), text.len);
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

void agent_on_text(struct model_call *c, const char *text, size_t n)
{
    struct agent *a = CONTAINER_OF(c, struct agent, call);
    struct agent_stream *s = &a->stream;

    pthread_mutex_lock(&s->lock);
    str_append(&s->said, text, n);
    pthread_mutex_unlock(&s->lock);
    if (!atomic_exchange(&s->posted, true))
        mailbox_post(a->host->stream, &s->mail);
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
    agent_streams_show(a->host, mailbox_take(a->host->stream));
    show_stream(a);
    if (a->call.on_text)
        show_rest(a);
    token_stream_finish(&a->stream.text, &text);
    show(a, str_cstr(&text), text.len);
    str_deinit(&text);
    a->stream.text = TOKEN_STREAM_INIT;
    a->stream.n_shown = 0;
    atomic_store(&a->stream.n, 0);
}
