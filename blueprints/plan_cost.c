/* plan_cost.c - budgets with `cost` around agents whose model has no price.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/plan.h"
#include "runtime/base/yaml.h"

/* The nearest `cost` above a step, and the plan that it is in; NULL: none. */
struct cost_limit {
    const struct plan *plan;
    const struct yaml_node *node;
};
struct walk {
    plan_has_price *has_price;
    void *ctx;
    struct error *err;
};

static struct cost_limit limit_of(const struct plan *p, const struct plan_budget *b,
                                  const struct yaml_node *map, struct cost_limit above)
{
    if (b->cost_nano == 0)
        return above;
    return (struct cost_limit){.plan = p, .node = yaml_get(yaml_get(map, "budget"), "cost")};
}

static enum status refuse(const struct walk *w, const struct plan *p, const struct plan_step *s,
                          const struct plan_agent *a, struct cost_limit limit)
{
    yaml_error(w->err, limit.plan->yaml, limit.node,
               "`cost` limits step `%s`, but the price of its model %.200s (agent `%s`) is not "
               "known",
               s->id, plan_agent_model(p, a), a->name);
    error_hint(w->err, "set `price` in the model's entry of `models:` in troupe.yaml");
    return STATUS_CONFIG;
}

static enum status of_plan(const struct walk *w, const struct plan *p, struct cost_limit above);

static enum status of_steps(const struct walk *w, const struct plan *p, const struct plan_step *s,
                            int32_t n, struct cost_limit above)
{
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < n; i++) {
        struct cost_limit here = limit_of(p, &s[i].budget, s[i].node, above);
        const struct plan_agent *a = s[i].agent ? plan_agent_find(p, s[i].agent) : NULL;
        struct cost_limit own = a ? limit_of(p, &a->budget, a->node, here) : here;

        if (a && own.plan && !w->has_price(w->ctx, p, a))
            st = refuse(w, p, &s[i], a, own);
        if (!st)
            st = of_steps(w, p, s[i].child, s[i].n_children, here);
        if (!st)
            st = of_steps(w, p, s[i].otherwise, s[i].n_otherwise, here);
        if (!st && s[i].sub)
            st = of_plan(w, s[i].sub, here);
    }
    return st;
}

static enum status of_plan(const struct walk *w, const struct plan *p, struct cost_limit above)
{
    return of_steps(w, p, p->step, p->n_steps,
                    limit_of(p, &p->budget, p->yaml ? yaml_root(p->yaml) : NULL, above));
}

enum status plan_check_cost(const struct plan *p, plan_has_price *has_price, void *ctx,
                            struct error *err)
{
    struct walk w = {.has_price = has_price, .ctx = ctx, .err = err};

    return of_plan(&w, p, (struct cost_limit){.plan = NULL});
}
