/* show_text.c - a run as text: a tree of steps, with tokens under their calls.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats/tokenizer.h"
#include "runtime/app/run_text.h"
#include "runtime/app/show.h"
#include "runtime/app/show_messages.h"
#include "runtime/app/show_tree.h"
#include "runtime/app/table.h"
#include "runtime/app/wait_text.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

/* Printable text of one token, blanks and control bytes visible. */
static void put_token_text(const struct tokenizer *t, int32_t id, struct str *out)
{
    size_t n = 0;
    const char *bytes = t ? tokenizer_bytes(t, id, &n) : NULL;

    if (!bytes)
        return;
    struct str clean = STR_INIT;
    struct json *s = jv_string_n(bytes, n);
    jv_write(s, 0, &clean);
    str_printf(out, " %s", str_cstr(&clean));
    jv_unref(s);
    str_deinit(&clean);
}

static void put_tokens(const struct show_view *v, const struct json *t, int indent, struct str *out)
{
    const struct json *delta = jv_get(t, "prompt_delta"), *ids = jv_get(t, "ids"),
                      *logp = jv_get(t, "logp"), *sampled = jv_get(t, "logp_sampled");

    str_printf(out, "%*sprompt %lld (%lld cached)  weights version %lld\n", indent, "",
               (long long)jv_get_int(jv_get(t, "prompt_len"), 0),
               (long long)jv_get_int(jv_get(t, "prefix_len"), 0),
               (long long)jv_get_int(jv_get(t, "policy_version"), 0));
    for (size_t i = 0; i < jv_size(delta); i++) {
        int32_t id = (int32_t)jv_get_int(jv_at(delta, i), -1);
        str_printf(out, "%*s0 %6d            ", indent, "", id);
        put_token_text(v->tokenizer, id, out);
        str_putc(out, '\n');
    }
    for (size_t i = 0; i < jv_size(ids); i++) {
        int32_t id = (int32_t)jv_get_int(jv_at(ids, i), -1);
        str_printf(out, "%*s1 %6d  %10.6f", indent, "", id, jv_get_number(jv_at(logp, i), 0));
        if (sampled)
            str_printf(out, " (%.6f)", jv_get_number(jv_at(sampled, i), 0));
        put_token_text(v->tokenizer, id, out);
        str_putc(out, '\n');
    }
}

static void put_value(const struct json *v, size_t width, struct str *out)
{
    char *text = jv_dump(v);

    format_one_line(text, width, out);
    free(text);
}

/* The call and its result, or the output; then the error. */
static void put_outcome(const struct json *s, struct str *out)
{
    const struct json *call = jv_get(s, "call"), *output = jv_get(s, "output");
    const char *error = jv_get_string(jv_get(s, "error"), NULL);

    if (call) {
        str_puts(out, "  ");
        put_value(jv_get(call, "arguments"), 60, out);
        str_puts(out, " -> ");
        put_value(jv_get(call, "result"), 80, out);
    } else if (output) {
        str_puts(out, "  ");
        put_value(output, 100, out);
    }
    if (jv_get(s, "note")) {
        str_puts(out, "  ");
        format_one_line(jv_get_string(jv_get(s, "note"), ""), 120, out);
    }
    if (error) {
        str_puts(out, "  ! ");
        format_one_line(error, 120, out);
        if (jv_get_bool(jv_get(s, "not_retryable"), false))
            str_puts(out, " (not tried again: it would fail again)");
    }
    str_putc(out, '\n');
}

static int64_t nano_of(const struct json *v)
{
    return llround(1e9 * jv_get_number(jv_get(v, "cost"), 0));
}

/* label: its path, or the part of it that the tree does not show already. */
static void put_step(const struct show_view *v, const struct json *s, const char *label, int indent,
                     struct str *out)
{
    str_printf(out, "%*s%s", indent, "", label);
    if (jv_get_int(jv_get(s, "attempt"), 0) > 0)
        str_printf(out, " @%lld", (long long)jv_get_int(jv_get(s, "attempt"), 0));
    str_printf(out, "  %s", jv_get_string(jv_get(s, "status"), ""));
    if (jv_get(s, "ended_ms")) {
        char took[32];
        format_duration_ms(
            jv_get_int(jv_get(s, "ended_ms"), 0) - jv_get_int(jv_get(s, "began_ms"), 0), took,
            sizeof(took));
        str_printf(out, "  %s", took);
    }
    if (jv_get(s, "cost")) {
        str_puts(out, "  ");
        run_put_dollars(nano_of(s), out);
    }
    if (jv_get(s, "requests"))
        str_printf(out, "  %lld requests", (long long)jv_get_int(jv_get(s, "requests"), 0));
    put_outcome(s, out);
    if (jv_get(s, "tokens"))
        put_tokens(v, jv_get(s, "tokens"), indent + 2, out);
    else if (v->run.tokens && strcmp(jv_get_string(jv_get(s, "kind"), ""), "model") == 0 &&
             strcmp(jv_get_string(jv_get(s, "status"), ""), "ok") == 0)
        str_printf(out, "%*sno token ids: the model gave only text\n", indent + 2, "");
    if (v->run.messages)
        show_put_messages(v->run.threads, s, indent + 2, out);
}

/* Is the step a turn of a conversation that is shown? */
static bool is_in_thread(const struct map *threads, const struct show_node *n)
{
    const char *path = jv_get_string(jv_get(n->step, "path"), "");

    return n->label > path && map_get_n(threads, path, (size_t)(n->label - path) - 1);
}

static void put_tree(const struct show_view *v, struct str *out)
{
    struct show_node *tree = show_tree(v->run.steps);
    struct map *threads = map_new();

    for (size_t i = 0; i < jv_size(v->run.threads); i++)
        map_put(threads, jv_get_string(jv_get(jv_at(v->run.threads, i), "path"), ""),
                v->run.threads);
    for (size_t i = 0; i < jv_size(v->run.steps); i++) {
        if (!is_in_thread(threads, &tree[i]))
            put_step(v, tree[i].step, tree[i].label, 2 + 2 * tree[i].depth, out);
    }
    map_free(threads, NULL);
    free(tree);
}

/* In the order of arrival, each with its whole path. */
static void put_list(const struct show_view *v, struct str *out)
{
    for (size_t i = 0; i < jv_size(v->run.steps); i++) {
        const struct json *s = jv_at(v->run.steps, i);

        put_step(v, s, jv_get_string(jv_get(s, "path"), ""), 2, out);
    }
}

/* What each model did, where one has a cost. */
static void put_models(const struct json *models, struct str *out)
{
    bool paid = false;

    for (size_t i = 0; i < jv_size(models); i++)
        paid = paid || jv_get(jv_at(models, i), "cost");
    for (size_t i = 0; i < jv_size(models) && paid; i++) {
        const struct json *m = jv_at(models, i);
        long long calls = jv_get_int(jv_get(m, "calls"), 0);

        str_printf(out, "  %s: %lld call%s, %lld fed, %lld sampled",
                   jv_get_string(jv_get(m, "model"), ""), calls, plural_s(calls),
                   (long long)jv_get_int(jv_get(m, "tokens_in"), 0),
                   (long long)jv_get_int(jv_get(m, "tokens_out"), 0));
        run_put_cost(nano_of(m), out);
        str_putc(out, '\n');
    }
}

static void put_head(const struct show_view *v, struct str *out)
{
    const struct json *h = v->run.head;
    int64_t steps = jv_get_int(jv_get(h, "n_steps"), -1),
            tokens = jv_get_int(jv_get(h, "tokens"), -1);
    char began[32], took[32];
    char *text;

    format_time_ms(jv_get_int(jv_get(h, "created_ms"), 0), began, sizeof(began));
    format_duration_ms(
        jv_get_int(jv_get(h, "ended_ms"), -1) - jv_get_int(jv_get(h, "created_ms"), 0), took,
        sizeof(took));
    str_printf(out, "%s  %s %s  %s  seed %lld\nbegun %s, took %s",
               jv_get_string(jv_get(h, "run"), ""), jv_get_string(jv_get(h, "kind"), ""),
               jv_get_string(jv_get(h, "name"), ""), jv_get_string(jv_get(h, "status"), ""),
               (long long)jv_get_int(jv_get(h, "seed"), 0), began,
               jv_get(h, "ended_ms") ? took : "-");
    if (steps >= 0)
        str_printf(out, ", %lld step%s", (long long)steps, plural_s(steps));
    if (tokens >= 0)
        str_printf(out, ", %lld token%s", (long long)tokens, plural_s(tokens));
    if (jv_get_int(jv_get(h, "tokens_in"), 0) > 0 || tokens == 0)
        str_printf(out, " (%lld fed, %lld sampled)",
                   (long long)jv_get_int(jv_get(h, "tokens_in"), 0),
                   (long long)jv_get_int(jv_get(h, "tokens_out"), 0));
    run_put_cost(nano_of(h), out);
    str_putc(out, '\n');
    if (jv_get(h, "model"))
        str_printf(out, "model: %s\n", jv_get_string(jv_get(h, "model"), ""));
    put_models(v->run.models, out);
    if (jv_get(h, "error"))
        str_printf(out, "error: %s\n", jv_get_string(jv_get(h, "error"), ""));
    if (strcmp(jv_get_string(jv_get(h, "kind"), ""), "eval") == 0) {
        run_put_rows(jv_get(h, "output"), out); /* all of it is in the document */
    } else if (jv_get(h, "output")) {
        text = jv_dump(jv_get(h, "output"));
        str_printf(out, "output: %s\n", text);
        free(text);
    }
}

void show_text(const struct show_view *v, struct str *out)
{
    char *text;

    put_head(v, out);
    if (jv_size(v->run.steps) > 0)
        str_puts(out, "\n");
    put_tree(v, out);
    for (size_t i = 0; i < jv_size(v->run.episodes) && jv_size(v->run.steps) == 0; i++) {
        const struct json *e = jv_at(v->run.episodes, i);
        str_printf(out, "  %-28s seed %-10lld %-8s %s  %lld step%s\n",
                   jv_get_string(jv_get(e, "path"), ""),
                   (long long)jv_get_int(jv_get(e, "seed"), 0),
                   jv_get_string(jv_get(e, "status"), ""),
                   jv_get_bool(jv_get(e, "success"), false) ? "success" : "failure",
                   (long long)jv_get_int(jv_get(e, "steps"), 0),
                   plural_s(jv_get_int(jv_get(e, "steps"), 0)));
    }
    for (size_t i = 0; i < jv_size(v->run.waits); i++) {
        str_putc(out, '\n');
        wait_put_text(jv_at(v->run.waits, i), jv_get_string(jv_get(v->run.head, "run"), ""),
                      jv_size(v->run.waits) > 1, seams_wall_ms(v->app->seams), out);
    }
    if (v->run.verdict) {
        text = jv_dump(v->run.verdict);
        str_printf(out, "\nverdict: %s\n", text);
        free(text);
    }
}

int show_stream(const struct show_view *v, bool json, bool last)
{
    struct str out = STR_INIT;
    int code;

    for (size_t i = 0; json && i < jv_size(v->run.steps); i++) {
        struct json *s = jv_at(v->run.steps, i);
        jv_set_string(s, "type", "step");
        jv_write(s, 0, &out);
        str_putc(&out, '\n');
    }
    if (!json)
        put_list(v, &out);
    if (last && json) {
        jv_set_string(v->run.head, "type", "result");
        jv_set_string(v->run.head, "schema", "troupe.show/1");
        jv_set_adopt(v->run.head, "verdict", v->run.verdict ? jv_ref(v->run.verdict) : jv_null());
        jv_write(v->run.head, 0, &out);
        str_putc(&out, '\n');
    } else if (last) {
        put_head(v, &out);
    }
    code = app_print(&out);
    str_deinit(&out);
    return code;
}
