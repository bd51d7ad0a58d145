/* node_loop.c - loop: repeats its step until the condition holds or the rounds are used up.
 *
 * The id of the loop is the value of the last round, and null before the first. A loop that reaches
 * `max` while `until` never held is exhausted: it ends ok and `exhausted.ID` is true, or with
 * on_max: fail it ends as an error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/frame_vars.h"
#include "runtime/base/text.h"

static void begin_round(struct frame *f, int32_t round)
{
    struct str base = STR_INIT;
    struct str path = STR_INIT;
    struct frame *child;

    frame_bind(f, "round", jv_int(round));
    frame_base(f, &base);
    path_index(&path, str_cstr(&base), round);
    child = frame_new(f, f->plan, f->step->child, str_cstr(&path), round);
    child->n_items_around++;
    child->item_around = round;
    str_deinit(&path);
    str_deinit(&base);
}

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    (void)err;
    *in = jv_int(f->step->max_rounds);
    return STATUS_OK;
}

static void begin(struct frame *f)
{
    frame_open_scope(f);
    frame_bind(f, f->step->id, jv_null());
    begin_round(f, 0);
}

static void end_at_max(struct frame *f, const struct frame *child)
{
    int32_t n = f->step->max_rounds;

    if (!f->step->until)
        frame_end(f, STEP_OK, jv_ref(child->value), NULL);
    else if (f->step->fail_at_max)
        frame_end(f, STEP_ERROR, NULL, "`until` did not hold in %d round%s", n, plural_s(n));
    else
        frame_end(f, STEP_OK, jv_ref(child->value), "exhausted: `until` did not hold in %d round%s",
                  n, plural_s(n));
}

static void child_ended(struct frame *f, struct frame *child)
{
    struct error err = ERROR_INIT;
    bool over = child->index + 1 >= f->step->max_rounds;
    bool holds = false;
    enum status st = STATUS_OK;

    /* Computed rounds give the same result in every attempt; so does a failure of the first round.
     */
    f->not_retryable = plan_step_is_computed(f->step->child);
    if (!child->value) {
        f->not_retryable = child->not_retryable && (f->not_retryable || child->index == 0);
        frame_end_like(f, child);
        return;
    }
    frame_bind_child(f, f->step->id, child);
    if (f->step->until)
        st = vars_eval_bool(f->inner, f->step->until, "until", &holds, &err);
    if (st)
        frame_end_error(f, st, &err);
    else if (holds)
        frame_end(f, STEP_OK, jv_ref(child->value), NULL);
    else if (over)
        end_at_max(f, child);
    else
        begin_round(f, child->index + 1);
}

const struct node_ops node_loop_ops = {
    .prepare = prepare, .begin = begin, .child_ended = child_ended};
