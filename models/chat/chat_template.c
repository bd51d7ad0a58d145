/* chat_template.c - a template from source to text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/chat_template.h"

#include <stdlib.h>
#include <string.h>

#include "models/chat/chat_render.h"
#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_eval.h"
#include "models/chat/jinja_lexer.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/utf8.h"

#define PARSE_MEMORY ((size_t)128 << 20)

struct chat_template {
    char *name;
    struct jinja_memory memory; /* source, tokens and tree */
    const struct jinja_node *root;
    bool has_generation;
};

void chat_template_free(struct chat_template *t)
{
    if (t == NULL)
        return;
    jinja_memory_deinit(&t->memory);
    free(t->name);
    free(t);
}

/* A copy with all line ends as \n. */
static struct jinja_text copy_source(struct jinja_memory *m, const char *text, size_t n)
{
    char *p = jinja_alloc(m, n + 1);
    size_t k = 0;

    for (size_t i = 0; i < n && p; i++) {
        if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n')
            continue;
        p[k++] = text[i] == '\r' ? '\n' : text[i];
    }
    return (struct jinja_text){p, k};
}

static enum status parse_source(struct chat_template *t, const char *text, size_t n,
                                struct error *err)
{
    const struct jinja_text source = copy_source(&t->memory, text, n);
    struct jinja_tokens tokens = {0};
    enum status st;

    if (source.p == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: no memory for the template", t->name);
    st = jinja_lex(source, t->name, &t->memory, &tokens, err);
    if (st == STATUS_OK)
        st = jinja_parse(&tokens, t->name, &t->memory, &t->root, &t->has_generation, err);
    if (st && t->memory.exhausted)
        st = error_set(err, STATUS_NO_MEMORY, "%s: no memory for the template", t->name);
    return st;
}

enum status chat_template_new(const char *text, size_t n, const char *name,
                              struct chat_template **out, struct error *err)
{
    size_t is_text = utf8_text_prefix(text, n);
    struct chat_template *t;
    long line, column;
    enum status st;

    if (n > CHAT_MAX_SOURCE)
        return error_set(err, STATUS_LIMIT, "%s: the chat template is longer than %zu bytes", name,
                         CHAT_MAX_SOURCE);
    if (is_text < n) {
        utf8_place(text, is_text, &line, &column);
        return error_at(err, STATUS_INVALID, name, line, column,
                        "the chat template must be valid UTF-8 without NUL");
    }
    t = xcalloc(1, sizeof(*t));
    t->name = xstrdup(name);
    jinja_memory_init(&t->memory, PARSE_MEMORY);
    st = parse_source(t, text, n, err);
    if (st) {
        chat_template_free(t);
        return st;
    }
    *out = t;
    return STATUS_OK;
}

bool chat_has_generation(const struct chat_template *t)
{
    return t->has_generation;
}

static struct json *function_of(const struct json *call)
{
    struct json *f = jv_get(call, "function");

    return f ? f : (struct json *)(uintptr_t)call;
}

static bool has_text_arguments(const struct json *messages)
{
    for (size_t i = 0; i < jv_size(messages); i++) {
        const struct json *calls = jv_get(jv_at(messages, i), "tool_calls");

        for (size_t k = 0; jv_kind(calls) == JV_ARRAY && k < jv_size(calls); k++)
            if (jv_kind(jv_get(function_of(jv_at(calls, k)), "arguments")) == JV_STRING)
                return true;
    }
    return false;
}

/* The OpenAI API sends arguments as a text that holds JSON; templates expect the object. */
static void parse_arguments(struct json *messages)
{
    for (size_t i = 0; i < jv_size(messages); i++) {
        const struct json *calls = jv_get(jv_at(messages, i), "tool_calls");

        for (size_t k = 0; jv_kind(calls) == JV_ARRAY && k < jv_size(calls); k++) {
            struct json *function = function_of(jv_at(calls, k)), *object = NULL;
            const struct json *text = jv_get(function, "arguments");

            if (jv_kind(text) != JV_STRING)
                continue;
            if (jv_parse(jv_get_string(text, ""), jv_string_len(text), "arguments", &object,
                         NULL) == STATUS_OK &&
                jv_kind(object) == JV_OBJECT)
                jv_set_adopt(function, "arguments", object);
            else
                jv_unref(object); /* anything but an object stays a string */
        }
    }
}

static void bind_variables(struct jinja_run *run, const struct chat_input *in,
                           const struct json *messages)
{
    const char *bos = in->bos_token ? in->bos_token : "", *eos = in->eos_token ? in->eos_token : "";
    const char *key;
    struct json *value;
    struct jinja_scope *s = run->scope;

    jinja_bind(run, s, JINJA_TEXT("messages"), jinja_from_json(run, messages));
    jinja_bind(run, s, JINJA_TEXT("tools"),
               in->tools ? jinja_from_json(run, in->tools) : JINJA_NONE);
    jinja_bind(run, s, JINJA_TEXT("documents"), JINJA_NONE);
    jinja_bind(run, s, JINJA_TEXT("add_generation_prompt"), jinja_bool(in->add_generation_prompt));
    jinja_bind(run, s, JINJA_TEXT("bos_token"),
               jinja_string((struct jinja_text){bos, strlen(bos)}));
    jinja_bind(run, s, JINJA_TEXT("eos_token"),
               jinja_string((struct jinja_text){eos, strlen(eos)}));
    for (void *it = NULL; in->extra && (it = jv_next(in->extra, it, &key, &value));)
        jinja_bind(run, s, (struct jinja_text){key, strlen(key)}, jinja_from_json(run, value));
}

static enum status run_template(const struct chat_template *t, const struct chat_input *in,
                                const struct json *messages, struct str *text,
                                struct chat_spans *spans, struct error *err)
{
    struct jinja_run run = {.name = t->name,
                            .err = err,
                            .out = text,
                            .main = text,
                            .spans = spans,
                            .in = in,
                            .started_us = seams_mono_us(seams_real())};

    jinja_memory_init(&run.memory, CHAT_MAX_MEMORY);
    run.scope = jinja_scope_new(&run, NULL);
    if (run.scope) {
        bind_variables(&run, in, messages);
        jinja_exec(&run, t->root);
    }
    jinja_spend(&run, 1); /* a region that filled up in the last step */
    jinja_memory_deinit(&run.memory);
    if (in->steps)
        *in->steps = run.steps;
    return run.st;
}

enum status chat_render_marked(const struct chat_template *t, const struct chat_input *in,
                               struct str *out, struct chat_spans *spans, struct error *err)
{
    struct json *copy = NULL;
    const struct json *messages = in->messages;
    struct str text;
    enum status st;

    if (jv_kind(messages) != JV_ARRAY)
        return error_set(err, STATUS_INVALID, "%s: messages must be an array", t->name);
    if (has_text_arguments(messages)) {
        copy = jv_deep_copy(messages);
        parse_arguments(copy);
        messages = copy;
    }
    str_init(&text, CHAT_MAX_OUTPUT);
    st = run_template(t, in, messages, &text, spans, err);
    for (size_t i = 0; spans && i < spans->n; i++) {
        spans->span[i].from += out->len;
        spans->span[i].to += out->len;
    }
    if (st == STATUS_OK) {
        str_append(out, str_cstr(&text), text.len);
        if (!str_ok(out))
            st = error_set(err, STATUS_LIMIT, "%s: the prompt is longer than %zu bytes", t->name,
                           out->max);
    }
    str_deinit(&text);
    jv_unref(copy);
    return st;
}

enum status chat_render(const struct chat_template *t, const struct chat_input *in, struct str *out,
                        struct error *err)
{
    return chat_render_marked(t, in, out, NULL, err);
}
