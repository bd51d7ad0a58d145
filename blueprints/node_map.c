/* node_map.c - map: runs a step for every item of a list, several at once; its value is the list of
 * values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "blueprints/frame_vars.h"
#include "blueprints/group.h"

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    struct json *over = NULL;
    enum status st = vars_eval(f->vars, f->step->over, &over, err);
    int64_t n;

    if (st)
        return st;
    n = jv_kind(over) == JV_INT ? jv_get_int(over, 0) : (int64_t)jv_size(over);
    if (jv_kind(over) != JV_ARRAY && jv_kind(over) != JV_INT)
        st = error_at(err, STATUS_INVALID, f->plan->file, f->step->line, f->step->column,
                      "`map` takes a list or a number of items, got %s",
                      jv_kind_name(jv_kind(over)));
    else if (n < 0 || n > PLAN_MAX_ITEMS)
        st = error_at(err, STATUS_LIMIT, f->plan->file, f->step->line, f->step->column,
                      "`map` takes 0 to %d items, got %lld", PLAN_MAX_ITEMS, (long long)n);
    if (st)
        jv_unref(over);
    else
        *in = over;
    return st;
}

static struct frame *make_item(struct frame *f, int32_t i)
{
    struct str base = STR_INIT;
    struct str path = STR_INIT;
    struct json *item = jv_kind(f->in) == JV_INT ? jv_int(i) : jv_ref(jv_at(f->in, (size_t)i));
    struct json *vars = vars_copy(f->vars);
    struct frame *child;

    jv_set_adopt(vars, "item", item);
    jv_set_int(vars, "index", i);
    frame_base(f, &base);
    path_index(&path, str_cstr(&base), i);
    child = frame_new(f, f->plan, f->step->child, str_cstr(&path), i);
    jv_unref(child->vars);
    child->vars = vars;
    child->n_items_around++;
    child->item_around = i;
    str_deinit(&path);
    str_deinit(&base);
    return child;
}

static struct json *join(struct group *g)
{
    struct json *list = jv_array();

    for (int32_t i = 0; i < g->n; i++)
        jv_append_adopt(list, jv_ref(g->value[i]));
    return list;
}

static void begin(struct frame *f)
{
    bool count = jv_kind(f->in) == JV_INT;
    int32_t n = (int32_t)(count ? jv_get_int(f->in, 0) : (int64_t)jv_size(f->in));

    f->node = xcalloc(1, sizeof(struct group));
    group_begin(f->node, f, n, f->step->max_parallel, make_item);
    if (n == 0)
        frame_end(f, STEP_OK, jv_array(), NULL);
}

static void child_ended(struct frame *f, struct frame *child)
{
    if (group_child_ended(f->node, f, child))
        frame_end(f, STEP_OK, join(f->node), NULL);
}

static void release(struct frame *f)
{
    if (f->node)
        group_deinit(f->node);
    free(f->node);
}

const struct node_ops node_map_ops = {
    .prepare = prepare, .begin = begin, .child_ended = child_ended, .release = release};
