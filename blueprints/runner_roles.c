/* runner_roles.c - opens models and finds tools of every agent of a step, before the first step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/runner_state.h"

const struct agent_role *runner_role(const struct frame_host *h, const struct plan *p,
                                     const struct plan_agent *a)
{
    const struct runner *r = (const struct runner *)h;

    for (size_t i = 0; i < r->n_roles; i++) {
        if (r->role[i].agent == a && r->role[i].plan == p)
            return r->role[i].role;
    }
    return NULL;
}

static enum status find_tools(const struct runner *r, const struct plan *p,
                              const struct plan_agent *a, struct agent_role *role,
                              struct error *err)
{
    role->tools = xcalloc((size_t)a->n_tools + 1, sizeof(struct tool *));
    for (int32_t i = 0; i < a->n_tools; i++) {
        struct tool *t = r->host.tools ? tool_registry_find(r->host.tools, a->tools[i]) : NULL;

        if (!t)
            return yaml_error(err, p->yaml, yaml_at(yaml_get(a->node, "tools"), (size_t)i),
                              "unknown tool `%.80s`", a->tools[i]);
        role->tools[role->n_tools++] = tool_ref(t);
    }
    return STATUS_OK;
}

static void role_free(struct agent_role *role)
{
    for (int32_t i = 0; i < role->n_tools; i++)
        tool_unref(role->tools[i]);
    free(role->tools);
    free(role);
}

static enum status make_role(struct runner *r, const struct plan *p, const struct plan_agent *a,
                             struct error *err)
{
    struct agent_role *role;
    enum status st;

    if (runner_role(&r->frames, p, a))
        return STATUS_OK;
    role = xcalloc(1, sizeof(*role));
    role->name = a->role;
    role->prompt = a->prompt;
    role->sampling = SAMPLING_DEFAULT;
    role->sampling.temperature = a->temperature < 0 ? 0.0f : (float)a->temperature;
    role->max_reply_tokens = a->max_tokens;
    st = find_tools(r, p, a, role, err);
    if (!st)
        st = r->host.model(r->host.ctx, p, a, &role->model, err);
    if (st) {
        role_free(role);
        return st;
    }
    r->role = xrealloc(r->role, (r->n_roles + 1) * sizeof(*r->role));
    r->role[r->n_roles++] = (struct role_entry){.plan = p, .agent = a, .role = role};
    return STATUS_OK;
}

static enum status of_steps(struct runner *r, const struct plan *p, const struct plan_step *s,
                            int32_t n, struct error *err)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < n; i++) {
        if (s[i].agent)
            st = make_role(r, p, plan_agent_find(p, s[i].agent), err);
        if (!st)
            st = of_steps(r, p, s[i].child, s[i].n_children, err);
        if (!st)
            st = of_steps(r, p, s[i].otherwise, s[i].n_otherwise, err);
        if (!st && s[i].sub)
            st = runner_make_roles(r, s[i].sub, err);
    }
    return st;
}

enum status runner_make_roles(struct runner *r, const struct plan *p, struct error *err)
{
    return of_steps(r, p, p->step, p->n_steps, err);
}

/* Can the model of the agent do its step? Those that were given instead of the blueprint's own are
 * known only when they are open. */
static enum status suits(void *ctx, const struct plan *p, const struct plan_agent *a, bool in_env,
                         struct error *err)
{
    struct runner *r = ctx;
    const struct agent_role *role = runner_role(&r->frames, p, a);

    if (!role || in_env || model_chats(&role->model->info))
        return STATUS_OK;
    return model_chats_not(role->model->info.name, err);
}

enum status runner_check_models(struct runner *r, const struct plan *p, struct error *err)
{
    const struct plan_check check = {.resumed = true, .model = suits, .ctx = r};

    return blueprint_check(p, &check, err);
}

static bool has_price(void *ctx, const struct plan *p, const struct plan_agent *a)
{
    struct runner *r = ctx;
    const struct agent_role *role = runner_role(&r->frames, p, a);

    return !role || !role->model ||
           (role->model->info.price_input >= 0 && role->model->info.price_output >= 0);
}

enum status runner_check_cost(struct runner *r, const struct plan *p, struct error *err)
{
    return plan_check_cost(p, has_price, r, err);
}

void runner_free_roles(struct runner *r)
{
    for (size_t i = 0; i < r->n_roles; i++)
        role_free(r->role[i].role);
    free(r->role);
}
