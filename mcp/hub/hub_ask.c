/* hub_ask.c - see hub_ask.h.
 *
 * The questions are in the order of the text, so that a call that is started again after a crash
 * asks the same ones under the same numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_ask.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/rpc/mcp.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

struct hub_ask {
    struct hub_ask_spec spec;
    char *text; /* of the result */
    struct json_view result;
    struct json_walk request; /* the request that is asked now */
    struct json_walk field;   /* the field of its form */
    bool in_form;
    struct str out, content; /* the responses so far; the fields of this form */
};

struct hub_ask *hub_ask_new(const struct hub_ask_spec *spec)
{
    struct hub_ask *a = xcalloc(1, sizeof(*a));

    a->spec = *spec;
    a->text = xstrndup(spec->result.at, spec->result.n);
    a->result = json_view_of(a->text, spec->result.n);
    a->out = a->content = STR_INIT;
    return a;
}

void hub_ask_free(struct hub_ask *a)
{
    if (!a)
        return;
    str_deinit(&a->out);
    str_deinit(&a->content);
    free(a->text);
    free(a);
}

struct json_view hub_ask_state(const struct hub_ask *a)
{
    return json_view_get(a->result, "requestState");
}

/* ---- questions */

static void put_text(struct json_view v, const char *before, struct str *out)
{
    struct str text = STR_INIT;

    if (json_view_text(v, &text) && text.len > 0)
        str_printf(out, "%s%s", before, str_cstr(&text));
    str_deinit(&text);
}

/* The allowed answers of a field: enum, oneOf with const, a boolean's. NULL: any text. */
static struct json *options_of(struct json_view schema)
{
    struct json *options = json_view_value(json_view_get(schema, "enum"));
    struct json_view one_of = json_view_get(schema, "oneOf");

    if (!options && json_view_is(json_view_get(schema, "type"), "boolean")) {
        options = jv_array();
        jv_append_adopt(options, jv_string("true"));
        jv_append_adopt(options, jv_string("false"));
    }
    if (!options && json_view_kind(one_of) == JV_ARRAY) {
        options = jv_array();
        for (struct json_walk w = json_walk(one_of); json_walk_next(&w);)
            jv_append_adopt(options, json_view_value(json_view_get(w.value, "const")));
    }
    return options;
}

static void ask_person(struct hub_ask *a, const struct str *text, struct json *adopt_options,
                       struct json_view otherwise)
{
    struct tool_call *c = a->spec.call;
    struct json *prompt = jv_object();
    struct str word = STR_INIT;

    jv_set_string(prompt, "text", str_cstr(text));
    if (adopt_options)
        jv_set_adopt(prompt, "options", adopt_options);
    if (otherwise.at) {
        if (!json_view_text(otherwise, &word))
            json_view_put(&word, otherwise);
        jv_set_string(prompt, "default", str_cstr(&word));
    }
    c->host->ask(c, prompt, c->deadline_ms, a->spec.answered);
    jv_unref(prompt);
    str_deinit(&word);
}

static void ask_field(struct hub_ask *a)
{
    struct json_view params = json_view_get(a->request.value, "params");
    struct json_view schema = a->field.value;
    struct str text = STR_INIT;

    str_printf(&text, "%s asks", a->spec.server);
    put_text(json_view_get(params, "message"), ": ", &text);
    str_putc(&text, '\n');
    put_text(json_view_get(schema, "title").at ? json_view_get(schema, "title") : a->field.key, "",
             &text);
    put_text(json_view_get(schema, "description"), ": ", &text);
    ask_person(a, &text, options_of(schema), json_view_get(schema, "default"));
    str_deinit(&text);
}

static void ask_url(struct hub_ask *a, struct json_view params)
{
    struct str text = STR_INIT;
    struct json *options = jv_array();

    str_printf(&text, "%s asks", a->spec.server);
    put_text(json_view_get(params, "message"), ": ", &text);
    put_text(json_view_get(params, "url"), "\nopen ", &text);
    jv_append_adopt(options, jv_string("done"));
    jv_append_adopt(options, jv_string("decline"));
    ask_person(a, &text, options, JSON_VIEW_NONE);
    str_deinit(&text);
}

/* ---- one after the other */

static void next_request(struct hub_ask *a);

static void put_response(struct hub_ask *a, const char *action, const struct str *content)
{
    if (a->out.len > 1)
        str_putc(&a->out, ',');
    json_view_put(&a->out, a->request.key);
    str_printf(&a->out, ":{\"action\":\"%s\"", action);
    if (content)
        str_printf(&a->out, ",\"content\":{%s}", str_cstr(content));
    str_putc(&a->out, '}');
}

static void next_field(struct hub_ask *a)
{
    if (json_walk_next(&a->field)) {
        ask_field(a);
        return;
    }
    put_response(a, "accept", &a->content);
    next_request(a);
}

static void next_request(struct hub_ask *a)
{
    struct json_view params;

    if (!json_walk_next(&a->request)) {
        str_putc(&a->out, '}');
        a->spec.done(a->spec.ctx, str_ok(&a->out), json_view_str(&a->out));
        return;
    }
    params = json_view_get(a->request.value, "params");
    if (mcp_method_find(json_view_get(a->request.value, "method")) != MCP_ELICIT) {
        a->spec.done(a->spec.ctx, false, JSON_VIEW_NONE);
        return;
    }
    a->in_form = !json_view_is(json_view_get(params, "mode"), "url");
    if (!a->in_form) {
        ask_url(a, params);
        return;
    }
    str_clear(&a->content);
    a->field = json_walk(json_view_get(json_view_get(params, "requestedSchema"), "properties"));
    next_field(a);
}

void hub_ask_start(struct hub_ask *a)
{
    assert(a->out.len == 0);
    str_putc(&a->out, '{');
    a->request = json_walk(json_view_get(a->result, "inputRequests"));
    next_request(a);
}

/* The answer in the type of the field; false: it is not one. */
static bool put_typed(struct json_view schema, const char *answer, struct str *out)
{
    struct json_view type = json_view_get(schema, "type");
    int64_t i;
    double d;

    if (json_view_is(type, "boolean")) {
        str_puts(out, strcmp(answer, "true") == 0 ? "true" : "false");
        return true;
    }
    if (json_view_is(type, "integer")) {
        if (!text_to_i64(answer, &i))
            return false;
        str_put_i64(out, i);
        return true;
    }
    if (json_view_is(type, "number")) {
        if (!text_to_double(answer, &d))
            return false;
        str_put_double(out, d);
        return true;
    }
    if (json_view_is(type, "array")) { /* several choices, with commas between */
        const char *comma = "[";

        for (const char *at = answer; *at;) {
            size_t n = strcspn(at, ",");

            str_puts(out, comma);
            str_put_json_string(out, at, n);
            comma = ",";
            at += n + (at[n] == ',');
        }
        str_puts(out, *comma == '[' ? "[]" : "]");
        return true;
    }
    str_put_json_string(out, answer, strlen(answer));
    return true;
}

void hub_ask_answered(struct hub_ask *a, const struct json *answer)
{
    const char *word = jv_get_string(answer, NULL);
    struct str typed = STR_INIT;

    if (!word) {
        a->spec.done(a->spec.ctx, false, JSON_VIEW_NONE);
    } else if (!a->in_form) {
        put_response(a, strcmp(word, "done") == 0 ? "accept" : "decline", NULL);
        next_request(a);
    } else if (put_typed(a->field.value, word, &typed)) {
        if (a->content.len > 0)
            str_putc(&a->content, ',');
        json_view_put(&a->content, a->field.key);
        str_printf(&a->content, ":%s", str_cstr(&typed));
        next_field(a);
    } else {
        ask_field(a); /* again */
    }
    str_deinit(&typed);
}
