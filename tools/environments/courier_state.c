/* courier_state.c - the position of the courier and its parcels, and the effect of each call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "tools/environments/courier.h"

enum status courier_alloc(const struct courier_rules *rules, const struct env_params *p,
                          struct courier **out, struct error *err)
{
    struct courier *c = xcalloc(1, sizeof(*c));
    enum status st = env_init(&c->base, rules->name, COURIER_N_FAULTS, p, rules->noise, err);
    int64_t reference = 0;

    if (st)
        goto fail;
    c->rules = rules;
    c->lies = mem_alloc((size_t)p->horizon, sizeof(c->lies[0]));
    c->down = mem_alloc((size_t)p->horizon, 1);
    if (!c->lies || !c->down) {
        st = error_set(err, STATUS_NO_MEMORY, "%s: no memory for %d legs", rules->name, p->horizon);
        goto fail;
    }
    for (int32_t i = 0; i < p->horizon; i++)
        reference += courier_leg_moves(p->task_seed, i) + COURIER_FIXED_CALLS;
    c->reference_left = (int32_t)reference;
    if (p->ablation != ENV_ABLATE_BUDGET)
        c->base.budget = (int32_t)(reference * rules->budget_percent / 100);
    for (int32_t k = 0; k < COURIER_NAMES; k++)
        c->latest[k] = -1;
    *out = c;
    return STATUS_OK;

fail:
    courier_free(&c->base);
    return st;
}

void courier_enter_leg(struct courier *c)
{
    int32_t step = c->base.step;
    uint64_t seed = c->base.params.task_seed;

    c->leg = courier_leg_at(seed, step);
    c->latest[c->leg.parcel] = step;
    c->reference_left -= courier_leg_moves(seed, step) + COURIER_FIXED_CALLS;
}

static void begin_step(struct courier *c)
{
    env_begin_step(&c->base, !courier_same(c->is, c->at));
    courier_enter_leg(c);
    c->down[c->base.step] = 0;
    c->lies[c->base.step] = (struct courier_cell){0, 0};
    c->misplaced_at_start = c->misplaced;
    c->now = (struct courier_step){.planned = (uint8_t)courier_distance(c->at, c->leg.to)};
}

enum status courier_create(const struct courier_rules *rules, const struct env_params *p,
                           struct env **out, struct error *err)
{
    struct courier *c;
    enum status st = courier_alloc(rules, p, &c, err);

    if (st)
        return st;
    begin_step(c);
    *out = &c->base;
    return STATUS_OK;
}

void courier_free(struct env *e)
{
    struct courier *c;

    if (!e)
        return;
    c = courier_of(e);
    env_deinit(e);
    free(c->lies);
    free(c->down);
    free(c);
}

static void say_error(struct courier_reply *out, const char *words)
{
    out->kind = COURIER_SAY_ERROR;
    out->error = words;
}

static void apply_next(struct courier *c, struct courier_reply *out, struct env_effect *fx)
{
    env_deed(&c->base, false);
    courier_end_step(c);
    if (c->base.step == c->base.params.horizon) {
        c->base.done = fx->done = true;
        out->kind = COURIER_SAY_DONE;
        return;
    }
    begin_step(c);
    fx->step_boundary = true;
    out->kind = COURIER_SAY_LEG;
}

/* After a look that differed, a move is a repair. After one that agreed, it follows the plan,
 * unless the courier was already at its target. */
static bool move_is_repair(const struct courier *c)
{
    return c->base.pending == ENV_MISMATCHED || courier_same(c->at, c->leg.to);
}

static void apply_move(struct courier *c, const struct env_call *call, struct courier_reply *out)
{
    int32_t n = (int32_t)call->arg[1].number;
    enum courier_dir dir = COURIER_NORTH;
    struct courier_fault f;

    (void)courier_read_dir(&call->arg[0], &dir);
    env_deed(&c->base, move_is_repair(c));
    if (c->base.params.ablation == ENV_ABLATE_MASK && c->now.differed) {
        c->now.refused = true;
        say_error(out, "unknown tool: move");
        return;
    }
    f = courier_move_fault(c, c->now.tries[COURIER_MOVE]);
    c->now.tries[COURIER_MOVE]++;
    c->now.looked = false;
    if (f.kind != COURIER_NO_FAULT)
        env_struck(&c->base);
    c->is = courier_strayed(c->is, dir, n, f);
    /* Both errors look the same, and the model counts neither as a move. */
    if (f.kind == COURIER_TRANSIENT || f.kind == COURIER_ERROR_BUT_DONE) {
        say_error(out, "transient");
        return;
    }
    c->at = courier_shift(c->at, dir, n);
    out->kind = COURIER_SAY_OK;
}

static void apply_where(struct courier *c, struct courier_reply *out)
{
    bool struck;

    c->now.looked = true;
    if (c->base.params.ablation == ENV_ABLATE_MUTE) {
        say_error(out, "muted");
        return;
    }
    out->kind = COURIER_SAY_CELL;
    if (c->base.params.ablation == ENV_ABLATE_ECHO) {
        out->cell = c->at;
        return;
    }
    out->cell = courier_reading(c, &struck);
    c->now.tries[COURIER_WHERE]++;
    if (struck)
        env_struck(&c->base);
    if (!courier_same(out->cell, c->at))
        c->now.differed = true;
    env_looked(&c->base, courier_same(out->cell, c->at));
    c->at = out->cell;
}

/* Drops a parcel here, or picks it up; counts the misplaced parcels of earlier legs. */
static void put_parcel(struct courier *c, int32_t leg, bool down)
{
    bool ended = leg < c->base.step;

    if (ended)
        c->misplaced -= !courier_in_place(c, leg);
    c->down[leg] = down;
    c->lies[leg] = c->is;
    if (ended)
        c->misplaced += !courier_in_place(c, leg);
    else
        c->now.dropped = down;
}

static void apply_drop(struct courier *c, int32_t leg, struct courier_reply *out)
{
    env_deed(&c->base, false);
    if (leg < 0 || c->down[leg]) {
        say_error(out, "not on board");
        return;
    }
    if (leg != c->base.step || !courier_same(c->at, c->leg.to))
        c->base.slip = true;
    put_parcel(c, leg, true);
    out->kind = COURIER_SAY_OK;
}

static void apply_pickup(struct courier *c, int32_t leg, struct courier_reply *out)
{
    env_deed(&c->base, true);
    if (env_no_undo(&c->base)) {
        c->now.refused = true;
        say_error(out, "unknown tool: pickup");
        return;
    }
    out->kind = COURIER_SAY_NO;
    if (leg < 0 || !c->down[leg] || !courier_same(c->lies[leg], c->is))
        return;
    put_parcel(c, leg, false);
    out->kind = COURIER_SAY_YES;
}

static bool names_parcel(const struct env_value *v)
{
    return v->is_text && v->text[0] == 'p' && v->text[1] >= '0' &&
           v->text[1] < '0' + COURIER_NAMES && v->text[2] == '\0';
}

/* The codecs check their input, but a caller of the API may not. */
static bool call_is_sound(const struct env_call *call)
{
    enum courier_dir dir;

    switch (call->tool) {
    case COURIER_NEXT:
    case COURIER_WHERE:
        return true;
    case COURIER_MOVE:
        return courier_read_dir(&call->arg[0], &dir) && !call->arg[1].is_text &&
               call->arg[1].number >= 1 && call->arg[1].number <= COURIER_STRIDE;
    case COURIER_DROP:
    case COURIER_PICKUP:
        return names_parcel(&call->arg[0]);
    default:
        return false;
    }
}

void courier_apply(struct courier *c, const struct env_call *call, struct courier_reply *out,
                   struct env_effect *fx)
{
    *out = (struct courier_reply){.kind = COURIER_SAY_ERROR};
    if (!env_count_call(&c->base, COURIER_MAX_CALLS, fx, &out->error))
        return;
    fx->ok = call_is_sound(call);
    if (!fx->ok) {
        out->error = "this is not a call";
        return;
    }
    switch ((enum courier_tool)call->tool) {
    case COURIER_NEXT:
        apply_next(c, out, fx);
        break;
    case COURIER_MOVE:
        apply_move(c, call, out);
        break;
    case COURIER_WHERE:
        apply_where(c, out);
        break;
    case COURIER_DROP:
        apply_drop(c, c->latest[call->arg[0].text[1] - '0'], out);
        break;
    case COURIER_PICKUP:
        apply_pickup(c, c->latest[call->arg[0].text[1] - '0'], out);
        break;
    case COURIER_N_TOOLS:
        break;
    }
}
