/* cmd_generate.c - generate: plain completion, the engine without agents.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/formats/tokenizer.h"
#include "models/stop_text.h"
#include "runtime/app/app_messages.h"
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
    struct stop_stream shown; /* of the streamed text */
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

/* The text's ids behind those that the model expects before a text, unless the text has them. */
static enum status encode_prompt(struct generation *g, const char *text, size_t n,
                                 struct error *err)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    struct token_ids *p = &g->prompt;
    size_t n_before;
    const int32_t *before = tokenizer_before(g->tokenizer, &n_before);
    enum status st = token_ids_append(p, before, n_before, err);

    if (!st)
        st = tokenizer_encode(g->tokenizer, scratch, text, n, true, p, err);
    tokenizer_scratch_free(scratch);
    if (st)
        return st;
    if (p->n == n_before)
        return error_set(err, STATUS_USAGE, "--prompt is empty");
    if (p->n >= 2 * n_before && memcmp(p->id + n_before, before, n_before * sizeof(*before)) == 0) {
        p->n -= n_before;
        memmove(p->id, p->id + n_before, p->n * sizeof(*p->id));
    }
    return STATUS_OK;
}

static enum status read_prompt(struct generation *g, struct error *err)
{
    const struct options *o = g->app->options;
    const char *text = option_text(o, OPT_PROMPT), *ids = option_text(o, OPT_IDS);
    bool messages = option_is_set(o, OPT_MESSAGES_FILE);
    struct str from_stdin = STR_INIT;
    size_t n = text ? strlen(text) : 0;
    enum status st = STATUS_OK;

    if ((text != NULL) + (ids != NULL) + messages != 1)
        return error_set(err, STATUS_USAGE,
                         "give one of --prompt TEXT, --ids 1,2,3 and --messages FILE");
    if (!messages && (option_text(o, OPT_TOOLS) || option_text(o, OPT_SYSTEM)))
        return error_set(err, STATUS_USAGE, "--tools and --system need --messages");
    if (option_count(o, OPT_TOOLS) > 1)
        return error_set(err, STATUS_USAGE, "--tools takes one file here");
    if (messages)
        return app_messages_prompt(g->app, g->model, &g->prompt, err);
    if (ids)
        return parse_ids(ids, g->model->info.vocab, &g->prompt, err);
    if (strcmp(text, "-") == 0) {
        st = read_stdin(&from_stdin, err);
        text = str_cstr(&from_stdin);
        n = from_stdin.len;
    }
    if (!st)
        st = encode_prompt(g, text, n, err);
    str_deinit(&from_stdin);
    return st;
}

/* Runs on the engine's thread, one token at a time, alone on standard output. */
static void on_token(struct model_call *c, int32_t id, float logp)
{
    struct generation *g = c->caller;
    struct str text = STR_INIT, out = STR_INIT;

    (void)logp;
    token_stream_push(&g->stream, g->tokenizer, id, true, &text);
    stop_stream_push(&g->shown, str_cstr(&text), text.len, &out);
    app_print(&out);
    str_deinit(&text);
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
    g->shown.text = c->stop_text;
    g->shown.n_text = c->n_stop_text;
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
    struct str text = STR_INIT;

    token_stream_finish(&g->stream, &text);
    stop_stream_push(&g->shown, str_cstr(&text), text.len, out);
    stop_stream_end(&g->shown, out);
    str_deinit(&text);
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
        .app = a, .prompt = TOKEN_IDS_INIT, .stream = TOKEN_STREAM_INIT, .shown = STOP_STREAM_INIT};
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
    stop_stream_deinit(&g.shown);
    token_ids_deinit(&g.prompt);
    tokenizer_free(g.tokenizer);
    return *a->interrupted ? EXIT_INTERRUPTED : code;
}

static const enum option_id generate_options[] = {OPT_MODEL,      OPT_PROMPT,
                                                  OPT_IDS,        OPT_MESSAGES_FILE,
                                                  OPT_TOOLS,      OPT_SYSTEM,
                                                  OPT_MAX_TOKENS, OPT_TEMPERATURE,
                                                  OPT_SEED,       OPT_TOP_P,
                                                  OPT_TOP_K,      OPT_MIN_P,
                                                  OPT_STOP,       OPT_REPETITION_PENALTY,
                                                  OPT_LOGPROBS,   OPT_STREAM,
                                                  OPT_DEVICE,     OPT_THREADS,
                                                  OPT_KV_MEMORY,  OPT_CONTEXT,
                                                  OPT_CPU_ISA,    OPT_WEIGHT_TYPE,
                                                  OPT_KV_TYPE,    OPT_END};
const struct command_spec cmd_generate = {
    "generate",
    "models",
    "",
    "complete a text, token ids or messages: the engine without agents",
    "The same seed gives the same tokens with any number of "
    "threads.",
    generate_options,
    0,
    0,
    generate_main};
