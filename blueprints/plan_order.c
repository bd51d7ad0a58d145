/* plan_order.c - see plan_order.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/plan_order.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/store/path.h"

/* Both paths are the same up to here. */
struct place {
    const char *path, *other;
    const struct plan_step *list, *otherwise; /* where the next names are */
    int32_t n_list, n_otherwise;
};

static enum plan_order order_of(int64_t a, int64_t b)
{
    return a < b ? PLAN_BEFORE : PLAN_AFTER;
}

static const struct plan_step *find(const struct place *p, const char *id, int32_t *at)
{
    size_t len = strcspn(id, "/[@");

    for (int32_t i = 0; i < p->n_list + p->n_otherwise; i++) {
        const struct plan_step *s = i < p->n_list ? &p->list[i] : &p->otherwise[i - p->n_list];

        if (strlen(s->id) == len && strncmp(s->id, id, len) == 0) {
            *at = i;
            return s;
        }
    }
    return NULL;
}

/* The number after '@' or '['; *at: behind it. */
static int64_t number(const char **at)
{
    char *end;
    int64_t n = strtoll(*at + 1, &end, 10);

    *at = end + (*end == ']');
    return n;
}

/* Attempts and indices, as far as both are the same. *s: the step that they lead to. */
static bool same_numbers(struct place *p, const struct plan_step **s, enum plan_order *out)
{
    while (*p->path == '@' || *p->other == '@' || (*p->path == '[' && *p->other == '[')) {
        bool is_index = *p->path == '[' && *p->other == '[';
        bool named = is_index || *p->other == '@';
        int64_t a = is_index || *p->path == '@' ? number(&p->path) : 0;
        int64_t b = named ? number(&p->other) : a;

        if (a != b) {
            *out = order_of(a, b);
            return false;
        }
        if (is_index && !(*s)->child) {
            *out = PLAN_UNORDERED;
            return false;
        }
        *s = is_index ? (*s)->child : *s;
    }
    return true;
}

static void enter(struct place *p, const struct plan_step *s)
{
    p->path++;
    p->other++;
    p->list = s->sub ? s->sub->step : s->child;
    p->n_list = s->sub ? s->sub->n_steps : s->n_children;
    p->otherwise = s->otherwise;
    p->n_otherwise = s->sub ? 0 : s->n_otherwise;
}

enum plan_order plan_order_of(const struct plan *plan, const char *path, const char *other)
{
    struct place p = {.path = path, .other = other, .list = plan->step, .n_list = plan->n_steps};
    enum plan_order order = PLAN_UNORDERED;

    for (;;) {
        int32_t a = 0, b = 0;
        const struct plan_step *s = find(&p, p.path, &a), *t = find(&p, p.other, &b);

        if (!s || !t)
            return path_is_under(p.path, p.other)   ? PLAN_WITHIN
                   : path_is_under(p.other, p.path) ? PLAN_AROUND
                                                    : PLAN_UNORDERED;
        if (s != t)
            return order_of(a, b);
        p.path += strlen(s->id);
        p.other += strlen(s->id);
        if (!same_numbers(&p, &s, &order))
            return order;
        if (*p.other == '\0')
            return PLAN_WITHIN;
        if (*p.path == '\0')
            return PLAN_AROUND;
        if (*p.path != '/' || *p.other != '/')
            return PLAN_UNORDERED;
        enter(&p, s);
    }
}
