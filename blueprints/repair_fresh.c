/* repair_fresh.c - see repair_fresh.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/repair_fresh.h"

#include <string.h>

#include "blueprints/plan_load.h"

void fresh_mark(struct fresh *v, const struct frame *f)
{
    for (; f->step; f = f->parent)
        map_put(v->names, f->path, v);
}

/* A name in the scope that f opens for the steps in it. */
static void put_name(const struct frame *f, const char *name, struct str *out)
{
    struct str base = STR_INIT;

    frame_base(f, &base);
    path_child(out, str_cstr(&base), name);
    str_deinit(&base);
}

static bool is_marked(const struct fresh *v, const struct frame *scope, const char *name)
{
    struct str path = STR_INIT;
    bool marked;

    put_name(scope, name, &path);
    marked = map_get(v->names, str_cstr(&path)) != NULL;
    str_deinit(&path);
    return marked || (scope->step && scope->step->kind == PLAN_LOOP &&
                      strcmp(scope->step->id, name) == 0 && map_get(v->names, scope->path));
}

struct reading {
    const struct fresh *fresh;
    const struct frame *scope; /* the innermost step around that binds names */
    const char *found;
    bool whole, part; /* it reads `state` or `exhausted`; a member of it */
};

static enum status look_up(void *ctx, struct expr_reference r, const struct yaml_node *at)
{
    struct reading *look = ctx;
    bool of_step = strcmp(r.name, "state") == 0 || strcmp(r.name, "exhausted") == 0;
    const char *name = of_step && r.field ? r.field : r.name;

    (void)at;
    look->whole = look->whole || (of_step && !r.field);
    look->part = look->part || (of_step && r.field);
    for (const struct frame *up = look->scope; up && !look->found; up = up->parent) {
        if (is_marked(look->fresh, up, name))
            look->found = name;
        if (up->step && up->step->sub) /* it has names of its own */
            break;
    }
    return STATUS_OK;
}

/* The references of a member are also those of its map. Without a member, it reads all steps. */
static void look_at(struct reading *look, const struct plan_step *s)
{
    struct reading own = {.fresh = look->fresh, .scope = look->scope};

    if (plan_step_each_reference(s, look_up, &own) ||
        plan_value_each_reference(s->until, look_up, &own))
        return; /* look_up never fails */
    if (!own.found && own.whole && !own.part && map_size(own.fresh->names) > 0)
        own.found = "state";
    look->found = look->found ? look->found : own.found;
}

const char *fresh_read(const struct fresh *v, const struct frame *f)
{
    struct reading look = {.fresh = v, .scope = f->parent};

    look_at(&look, f->step);
    return look.found;
}

/* Names bound inside are not marked yet, so they are not found. */
static void look_within(struct reading *look, const struct plan_step *s)
{
    look_at(look, s);
    for (int32_t i = 0; i < s->n_children; i++)
        look_within(look, &s->child[i]);
    for (int32_t i = 0; i < s->n_otherwise; i++)
        look_within(look, &s->otherwise[i]);
}

const char *fresh_read_within(const struct fresh *v, const struct frame *f)
{
    struct reading look = {.fresh = v, .scope = f->parent};

    look_within(&look, f->step);
    return look.found;
}

void fresh_mark_names(struct fresh *v, const struct frame *f)
{
    static const char *const names[] = {"item", "index", "inputs"};
    struct str path = STR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        put_name(f, names[i], &path);
        map_put(v->names, str_cstr(&path), v);
    }
    str_deinit(&path);
}
