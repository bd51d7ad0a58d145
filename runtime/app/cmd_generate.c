/* cmd_generate.c - generate: plain completion, the engine without agents.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/engine/stop.h"
#include "models/formats/tokenizer.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_tokenizer.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/base/unicode.h"

struct generation {
    struct app *app;
    struct model *model;
    struct tokenizer *tokenizer; /* own copy */
    struct token_ids prompt;
    int32_t *ids;
    float *logp, *logp_sampled;
    struct model_call call;
    struct model_session *session;
    const char **stops; /* texts of the options */
    struct token_stream stream;
    struct str held; /* streamed text that may be the start of a stop text */
    bool stopped;    /* a stop text was found: no more text is shown */
};

/* "1,2,3" */
static enum status parse_ids(const char *text, int32_t vocab, struct token_ids *out,
                             struct error *err)
{
    char *copy = xstrdup(text), *save = NULL;
    enum status st = STATUS_OK;

    for (char *w = strtok_r(copy, ", ", &save); w && !st; w = strtok_r(NULL, ", ", &save)) {
        int64_t id;
        if (!text_to_i64(w, &id) || id < 0 || id >= vocab)
            st = error_set(err, STATUS_USAGE, "--ids: \"%s\" is not a token id (0 to %d)", w,
                           vocab - 1);
        else
            st = token_ids_push(out, (int32_t)id, err);
    }
    if (!st && out->n == 0)
        st = error_set(err, STATUS_USAGE, "--ids is empty");
    free(copy);
    return st;
}

static enum status read_stdin(struct str *out, struct error *err)
{
    char buf[65536];
    ssize_t n;

    while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
        str_append(out, buf, (size_t)n);
    if (n < 0 || !str_ok(out))
        return error_set(err, STATUS_IO, "cannot read standard input");
    return STATUS_OK;
}

static enum status read_prompt(struct generation *g, struct error *err)
{
    const struct options *o = g->app->options;
    const char *text = option_text(o, OPT_PROMPT), *ids = option_text(o, OPT_IDS);
    struct tokenizer_scratch *scratch;
    struct str from_stdin = STR_INIT;
    size_t n = text ? strlen(text) : 0;
    enum status st = STATUS_OK;

    if (!text == !ids)
        return error_set(err, STATUS_USAGE, "give either --prompt TEXT or --ids 1,2,3");
    if (ids)
        return parse_ids(ids, g->model->info.vocab, &g->prompt, err);
    if (strcmp(text, "-") == 0) {
        st = read_stdin(&from_stdin, err);
        text = str_cstr(&from_stdin);
        n = from_stdin.len;
    }
    scratch = tokenizer_scratch_new();
    if (!st)
        st = tokenizer_encode(g->tokenizer, scratch, text, n, true, &g->prompt, err);
    tokenizer_scratch_free(scratch);
    if (!st && g->prompt.n == 0)
        st = error_set(err, STATUS_USAGE, "--prompt is empty");
    str_deinit(&from_stdin);
    return st;
}

/* Moves from `held` to `out` all text that cannot be part of a stop text; at the end, all of it. */
static void release_text(struct generation *g, bool end, struct str *out)
{
    const struct model_call *c = &g->call;
    const size_t n = g->held.len;
    const char *text = str_cstr(&g->held);
    size_t keep = stop_text_cut(text, n, c->stop_text, c->n_stop_text);
    struct str rest = STR_INIT;

    g->stopped = g->stopped || keep < n;
    if (keep == n && !end)
        keep -= stop_text_held(text, n, c->stop_text, c->n_stop_text);
    str_append(out, text, keep);
    if (!g->stopped)
        str_append(&rest, text + keep, n - keep);
    str_deinit(&g->held);
    g->held = rest;
}

/* Runs on the engine's thread, one token at a time, alone on standard output. */
static void on_token(struct model_call *c, int32_t id, float logp)
{
    struct generation *g = c->caller;
    struct str out = STR_INIT;

    (void)logp;
    if (g->stopped)
        return;
    token_stream_push(&g->stream, g->tokenizer, id, true, &g->held);
    release_text(g, false, &out);
    app_print(&out);
    str_deinit(&out);
}

static void fill_call(struct generation *g, struct mailbox *reply)
{
    const struct options *o = g->app->options;
    struct model_call *c = &g->call;

    c->reply = reply;
    c->session = g->session;
    c->delta = g->prompt.id;
    c->n_delta = (int32_t)g->prompt.n;
    c->path = "generate";
    c->seed = app_seed(g->app);
    c->sampling = SAMPLING_DEFAULT;
    c->sampling.temperature = (float)option_number(o, OPT_TEMPERATURE);
    c->sampling.top_p = (float)option_number(o, OPT_TOP_P);
    c->sampling.min_p = (float)option_number(o, OPT_MIN_P);
    c->sampling.top_k = (int32_t)option_int(o, OPT_TOP_K);
    c->sampling.repetition_penalty = (float)option_number(o, OPT_REPETITION_PENALTY);
    c->max_tokens = (int32_t)option_int(o, OPT_MAX_TOKENS);
    g->stops = xcalloc((size_t)option_count(o, OPT_STOP) + 1, sizeof(*g->stops));
    for (int32_t i = 0; i < option_count(o, OPT_STOP); i++)
        g->stops[i] = option_text_at(o, OPT_STOP, i);
    c->stop_text = g->stops;
    c->n_stop_text = option_count(o, OPT_STOP);
    c->ids = g->ids;
    c->logp = g->logp;
    c->logp_sampled = g->logp_sampled;
    c->caller = g;
    if (option_flag(o, OPT_STREAM) && !g->app->json)
        c->on_token = on_token;
}

static enum status run_call(struct generation *g, struct error *err)
{
    const struct options *o = g->app->options;
    size_t max = (size_t)option_int(o, OPT_MAX_TOKENS);
    struct mailbox *reply = mailbox_new(NULL, NULL);
    enum status st = g->model->ops->session_open(g->model, NULL, &g->session, err);

    g->ids = mem_alloc(max, sizeof(*g->ids));
    g->logp = mem_alloc(max, sizeof(*g->logp));
    g->logp_sampled = mem_alloc(max, sizeof(*g->logp_sampled));
    if (!g->ids || !g->logp || !g->logp_sampled)
        st = error_set(err, STATUS_NO_MEMORY, "--max-tokens %zu: no memory", max);
    if (!st) {
        bool asked = false;
        fill_call(g, reply);
        g->model->ops->start(g->model, &g->call);
        while (!mailbox_wait(reply, 100))
            if (*g->app->interrupted && !asked) {
                g->model->ops->cancel(g->model, &g->call);
                asked = true;
            }
        st = g->call.status;
        if (st)
            *err = g->call.err;
    }
    if (g->session)
        g->model->ops->session_close(g->model, g->session);
    mailbox_free(reply);
    return st;
}

static struct json *float_list(const float *v, int32_t n)
{
    struct json *a = jv_array();

    for (int32_t i = 0; i < n; i++)
        jv_append_adopt(a, jv_real((double)v[i]));
    return a;
}

static int print_json(const struct generation *g, double tokens_per_s, const char *text)
{
    const struct model_call *c = &g->call;
    struct json *doc = app_document("generate"), *ids = jv_array(), *prompt = jv_array();

    for (size_t i = 0; i < g->prompt.n; i++)
        jv_append_adopt(prompt, jv_int(g->prompt.id[i]));
    for (int32_t i = 0; i < c->n_ids; i++)
        jv_append_adopt(ids, jv_int(c->ids[i]));
    jv_set_adopt(doc, "prompt_ids", prompt);
    jv_set_adopt(doc, "ids", ids);
    jv_set_adopt(doc, "logp", float_list(c->logp, c->n_ids));
    if (c->processed)
        jv_set_adopt(doc, "logp_sampled", float_list(c->logp_sampled, c->n_ids));
    jv_set_string(doc, "text", text);
    jv_set_string(doc, "finish", model_finish_name(c->finish));
    jv_set_real(doc, "tokens_per_s", tokens_per_s);
    jv_set_adopt(doc, "seed", jv_int((int64_t)c->seed));
    return app_print_json(doc);
}

static void finish_stream(struct generation *g, struct str *out)
{
    if (g->stopped)
        return;
    token_stream_finish(&g->stream, &g->held);
    release_text(g, true, out);
}

static int print_result(struct generation *g)
{
    const struct model_call *c = &g->call;
    struct str text = STR_INIT, clean = STR_INIT, out = STR_INIT;
    double rate = c->done_us > 0 ? (double)c->n_ids * 1e6 / (double)c->done_us : 0;
    int code;

    tokenizer_decode(g->tokenizer, c->ids, (size_t)c->n_ids, true, &text);
    utf8_clean(str_cstr(&text),
               stop_text_cut(str_cstr(&text), text.len, c->stop_text, c->n_stop_text), &clean);
    if (g->app->json) {
        code = print_json(g, rate, str_cstr(&clean));
    } else {
        if (option_flag(g->app->options, OPT_LOGPROBS))
            for (int32_t i = 0; i < c->n_ids; i++) {
                size_t n = 0;
                const char *bytes = tokenizer_bytes(g->tokenizer, c->ids[i], &n);
                struct json *s = jv_string_n(bytes ? bytes : "", n);
                str_printf(&out, "%6d  %10.6f  ", c->ids[i], (double)c->logp[i]);
                jv_write(s, 0, &out);
                str_putc(&out, '\n');
                jv_unref(s);
            }
        else if (c->on_token)
            finish_stream(g, &out);
        else
            str_puts(&out, str_cstr(&clean));
        if (!option_flag(g->app->options, OPT_LOGPROBS))
            str_putc(&out, '\n');
        code = app_print(&out);
        log_write(g->app->log, LOG_DEBUG, "%d tokens, %.0f tokens/s, finish %s", c->n_ids, rate,
                  model_finish_name(c->finish));
    }
    str_deinit(&out);
    str_deinit(&clean);
    str_deinit(&text);
    return code;
}

static int generate_main(void *app)
{
    struct app *a = app;
    struct generation g = {
        .app = a, .prompt = TOKEN_IDS_INIT, .stream = TOKEN_STREAM_INIT, .held = STR_INIT};
    const char *name = app_model_name(a, NULL, "embedded");
    struct error err = ERROR_INIT;
    int code;
    enum status st = option_one(a->options, OPT_TEMPERATURE, &err);

    if (!st)
        st = app_model(a, name, &g.model, &err);
    if (!st && !g.model->info.takes_ids)
        st = error_set(&err, STATUS_USAGE,
                       "--model %s is a script of replies; it cannot complete text", name);
    if (!st)
        st = app_tokenizer(a, name, &g.tokenizer, &err);
    if (!st)
        st = read_prompt(&g, &err);
    if (!st)
        st = run_call(&g, &err);
    code = st ? app_fail(a, &err) : print_result(&g);
    free(g.ids);
    free(g.logp);
    free(g.logp_sampled);
    free(g.stops);
    str_deinit(&g.held);
    token_ids_deinit(&g.prompt);
    tokenizer_free(g.tokenizer);
    return *a->interrupted ? EXIT_INTERRUPTED : code;
}

static const enum option_id generate_options[] = {OPT_MODEL,
                                                  OPT_PROMPT,
                                                  OPT_IDS,
                                                  OPT_MAX_TOKENS,
                                                  OPT_TEMPERATURE,
                                                  OPT_SEED,
                                                  OPT_TOP_P,
                                                  OPT_TOP_K,
                                                  OPT_MIN_P,
                                                  OPT_STOP,
                                                  OPT_REPETITION_PENALTY,
                                                  OPT_LOGPROBS,
                                                  OPT_STREAM,
                                                  OPT_DEVICE,
                                                  OPT_THREADS,
                                                  OPT_KV_MEMORY,
                                                  OPT_CONTEXT,
                                                  OPT_CPU_ISA,
                                                  OPT_WEIGHT_TYPE,
                                                  OPT_END};
const struct command_spec cmd_generate = {"generate",
                                          "models",
                                          "",
                                          "complete a text or token ids: the engine without agents",
                                          "The same seed gives the same tokens with any number of "
                                          "threads.",
                                          generate_options,
                                          0,
                                          0,
                                          generate_main};
