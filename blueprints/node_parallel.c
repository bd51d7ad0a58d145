/* node_parallel.c - parallel: runs branches at once; its value is an object of their values by
 * name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "blueprints/group.h"

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    (void)f;
    (void)err;
    *in = jv_null();
    return STATUS_OK;
}

static struct frame *make_branch(struct frame *f, int32_t i)
{
    struct str base = STR_INIT;
    struct str path = STR_INIT;
    struct frame *child;

    frame_base(f, &base);
    path_child(&path, str_cstr(&base), f->step->child[i].id);
    child = frame_new(f, f->plan, &f->step->child[i], str_cstr(&path), i);
    str_deinit(&path);
    str_deinit(&base);
    return child;
}

static void begin(struct frame *f)
{
    f->node = xcalloc(1, sizeof(struct group));
    group_begin(f->node, f, f->step->n_children, f->step->n_children, make_branch);
}

static void child_ended(struct frame *f, struct frame *child)
{
    struct group *g = f->node;
    struct json *joined;

    if (!group_child_ended(g, f, child))
        return;
    joined = jv_object();
    for (int32_t i = 0; i < g->n; i++)
        jv_set_adopt(joined, f->step->child[i].id, jv_ref(g->value[i]));
    frame_end(f, STEP_OK, joined, NULL);
}

static void release(struct frame *f)
{
    if (f->node)
        group_deinit(f->node);
    free(f->node);
}

const struct node_ops node_parallel_ops = {
    .prepare = prepare, .begin = begin, .child_ended = child_ended, .release = release};
