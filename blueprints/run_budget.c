/* run_budget.c - see run_budget.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/run_budget.h"

#include <assert.h>

#include "runtime/base/time_text.h"

static int64_t counter(const struct json *v, const char *name)
{
    int64_t n = jv_get_int(jv_get(v, name), 0);

    return n > 0 ? n : 0;
}

void run_budget_open(struct frame *f, const struct plan_budget *limits)
{
    const struct json *before = jv_get(f->host->budget->open, f->path);

    assert(f->spends != &f->budget); /* it belongs to a step around f */
    if (limits->tokens == 0 && limits->steps == 0 && limits->calls == 0 && limits->wall_ms == 0 &&
        limits->cost_nano == 0)
        return;
    f->budget = (struct budget){.parent = f->spends,
                                .tokens = counter(before, "tokens"),
                                .tokens_limit = limits->tokens,
                                .steps = counter(before, "steps"),
                                .steps_limit = limits->steps,
                                .calls = counter(before, "calls"),
                                .calls_limit = limits->calls,
                                .cost_nano = counter(before, "cost_nano"),
                                .cost_nano_limit = limits->cost_nano,
                                .started_ms = frame_now(f),
                                .wall_ms_limit = limits->wall_ms};
    f->spends = &f->budget;
}

static struct json *entry(struct run_budget *b, const char *path)
{
    if (!jv_get(b->open, path))
        jv_set_adopt(b->open, path, jv_object());
    return jv_get(b->open, path);
}

static void add_open(struct run_budget *b, const struct frame *f, const char *path)
{
    struct json *v = entry(b, path);

    jv_set_int(v, "tokens", counter(v, "tokens") + f->used.tok_in + f->used.tok_out);
    jv_set_int(v, "steps", counter(v, "steps") + f->used.steps);
    jv_set_int(v, "calls", counter(v, "calls") + f->used.calls);
    if (f->used.cost_nano > 0)
        jv_set_int(v, "cost_nano", counter(v, "cost_nano") + f->used.cost_nano);
}

void run_budget_add(struct frame *f)
{
    const struct frame_usage *u = &f->used;
    struct run_budget *b = f->host->budget;

    assert(u->tok_in >= 0 && u->tok_out >= 0 && u->steps >= 0 && u->calls >= 0);
    b->tok_in += u->tok_in;
    b->tok_out += u->tok_out;
    if (u->tok_in + u->tok_out + u->steps + u->calls == 0)
        return;
    if (u->cost_nano < 0)
        b->cost_unknown = true;
    else
        b->cost_nano += u->cost_nano;
    b->tokens += u->tok_in + u->tok_out;
    b->steps += u->steps;
    b->calls += u->calls;
    for (struct frame *up = f; up; up = up->parent) {
        if (up->spends == &up->budget)
            add_open(b, f, up->path);
    }
    b->changed = true; /* written at the end of the pump's turn, in the same transaction */
}

int64_t run_budget_begun_again(struct frame *f)
{
    struct run_budget *b = f->host->budget;
    struct json *v = entry(b, f->path);
    int64_t from_ms = counter(v, "from_ms");

    if (from_ms < f->host->repaired_ms || from_ms == 0) { /* of an earlier repair, or none */
        from_ms = frame_now(f);
        jv_set_int(v, "from_ms", from_ms);
        b->changed = true;
    }
    return from_ms;
}

void run_budget_close(struct frame *f)
{
    struct run_budget *b = f->host->budget;

    if (!f->step || f->end == STEP_CANCELLED || f->end == STEP_STARTED || !jv_get(b->open, f->path))
        return;
    jv_remove(b->open, f->path);
    b->changed = true;
}

void run_budget_write(struct run_budget *b, struct run *run, const struct seams *seams)
{
    struct json *v = jv_object();

    b->changed = false;
    jv_set_int(v, "tokens", b->tokens);
    jv_set_int(v, "steps", b->steps);
    jv_set_int(v, "calls", b->calls);
    if (b->cost_nano > 0)
        jv_set_int(v, "cost_nano", b->cost_nano);
    if (b->cost_unknown)
        jv_set_bool(v, "cost_unknown", true);
    jv_set_int(v, "wall_ms", b->wall_before_ms + seams_wall_ms(seams) - b->began_ms);
    if (jv_size(b->open))
        jv_set_adopt(v, "open", jv_deep_copy(b->open));
    run_set_budget(run, v);
    jv_unref(v);
}

void run_budget_init(struct run_budget *b, const struct plan *plan, const struct seams *seams,
                     const struct json *counters)
{
    const struct plan_budget *limits = &plan->budget;
    struct json *open = jv_get(counters, "open");

    *b = (struct run_budget){.began_ms = seams_wall_ms(seams),
                             .tokens = counter(counters, "tokens"),
                             .steps = counter(counters, "steps"),
                             .calls = counter(counters, "calls"),
                             .cost_nano = counter(counters, "cost_nano"),
                             .cost_unknown = jv_get_bool(jv_get(counters, "cost_unknown"), false),
                             .wall_before_ms = counter(counters, "wall_ms"),
                             .open = jv_kind(open) == JV_OBJECT ? jv_deep_copy(open) : jv_object()};
    b->live = (struct budget){.tokens = b->tokens,
                              .tokens_limit = limits->tokens,
                              .steps = b->steps,
                              .steps_limit = limits->steps,
                              .calls = b->calls,
                              .calls_limit = limits->calls,
                              .cost_nano = b->cost_nano,
                              .cost_nano_limit = limits->cost_nano,
                              .started_ms = b->began_ms - b->wall_before_ms,
                              .wall_ms_limit = limits->wall_ms};
}

void run_budget_deinit(struct run_budget *b)
{
    jv_unref(b->open);
    b->open = NULL;
}

char *run_budget_wall_words(int64_t wall_ms)
{
    struct str words = STR_INIT;

    str_puts(&words, "the wall budget of ");
    duration_put(&words, wall_ms);
    str_puts(&words, " is used up");
    return str_take(&words);
}
