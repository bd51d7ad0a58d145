/* env_common.c - shared by all environments: the list, the vocabulary, calls as JSON, verdicts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/schema.h"
#include "tools/environments/env_list.h"

static const struct env_ops *const environments[] = {
#define ENVIRONMENT(name) &name##_env,
#include "tools/environments/environments.def"
#undef ENVIRONMENT
};

static const char *const vocabulary[] = {
#define WORD(text) text,
#include "tools/environments/vocabulary.def"
#undef WORD
};
_Static_assert(sizeof(vocabulary) / sizeof(vocabulary[0]) <= 64,
               "the embedded vocabulary has 320 rows: 256 bytes and 64 words");

uint64_t env_fault_seed(uint64_t task_seed)
{
    return rng_derive(task_seed, 0x6661756c74U); /* "fault": not used by a task's own draws */
}

const struct env_ops *env_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(environments); i++) {
        if (strcmp(environments[i]->name, name) == 0)
            return environments[i];
    }
    return NULL;
}

const struct env_ops *env_at(int32_t i)
{
    return i >= 0 && (size_t)i < ARRAY_LEN(environments) ? environments[i] : NULL;
}

const char *env_vocabulary_word(int32_t i)
{
    return i >= 0 && (size_t)i < ARRAY_LEN(vocabulary) ? vocabulary[i] : NULL;
}

#define MAX_TOOLS 32

static enum status unknown_tool(const struct env_ops *ops, const char *tool, struct error *err)
{
    const char *names[MAX_TOOLS];
    size_t n = 0;
    const char *near;
    struct str list = STR_INIT;

    for (int32_t i = 0; i < ops->n_tools && n < MAX_TOOLS; i++) {
        names[n++] = ops->tools[i].name;
        str_printf(&list, "%s%s", i ? ", " : "", ops->tools[i].name);
    }
    near = nearest_word(tool, names, n);
    if (near)
        (void)error_set(err, STATUS_INVALID, "unknown tool \"%.64s\"; did you mean \"%s\"?", tool,
                        near);
    else
        (void)error_set(err, STATUS_INVALID, "unknown tool \"%.64s\"; the tools are: %s", tool,
                        str_cstr(&list));
    str_deinit(&list);
    return STATUS_INVALID;
}

static enum status check_arguments(const struct env_tool_spec *spec, const struct json *arguments,
                                   struct error *err)
{
    struct json *schema = NULL;
    enum status st =
        jv_parse(spec->input_schema, strlen(spec->input_schema), spec->name, &schema, err);

    if (st)
        return st;
    st = schema_check(schema, arguments, "arguments", err);
    jv_unref(schema);
    return st;
}

static enum status read_value(const struct env_tool_spec *spec, int32_t i, const struct json *v,
                              struct env_value *out, struct error *err)
{
    const char *text;

    *out = (struct env_value){0};
    if (jv_kind(v) == JV_STRING) {
        text = jv_get_string(v, "");
        if (strlen(text) >= sizeof(out->text))
            return error_at(err, STATUS_INVALID, spec->arg[i], 0, 0,
                            "expected at most %zu bytes, got %zu", sizeof(out->text) - 1,
                            strlen(text));
        out->is_text = true;
        memcpy(out->text, text, strlen(text));
        return STATUS_OK;
    }
    /* As in JSON Schema, 66.0 is an integer. */
    if (jv_kind(v) == JV_INT)
        out->number = jv_get_int(v, 0);
    else
        out->number = (int64_t)jv_get_number(v, 0);
    return STATUS_OK;
}

enum status env_call_from_json(const struct env_ops *ops, const char *tool,
                               const struct json *arguments, struct env_call *out,
                               struct error *err)
{
    const struct env_tool_spec *spec = NULL;
    struct env_call call = {.tool = -1};
    enum status st;

    *out = (struct env_call){.tool = -1}; /* call() accepts it and counts it */
    for (int32_t i = 0; i < ops->n_tools; i++) {
        if (strcmp(ops->tools[i].name, tool) == 0) {
            spec = &ops->tools[i];
            call.tool = i;
        }
    }
    if (!spec)
        return unknown_tool(ops, tool, err);
    st = check_arguments(spec, arguments, err);
    for (int32_t i = 0; i < spec->n_args && !st; i++)
        st = read_value(spec, i, jv_get(arguments, spec->arg[i]), &call.arg[i], err);
    if (!st)
        *out = call;
    return st;
}

struct json *env_call_arguments(const struct env_ops *ops, const struct env_call *c)
{
    struct json *v = jv_object();
    const struct env_tool_spec *spec;

    if (c->tool < 0 || c->tool >= ops->n_tools)
        return v;
    spec = &ops->tools[c->tool];
    for (int32_t i = 0; i < spec->n_args; i++) {
        if (c->arg[i].is_text)
            jv_set_string(v, spec->arg[i], c->arg[i].text);
        else
            jv_set_int(v, spec->arg[i], c->arg[i].number);
    }
    return v;
}

const char *env_ablation_name(enum env_ablation a)
{
    static const char *const name[ENV_ABLATIONS] = {
        [ENV_ABLATE_NONE] = "none",     [ENV_ABLATE_MASK] = "mask",   [ENV_ABLATE_MUTE] = "mute",
        [ENV_ABLATE_ECHO] = "echo",     [ENV_ABLATE_ALARM] = "alarm", [ENV_ABLATE_UNDO] = "undo",
        [ENV_ABLATE_BUDGET] = "budget",
    };

    return (int)a >= 0 && a < ENV_ABLATIONS ? name[a] : "?";
}

struct json *env_verdict_json(const struct env_verdict *v)
{
    struct json *o = jv_object();

    jv_set_bool(o, "success", v->success);
    jv_set_int(o, "steps", v->steps);
#define COUNTER(name) jv_set_int(o, #name, v->name);
#include "tools/environments/counters.def"
#undef COUNTER
    jv_set_bool(o, "capped", v->capped);
    jv_set_bool(o, "over_budget", v->over_budget);
    return o;
}

enum status env_check_expert(const struct env_ops *e, const char *name, struct error *err)
{
    struct str list = STR_INIT;
    const char *near = nearest_word(name, e->experts, (size_t)e->n_experts);

    for (int32_t i = 0; i < e->n_experts; i++) {
        if (strcmp(e->experts[i], name) == 0) {
            str_deinit(&list);
            return STATUS_OK;
        }
        str_printf(&list, "%s%s", i ? ", " : "", e->experts[i]);
    }
    (void)error_set(err, STATUS_USAGE, "%s has no script \"%.64s\"; its scripts are: %s", e->name,
                    name, str_cstr(&list));
    if (near)
        error_hint(err, "did you mean %s?", near);
    str_deinit(&list);
    return STATUS_USAGE;
}
