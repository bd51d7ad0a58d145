/* plan_compare.c - see plan_compare.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/plan_compare.h"

#include <string.h>

struct plan_place plan_place_in(const struct plan *plan, const struct plan_step *list, int32_t n,
                                const char *id)
{
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(list[i].id, id) == 0)
            return (struct plan_place){plan, &list[i]};
    }
    return (struct plan_place){plan, NULL};
}

/* ---- paths */

static bool list_has(const struct plan_step *list, int32_t n, const char *path);

/* path: the part after the segment of the step. */
static bool step_has(const struct plan_step *s, const char *path)
{
    bool repeats = s->kind == PLAN_MAP || s->kind == PLAN_LOOP;

    path += strcspn(path, "/[");
    if (*path == '\0')
        return true;
    if (*path == '[') {
        path += strcspn(path, "]");
        return repeats && *path == ']' && step_has(s->child, path + 1);
    }
    path++;
    if (repeats)
        return false;
    if (s->sub)
        return list_has(s->sub->step, s->sub->n_steps, path);
    return list_has(s->child, s->n_children, path) || list_has(s->otherwise, s->n_otherwise, path);
}

static bool list_has(const struct plan_step *list, int32_t n, const char *path)
{
    size_t len = strcspn(path, "/[@");

    for (int32_t i = 0; i < n; i++) {
        if (strlen(list[i].id) == len && strncmp(list[i].id, path, len) == 0 &&
            step_has(&list[i], path + len))
            return true;
    }
    return false;
}

bool plan_has_path(const struct plan *plan, const char *path)
{
    return list_has(plan->step, plan->n_steps, path);
}

/* ---- definitions */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_tools(const struct plan_agent *a, const struct plan_agent *b)
{
    if (a->n_tools != b->n_tools)
        return false;
    for (int32_t i = 0; i < a->n_tools; i++) {
        if (strcmp(a->tools[i], b->tools[i]) != 0)
            return false;
    }
    return true;
}

static const char *agent_difference(const struct plan_agent *a, const struct plan_agent *b)
{
    if (!same_text(a->prompt, b->prompt))
        return "prompt";
    if (!same_text(a->role, b->role))
        return "role";
    if (!same_tools(a, b))
        return "tools";
    if (a->temperature < b->temperature || a->temperature > b->temperature)
        return "temperature";
    return a->max_tokens != b->max_tokens ? "max_tokens" : NULL;
}

static bool differs_by_agent(struct plan_place was, struct plan_place now, struct str *reason)
{
    const struct plan_agent *a = plan_agent_find(was.plan, was.step->agent);
    const struct plan_agent *b = plan_agent_find(now.plan, now.step->agent);
    const char *what = a && b ? agent_difference(a, b) : NULL;

    if (what)
        str_printf(reason, "`%s` of agent `%s` differs", what, now.step->agent);
    return what != NULL;
}

static bool differs_by_name(const char *was, const char *now, struct str *reason)
{
    if (same_text(was, now))
        return false;
    str_printf(reason, "it was `%s`", was ? was : "");
    return true;
}

bool plan_step_differs(struct plan_place was, struct plan_place now, struct str *reason)
{
    const struct plan_step *a = was.step, *b = now.step;

    if (a->kind != b->kind) {
        str_printf(reason, "it was a step `%s`", plan_kind_name(a->kind));
        return true;
    }
    if (differs_by_name(a->agent, b->agent, reason) || differs_by_name(a->tool, b->tool, reason))
        return true;
    if (!jv_equal(a->schema, b->schema)) {
        str_puts(reason, "its schema differs");
        return true;
    }
    if (!jv_equal(a->reject, b->reject)) {
        str_puts(reason, "its `reject` differs");
        return true;
    }
    return a->agent && differs_by_agent(was, now, reason);
}
