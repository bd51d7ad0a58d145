/* plan_check.c - checks that depend on where a blueprint runs: tools and their arguments, models,
 * effects, questions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/schema.h"

static enum status check_tool(const struct plan *p, const struct plan_check *c,
                              const struct yaml_node *at, const char *name, struct error *err)
{
    const char *near;

    if (!c->tools || tool_registry_find(c->tools, name))
        return STATUS_OK;
    near = tool_registry_nearest(c->tools, name);
    if (near)
        return yaml_error(err, p->yaml, at, "unknown tool `%.80s`; did you mean `%s`?", name, near);
    return yaml_error(err, p->yaml, at, "unknown tool `%.80s`; `troupe %s` lists all tools", name,
                      strstr(name, "__") ? "mcp tools" : "tools list");
}

static enum status misfit(const struct plan *p, const struct yaml_node *at, const char *tool,
                          const struct error *fault, struct error *err)
{
    return yaml_error(err, p->yaml, at, "wrong arguments for tool `%.80s`: %s%s%s", tool,
                      fault->where, *fault->where ? ": " : "", fault->message);
}

/* Checks one constant argument against its schema. A schema with a $ref is checked by the call. */
static enum status check_argument(const struct plan *p, const struct tool *t, const char *key,
                                  const struct plan_value *v, struct error *err)
{
    struct json *property = jv_get(jv_get(t->input_schema, "properties"), key);
    struct json *literal = plan_value_literal(v);
    char *text = jv_dump(property);
    struct error fault = ERROR_INIT;
    enum status st = STATUS_OK;

    if (property && literal && !strstr(text, "\"$ref\""))
        st = schema_check(property, literal, key, &fault);
    if (st)
        st = misfit(p, plan_value_node(v), t->name, &fault, err);
    free(text);
    jv_unref(literal);
    return st;
}

static enum status unknown_argument(const struct plan *p, const struct tool *t,
                                    const struct yaml_node *in, const char *key, struct error *err)
{
    const struct json *properties = jv_get(t->input_schema, "properties");
    const struct yaml_node *at = yaml_key_node(in, key);
    struct str list = STR_INIT;
    const char *near = schema_nearest_property(properties, key, &list);

    if (near)
        yaml_error(err, p->yaml, at, "tool `%.80s` has no argument `%.80s`; did you mean `%.80s`?",
                   t->name, key, near);
    else
        yaml_error(err, p->yaml, at, "tool `%.80s` has no argument `%.80s`; %s%s", t->name, key,
                   list.len ? "it takes " : "it takes none", str_cstr(&list));
    str_deinit(&list);
    return STATUS_CONFIG;
}

/* Checks the keys of the arguments: required ones, and unknown ones if the schema forbids them. */
static enum status check_keys(const struct plan *p, const struct tool *t,
                              const struct plan_value *in, struct error *err)
{
    const struct json *required = jv_get(t->input_schema, "required");
    const struct json *additional = jv_get(t->input_schema, "additionalProperties");
    const struct json *properties = jv_get(t->input_schema, "properties");
    bool closed = jv_kind(additional) == JV_BOOL && !jv_get_bool(additional, true);
    struct json *present = jv_object();
    const char *key;
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && plan_value_member(in, i, &key) != NULL; i++) {
        jv_set_bool(present, key, true);
        if (closed && !jv_get(properties, key))
            st = unknown_argument(p, t, plan_value_node(in), key, err);
    }
    for (size_t i = 0; !st && i < jv_size(required); i++) {
        key = jv_get_string(jv_at(required, i), "");
        if (!jv_get(present, key))
            st = yaml_error(err, p->yaml, plan_value_node(in),
                            "tool `%.80s` needs the argument `%.80s`", t->name, key);
    }
    jv_unref(present);
    return st;
}

/* Checks the constant arguments of a call. Computed ones are checked when the step runs. */
static enum status check_arguments(const struct plan *p, const struct plan_check *c,
                                   const struct plan_step *s, struct error *err)
{
    const struct tool *t = c->tools ? tool_registry_find(c->tools, s->tool) : NULL;
    struct json *literal = s->in ? plan_value_literal(s->in) : jv_object();
    struct error fault = ERROR_INIT;
    const struct plan_value *v;
    const char *key;
    enum status st = STATUS_OK;

    if (t && s->in && yaml_node_kind(plan_value_node(s->in)) == YAML_MAPPING)
        st = check_keys(p, t, s->in, err);
    for (size_t i = 0; t && s->in && !st && (v = plan_value_member(s->in, i, &key)) != NULL; i++)
        st = check_argument(p, t, key, v, err);
    if (!st && t && literal && schema_check(t->input_schema, literal, "in", &fault))
        st = misfit(p, s->in ? plan_value_node(s->in) : yaml_get(s->node, "tool"), t->name, &fault,
                    err);
    jv_unref(literal);
    return st;
}

static int max_effect(int a, int b)
{
    return a > b ? a : b;
}

static int tool_effect(const struct tool_registry *tools, const char *name)
{
    const struct tool *t = tools ? tool_registry_find(tools, name) : NULL;

    return t ? (int)t->effect : EFFECT_NONE;
}

/* The strongest effect of the steps inside, ignoring what the step itself declares. */
static int inner_effect(const struct plan *p, const struct plan_step *s,
                        const struct tool_registry *tools)
{
    const struct plan_agent *a = s->agent ? plan_agent_find(p, s->agent) : NULL;
    int effect = s->tool ? tool_effect(tools, s->tool) : EFFECT_NONE;

    for (int32_t i = 0; a && i < a->n_tools; i++)
        effect = max_effect(effect, tool_effect(tools, a->tools[i]));
    for (int32_t i = 0; i < s->n_children; i++)
        effect = max_effect(effect, (int)plan_step_effect(p, &s->child[i], tools));
    for (int32_t i = 0; i < s->n_otherwise; i++)
        effect = max_effect(effect, (int)plan_step_effect(p, &s->otherwise[i], tools));
    for (int32_t i = 0; s->sub && i < s->sub->n_steps; i++)
        effect = max_effect(effect, (int)plan_step_effect(s->sub, &s->sub->step[i], tools));
    return effect;
}

enum effect plan_step_effect(const struct plan *p, const struct plan_step *s,
                             const struct tool_registry *tools)
{
    return (enum effect)(s->effect >= 0 ? s->effect : inner_effect(p, s, tools));
}

static bool are_computed(const struct plan_step *s, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!plan_step_is_computed(&s[i]))
            return false;
    return true;
}

bool plan_step_is_computed(const struct plan_step *s)
{
    switch (s->kind) {
    case PLAN_VALUE:
        return true;
    case PLAN_DO:
    case PLAN_IF:
    case PLAN_MAP:
    case PLAN_LOOP:
    case PLAN_PARALLEL:
        return are_computed(s->child, s->n_children) && are_computed(s->otherwise, s->n_otherwise);
    case PLAN_BLUEPRINT:
        return are_computed(s->sub->step, s->sub->n_steps);
    default:
        return false;
    }
}

/* A retry gives new paths below the step, so new keys: effects would be repeated. */
static enum status check_retry(const struct plan *p, const struct plan_check *c,
                               const struct plan_step *s, struct error *err)
{
    enum effect effect = plan_step_effect(p, s, c->tools);

    if (s->retry.max == 0 || s->kind == PLAN_TOOL || effect <= EFFECT_READ)
        return STATUS_OK;
    return yaml_error(
        err, p->yaml, yaml_get(s->node, "retry"),
        "`retry` here would repeat effects (%s): put it on the step of the tool, or declare "
        "`effect: read` if that is safe",
        effect_words[effect]);
}

/* The same for the inputs of a blueprint inside; that their names fit was checked when it was read.
 */
static enum status check_sub_inputs(const struct plan *p, const struct plan_step *s,
                                    struct error *err)
{
    const struct plan_value *v;
    const char *key;
    enum status st = STATUS_OK;

    for (size_t i = 0; s->in && !st && (v = plan_value_member(s->in, i, &key)) != NULL; i++) {
        const struct plan_input *in = plan_input_find(s->sub, key);
        struct json *literal = plan_value_literal(v);

        if (in && literal && !plan_input_takes(in, literal) &&
            (in->required || jv_kind(literal) != JV_NULL))
            st = yaml_error(err, p->yaml, plan_value_node(v),
                            "input `%s` of %s is of type %s, got %s", key, s->sub->file, in->type,
                            jv_kind_name(jv_kind(literal)));
        jv_unref(literal);
    }
    return st;
}

/* Only the call of a tool has a key for repeating it or asking about it after a crash. */
static enum status check_effect(const struct plan *p, const struct plan_step *s, struct error *err)
{
    if (s->effect <= EFFECT_READ || s->kind == PLAN_TOOL)
        return STATUS_OK;
    return yaml_error(
        err, p->yaml, yaml_get(s->node, "effect"),
        "`effect: %s` is not allowed on a step of kind `%s`: the calls inside it declare "
        "their own effects",
        effect_words[s->effect], plan_kind_name(s->kind));
}

/* s: the step that uses it, or NULL. */
static enum status model_fault(const struct plan *p, const struct plan_agent *a,
                               const struct plan_step *s, const struct error *fault,
                               struct error *err)
{
    const struct yaml_node *at = yaml_get(a->node, "model");

    if (!at)
        at = s ? yaml_get(s->node, "agent") : a->node;
    yaml_error(err, p->yaml, at, "the model of agent `%s` cannot be used%s%s%s: %s%s%s", a->name,
               s ? " in step `" : "", s ? s->id : "", s ? "`" : "", fault->where,
               *fault->where ? ": " : "", fault->message);
    if (*fault->hint)
        error_hint(err, "%s", fault->hint);
    return STATUS_CONFIG;
}

enum status plan_model_fault(const struct plan *p, const struct plan_agent *a,
                             const struct error *fault, struct error *err)
{
    if (fault->status != STATUS_NO_MEMORY && fault->status != STATUS_CANCELLED &&
        fault->status != STATUS_BUSY)
        return model_fault(p, a, NULL, fault, err);
    if (err)
        *err = *fault;
    return fault->status;
}

static enum status check_model(const struct plan *p, const struct plan_check *c,
                               const struct plan_step *s, struct error *err)
{
    const struct plan_agent *a = plan_agent_find(p, s->agent);
    struct error fault = ERROR_INIT;

    if (!c->model || !a || !c->model(c->ctx, p, a, s->env != NULL, &fault))
        return STATUS_OK;
    return model_fault(p, a, s, &fault, err);
}

static enum status check_steps(const struct plan *p, const struct plan_check *c,
                               const struct plan_step *s, int32_t n, struct error *err);

static enum status check_agents(const struct plan *p, const struct plan_check *c, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < p->n_agents; i++) {
        const struct plan_agent *a = &p->agent[i];

        for (int32_t k = 0; !st && k < a->n_tools; k++)
            st = check_tool(p, c, yaml_at(yaml_get(a->node, "tools"), (size_t)k), a->tools[k], err);
    }
    return st;
}

static enum status check_step(const struct plan *p, const struct plan_check *c,
                              const struct plan_step *s, struct error *err)
{
    enum status st = STATUS_OK;

    if (s->tool)
        st = check_tool(p, c, yaml_get(s->node, "tool"), s->tool, err);
    if (!st && s->tool && !c->resumed)
        st = check_arguments(p, c, s, err);
    if (!st && !c->resumed)
        st = check_effect(p, s, err);
    if (!st && s->agent)
        st = check_model(p, c, s, err);
    if (!st && s->kind == PLAN_HUMAN && c->unattended && !s->on_timeout)
        st = yaml_error(err, p->yaml, yaml_get(s->node, "human"),
                        "nobody can answer step `%s` here: it needs `on_timeout`", s->id);
    if (!st && s->talks && c->unattended)
        st = yaml_error(err, p->yaml, yaml_get(s->node, "talk"),
                        "nobody can talk with the agent of step `%s` here", s->id);
    if (!st)
        st = check_retry(p, c, s, err);
    if (!st)
        st = check_steps(p, c, s->child, s->n_children, err);
    if (!st)
        st = check_steps(p, c, s->otherwise, s->n_otherwise, err);
    if (!st && s->sub && !c->resumed)
        st = check_sub_inputs(p, s, err);
    return !st && s->sub ? blueprint_check(s->sub, c, err) : st;
}

static enum status check_steps(const struct plan *p, const struct plan_check *c,
                               const struct plan_step *s, int32_t n, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < n; i++)
        st = check_step(p, c, &s[i], err);
    return st;
}

enum status blueprint_check(const struct plan *p, const struct plan_check *c, struct error *err)
{
    enum status st = check_agents(p, c, err);

    return st ? st : check_steps(p, c, p->step, p->n_steps, err);
}
