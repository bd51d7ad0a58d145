/* plan_check.c - what can be checked only where a blueprint shall run: tools, effects, questions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "blueprints/plan_load.h"

static enum status check_tool(const struct plan *p, const struct plan_check *c,
                              const struct yaml_node *at, const char *name, struct error *err)
{
    const char *near;

    if (!c->tools || tool_registry_find(c->tools, name))
        return STATUS_OK;
    near = tool_registry_nearest(c->tools, name);
    if (near)
        return yaml_error(err, p->yaml, at, "no tool `%.80s`; did you mean `%s`?", name, near);
    return yaml_error(err, p->yaml, at, "no tool `%.80s`; `troupe tools list` shows what is there",
                      name);
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

/* Of what stands inside the step, whatever the step itself declares. */
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

/* A retried step has new paths below it, so new keys: what already happened would happen again. */
static enum status check_retry(const struct plan *p, const struct plan_check *c,
                               const struct plan_step *s, struct error *err)
{
    static const char *const names[] = {"none", "read", "idempotent", "once"};
    enum effect effect = plan_step_effect(p, s, c->tools);

    if (s->retry.max == 0 || s->kind == PLAN_TOOL || effect <= EFFECT_READ)
        return STATUS_OK;
    return yaml_error(
        err, p->yaml, yaml_get(s->node, "retry"),
        "`retry` here would repeat effects (%s) that have happened: put it on the tool's "
        "step, or declare `effect: read` if that is safe",
        names[effect]);
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
    if (!st && s->kind == PLAN_HUMAN && c->unattended && !s->on_timeout)
        st = yaml_error(err, p->yaml, yaml_get(s->node, "human"),
                        "nobody is there to answer step `%s`: it needs `on_timeout`", s->id);
    if (!st)
        st = check_retry(p, c, s, err);
    if (!st)
        st = check_steps(p, c, s->child, s->n_children, err);
    if (!st)
        st = check_steps(p, c, s->otherwise, s->n_otherwise, err);
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
