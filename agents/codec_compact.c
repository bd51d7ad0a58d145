/* codec_compact.c - the environment's own text as tokens: one call a reply, a context a step.
 *
 * The environment's text is encoded and fed; the model writes one call up to the stop token. At a
 * step's boundary the context restarts with the new step's text, so that its length does not grow
 * with the horizon. Nothing here allocates once the buffers have grown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "agents/agent_state.h"
#include "runtime/base/memory.h"

struct compact {
    const struct tokenizer *tokenizer;
    int32_t stop;
};

static enum status begin(struct agent *a, struct error *err)
{
    const struct model_info *m = &a->task.role->model->info;
    struct compact *c = xcalloc(1, sizeof(*c));

    a->codec_state = c;
    c->tokenizer = m->tokenizer;
    c->stop = tokenizer_id_of(m->tokenizer, a->task.env_ops->compact_stop);
    if (c->stop < 0)
        return error_set(err, STATUS_UNSUPPORTED,
                         "model %s has no token \"%s\", which ends every call in %s", m->name,
                         a->task.env_ops->compact_stop, a->task.env_ops->name);
    a->call.stop_id = &c->stop;
    a->call.n_stop_id = 1;
    a->task.env_ops->observe_compact(a->env, &a->feed);
    a->restart = true;
    return STATUS_OK;
}

static void end(struct agent *a)
{
    free(a->codec_state);
}

static enum status perceive(struct agent *a, struct error *err)
{
    const struct compact *c = a->codec_state;
    enum status st;

    if (a->restart) {
        token_ids_clear(&a->chain);
        a->session_len = 0;
        a->new_chain = true;
        a->restart = false;
    }
    a->prefix_len = (int32_t)a->chain.n;
    if (!str_ok(&a->feed))
        return error_set(err, STATUS_NO_MEMORY, "no memory for the text of the environment");
    st = tokenizer_encode(c->tokenizer, a->host->scratch, str_cstr(&a->feed), a->feed.len, true,
                          &a->chain, err);
    str_clear(&a->feed);
    return st;
}

static enum status read_reply(struct agent *a, struct error *err)
{
    const struct compact *c = a->codec_state;
    const struct env_ops *env = a->task.env_ops;
    struct pending_call *p = pending_add(a);

    str_clear(&a->reply_text);
    tokenizer_decode(c->tokenizer, a->call.ids, (size_t)a->call.n_ids, false, &a->reply_text);
    if (!str_ok(&a->reply_text))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a reply");
    p->is_env = true;
    env->parse_compact(a->env, str_cstr(&a->reply_text), a->reply_text.len, &p->env);
    p->name = p->env.tool < 0 ? "invalid" : env->tools[p->env.tool].name;
    return STATUS_OK;
}

/* The ids are the conversation; there are no messages. */
static void save_prompt(struct agent *a, bool saved)
{
    (void)a;
    (void)saved;
}

static struct json *step_output(struct agent *a)
{
    struct json *v = jv_object();

    jv_set_string(v, "finish", model_finish_name(a->call.finish));
    return v;
}

const struct codec codec_compact = {
    .compact = true,
    .begin = begin,
    .end = end,
    .perceive = perceive,
    .read_reply = read_reply,
    .save_prompt = save_prompt,
    .step_output = step_output,
};
