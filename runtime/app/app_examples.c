/* app_examples.c - see app_examples.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_examples.h"

#include <stdlib.h>
#include <string.h>

#include "agents/example_chat.h"
#include "agents/example_mix.h"
#include "agents/example_runs.h"
#include "runtime/app/app_new_model.h"
#include "runtime/app/app_training.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define LOOKED_AT 8 /* conversations that are searched for a reply with an end token */

/* 0.1.0 took a template only from this file. */
static bool is_jinja_file(const char *name)
{
    const char *slash = name ? strrchr(name, '/') : NULL;

    return name && strcmp(slash ? slash + 1 : name, "chat_template.jinja") == 0;
}

static enum status hold_out(struct app *a, const struct example_chat_options *o,
                            struct app_examples *x, struct error *err)
{
    const char *text = option_text(a->options, OPT_HOLDOUT);
    struct example_chat_options other = *o;
    double share;
    enum status st;

    if (!text)
        return STATUS_OK;
    if (text_to_double(text, &share)) {
        if (!(share > 0 && share < 1))
            return error_set(err, STATUS_USAGE, "--holdout %s: a share must be above 0 and below 1",
                             text);
        return example_chat_hold_out(x->data, share, option_seed(a->options, OPT_SEED),
                                     &x->held_out, err);
    }
    other.path = text;
    st = example_chat_new(&other, &x->own_held_out, err);
    if (st)
        error_note(err, "--holdout");
    x->held_out = x->own_held_out;
    return st;
}

static bool ends_a_reply(const struct model_config *c, const struct example *ex)
{
    for (int32_t i = 0; i < ex->n; i++)
        for (int32_t k = 0; ex->train[i] && k < c->n_eos; k++)
            if (ex->ids[i] == c->eos_id[k])
                return true;
    return false;
}

/* A model whose end token is never trained does not learn to end its replies. */
static enum status check_ends(struct app *a, const struct app_examples *x, const struct weights *w,
                              struct error *err)
{
    const struct model_config *c = weights_config(w);
    struct example ex = {.cap = c->max_position_embeddings};
    bool found = false;
    enum status st = STATUS_OK;

    ex.ids = mem_alloc((size_t)ex.cap, sizeof(*ex.ids));
    ex.train = mem_alloc((size_t)ex.cap, sizeof(*ex.train));
    if (!ex.ids || !ex.train)
        st = error_set(err, STATUS_NO_MEMORY, "no memory for an example of %d ids", ex.cap);
    for (int64_t i = 0; i < x->data->n && i < LOOKED_AT && !found && !st; i++) {
        st = x->data->get(x->data->ctx, 0, i, 0, &ex, err);
        found = !st && ends_a_reply(c, &ex);
    }
    if (!st && !found)
        log_write(a->log, LOG_WARN,
                  "no reply in the data ends with an end token of the model (eos_token_id), so the "
                  "model will "
                  "not learn to end a reply; its chat template should write an end token");
    free(ex.ids);
    free(ex.train);
    return st;
}

/* 0.1.0 did not read the template, bos_token and eos_token of tokenizer_config.json, and passed
 * over unknown roles and keys. A training that it began goes on so. */
static enum status open_chat(struct app *a, const char *model, struct tokenizer *tokenizer,
                             const struct weights *start, struct app_examples *x, struct error *err)
{
    struct tokenizer_config texts = {0};
    struct example_chat_options o = {.path = option_text(a->options, OPT_DATA),
                                     .tokenizer = tokenizer};
    bool chats = app_training_chats(a);
    enum status st;

    if (chats && strcmp(weights_config(start)->codec, "compact") == 0) {
        (void)error_set(err, STATUS_USAGE,
                        "--data: model %s uses the compact codec of environments and cannot chat",
                        model);
        error_hint(err, "--model new creates a chat model; --env trains this one");
        return STATUS_USAGE;
    }
    st = app_model_texts(a, model, &texts, err);
    if (st)
        return st;
    if (chats || is_jinja_file(texts.template_name))
        o.chat_template = texts.chat_template;
    o.reads_as_0_1 = !chats;
    o.bos_token = chats ? texts.bos_token : NULL;
    o.eos_token = chats ? texts.eos_token : NULL;
    x->free_source = example_chat_free;
    st = example_chat_new(&o, &x->data, err);
    if (!st)
        st = hold_out(a, &o, x, err);
    if (!st && chats)
        st = check_ends(a, x, start, err);
    tokenizer_config_deinit(&texts);
    return st;
}

/* Ids that were recorded with another template or codec are trained as they are: only the
 * tokenizer must be the model's. */
static enum status open_runs(struct app *a, const char *model, const struct tokenizer *tokenizer,
                             const struct weights *start, struct app_examples *x, struct error *err)
{
    struct example_runs_options o = {.runs = option_text(a->options, OPT_FROM_RUNS),
                                     .tokenizer = tokenizer,
                                     .vocab = weights_config(start)->vocab_size,
                                     .log = a->log};
    enum status st;

    if (option_is_set(a->options, OPT_HOLDOUT))
        return error_set(err, STATUS_USAGE, "--holdout is for --data, not for --from-runs");
    if (strcmp(model, "new") == 0) {
        (void)error_set(err, STATUS_USAGE,
                        "--from-runs: --model new has a tokenizer of its own; the ids of runs are "
                        "of the model that sampled them");
        error_hint(err, "give that model, or one with its tokenizer");
        return STATUS_USAGE;
    }
    st = app_reader(a, &o.reader, err);
    if (st)
        return st;
    x->free_source = example_runs_free;
    st = example_runs_new(&o, &x->data, err);
    if (st)
        error_note(err, "--from-runs");
    return st;
}

enum status app_examples_open(struct app *a, const char *model, struct tokenizer *tokenizer,
                              const struct weights *start, struct app_examples *out,
                              struct error *err)
{
    const char *env = option_text(a->options, OPT_ENV);
    enum status st;

    if (option_text(a->options, OPT_FROM_RUNS))
        return open_runs(a, model, tokenizer, start, out, err);
    if (!env)
        return open_chat(a, model, tokenizer, start, out, err);
    if (option_is_set(a->options, OPT_HOLDOUT))
        return error_set(err, STATUS_USAGE,
                         "--holdout is for --data: an environment has fresh examples at all times");
    st = app_mix_read(env, &out->mix, err);
    if (st)
        return st;
    out->free_source = example_mix_free;
    st = example_mix_new(out->mix.env, out->mix.n, option_text(a->options, OPT_KIND), tokenizer,
                         &out->data, err);
    out->held_out = out->data;
    return st;
}

void app_examples_close(struct app_examples *x)
{
    if (x->data)
        x->free_source(x->data);
    if (x->own_held_out)
        x->free_source(x->own_held_out);
    memset(x, 0, sizeof(*x));
}
