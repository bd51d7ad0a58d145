/* runner_budget.c - what a run has spent, kept in its row so that a resumed run goes on counting.
 *
 * Live counters (struct budget) move as agents and tools work. Only what ended steps have spent is
 * written: a step in flight when the process dies is replayed or run again and spends again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "blueprints/frame.h"

static int64_t counter(const struct json *v, const char *name)
{
    int64_t n = jv_get_int(jv_get(v, name), 0);

    return n > 0 ? n : 0;
}

void budget_begin(struct frame *f, const struct plan_budget *limits)
{
    const struct json *before = jv_get(f->r->open_budgets, f->path);

    if (limits->tokens == 0 && limits->steps == 0 && limits->calls == 0 && limits->wall_ms == 0)
        return;
    f->budget = (struct budget){.parent = f->spends,
                                .tokens = counter(before, "tokens"),
                                .tokens_limit = limits->tokens,
                                .steps = counter(before, "steps"),
                                .steps_limit = limits->steps,
                                .calls = counter(before, "calls"),
                                .calls_limit = limits->calls,
                                .started_ms = frame_now(f),
                                .wall_ms_limit = limits->wall_ms};
    f->spends = &f->budget;
}

static void add_open(struct runner *r, const struct frame *f, const char *path)
{
    struct json *v = jv_get(r->open_budgets, path);

    if (!v) {
        jv_set_adopt(r->open_budgets, path, jv_object());
        v = jv_get(r->open_budgets, path);
    }
    jv_set_int(v, "tokens", counter(v, "tokens") + f->tok_in + f->tok_out);
    jv_set_int(v, "steps", counter(v, "steps") + f->spent_steps);
    jv_set_int(v, "calls", counter(v, "calls") + f->spent_calls);
}

void budget_settle(struct frame *f)
{
    struct runner *r = f->r;

    r->tok_in += f->tok_in;
    r->tok_out += f->tok_out;
    if (f->tok_in + f->tok_out + f->spent_steps + f->spent_calls == 0)
        return;
    r->spent_tokens += f->tok_in + f->tok_out;
    r->spent_steps += f->spent_steps;
    r->spent_calls += f->spent_calls;
    for (struct frame *up = f; up; up = up->parent) {
        if (up->spends == &up->budget)
            add_open(r, f, up->path);
    }
    r->spent_more = true; /* written at the end of the pump's turn, in the same transaction */
}

void budget_close(struct frame *f)
{
    if (f->step && f->spends == &f->budget && f->end != STEP_CANCELLED)
        jv_remove(f->r->open_budgets, f->path);
}

void budget_write(struct runner *r)
{
    struct json *v = jv_object();

    r->spent_more = false;
    jv_set_int(v, "tokens", r->spent_tokens);
    jv_set_int(v, "steps", r->spent_steps);
    jv_set_int(v, "calls", r->spent_calls);
    jv_set_int(v, "wall_ms", r->wall_before_ms + seams_wall_ms(r->host.seams) - r->began_ms);
    if (jv_size(r->open_budgets))
        jv_set_adopt(v, "open", jv_deep_copy(r->open_budgets));
    run_set_budget(r->run, v);
    jv_unref(v);
}

void budget_restore(struct runner *r)
{
    const struct json *spent = run_budget(r->run);
    const struct plan_budget *limits = &r->plan->budget;
    struct json *open = jv_get(spent, "open");

    r->spent_tokens = counter(spent, "tokens");
    r->spent_steps = counter(spent, "steps");
    r->spent_calls = counter(spent, "calls");
    r->wall_before_ms = counter(spent, "wall_ms");
    if (jv_kind(open) == JV_OBJECT) {
        jv_unref(r->open_budgets);
        r->open_budgets = jv_deep_copy(open);
    }
    r->budget = (struct budget){.tokens = r->spent_tokens,
                                .tokens_limit = limits->tokens,
                                .steps = r->spent_steps,
                                .steps_limit = limits->steps,
                                .calls = r->spent_calls,
                                .calls_limit = limits->calls,
                                .started_ms = r->began_ms - r->wall_before_ms,
                                .wall_ms_limit = limits->wall_ms};
}
