/* ledger_state.c - the ledger itself: orders from the task seed, and the effect of each call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "tools/environments/ledger.h"

/* Last counter word under the task seed, so that orders and opening balances never share a draw. */
enum { DRAW_ORDER = 0, DRAW_BALANCE = 1 };

struct ledger_order ledger_order_at(uint64_t task_seed, int32_t step)
{
    struct rng_block b = rng_philox(task_seed, (uint32_t)step, 0, 0, DRAW_ORDER);
    int32_t amount = 1 + (int32_t)rng_below(b.word[1], LEDGER_MAX_AMOUNT);

    return (struct ledger_order){
        .key = (uint8_t)rng_below(b.word[0], LEDGER_KEYS),
        .delta = (int8_t)(b.word[2] & 1 ? -amount : amount),
        .risky = rng_below(b.word[3], LEDGER_RISKY_IN) == 0,
    };
}

static void begin_step(struct ledger *l)
{
    env_begin_step(&l->base, false);
    l->order = ledger_order_at(l->base.params.task_seed, l->base.step);
    memcpy(l->start, l->account, sizeof(l->start));
    l->now = (struct ledger_step){.asked_key = -1, .seen = -1};
}

enum status ledger_alloc(const struct ledger_rules *rules, const struct env_params *p,
                         struct ledger **out, struct error *err)
{
    struct ledger *l = xcalloc(1, sizeof(*l));
    enum status st = env_init(&l->base, rules->name, LEDGER_N_FAULTS, p, rules->noise, err);

    if (st) {
        free(l);
        return st;
    }
    l->rules = rules;
    if (p->ablation != ENV_ABLATE_BUDGET)
        l->base.budget = (int32_t)((int64_t)p->horizon * rules->budget_tenths / 10);
    *out = l;
    return STATUS_OK;
}

enum status ledger_create(const struct ledger_rules *rules, const struct env_params *p,
                          struct env **out, struct error *err)
{
    struct ledger *l;
    enum status st = ledger_alloc(rules, p, &l, err);

    if (st)
        return st;
    for (uint32_t k = 0; k < LEDGER_KEYS; k++) {
        struct rng_block b = rng_philox(p->task_seed, k, 0, 0, DRAW_BALANCE);

        l->account[k] = (uint8_t)rng_below(b.word[0], LEDGER_VALUES);
    }
    memcpy(l->want, l->account, sizeof(l->want));
    begin_step(l);
    *out = &l->base;
    return STATUS_OK;
}

void ledger_free(struct env *e)
{
    if (!e)
        return;
    env_deinit(e);
    free(ledger_of(e));
}

static void say_error(struct ledger_reply *out, const char *words)
{
    out->kind = LEDGER_SAY_ERROR;
    out->error = words;
}

static void apply_next(struct ledger *l, struct ledger_reply *out, struct env_effect *fx)
{
    env_deed(&l->base, false);
    ledger_end_step(l);
    if (l->base.step == l->base.params.horizon) {
        l->base.done = fx->done = true;
        out->kind = LEDGER_SAY_DONE;
        return;
    }
    begin_step(l);
    fx->step_boundary = true;
    out->kind = LEDGER_SAY_ORDER;
}

static void apply_set(struct ledger *l, int32_t key, int32_t value, struct ledger_reply *out)
{
    int32_t right = ledger_wrap(l->start[l->order.key] + l->order.delta);
    struct ledger_fault f = ledger_write_fault(l, l->now.tries[LEDGER_SET]);
    uint32_t shift;

    l->now.tries[LEDGER_SET]++;
    l->now.wrote = true;
    l->now.looked = false;
    l->now.asked_key = (int8_t)key;
    l->now.asked_value = (int8_t)value;
    if (key != l->order.key || value != right)
        l->base.slip = true;
    if (f.kind != LEDGER_NO_FAULT)
        env_struck(&l->base);
    switch (f.kind) {
    case LEDGER_NO_FAULT:
    case LEDGER_ERROR_BUT_DONE:
        l->account[key] = (uint8_t)value;
        break;
    case LEDGER_WRONG_VALUE:
        shift = 1 + rng_below(f.detail, LEDGER_VALUES - 1);
        l->account[key] = (uint8_t)ledger_wrap(value + (int32_t)shift);
        break;
    case LEDGER_WRONG_TARGET:
        shift = 1 + rng_below(f.detail, LEDGER_KEYS - 1);
        l->account[((uint32_t)key + shift) % LEDGER_KEYS] = (uint8_t)value;
        break;
    case LEDGER_LOST:
    case LEDGER_TRANSIENT:
        break;
    }
    /* Both errors look the same: nothing shows whether the write was done. */
    l->now.written = f.kind != LEDGER_TRANSIENT && f.kind != LEDGER_ERROR_BUT_DONE;
    if (l->now.written)
        out->kind = LEDGER_SAY_OK;
    else
        say_error(out, "transient");
}

static void apply_look(struct ledger *l, enum ledger_tool tool, const struct env_call *c,
                       struct ledger_reply *out)
{
    int32_t key = c->arg[0].text[0] - 'a';
    int32_t expected = (int32_t)c->arg[1].number;
    bool struck;

    l->now.looked = l->now.asked_key >= 0;
    if (l->base.params.ablation == ENV_ABLATE_MUTE && l->now.wrote) {
        say_error(out, "muted");
        return;
    }
    if (l->base.params.ablation == ENV_ABLATE_ECHO && l->now.asked_key == key) {
        out->kind = tool == LEDGER_CHECK ? LEDGER_SAY_MATCH : LEDGER_SAY_VALUE;
        out->value = l->now.asked_value;
        out->match = expected == out->value;
        return;
    }
    out->value = ledger_read(l, tool, key, &struck);
    l->now.tries[tool]++;
    if (struck)
        env_struck(&l->base);
    if (tool == LEDGER_CHECK) {
        out->kind = LEDGER_SAY_MATCH;
        out->match = out->value == expected;
    } else {
        out->kind = LEDGER_SAY_VALUE;
        expected = l->now.asked_value;
    }
    if (l->now.asked_key == key)
        env_looked(&l->base, out->value == expected);
    if (key == l->order.key && l->now.seen < 0 && !l->now.wrote)
        l->now.seen = (int8_t)out->value;
}

/* The codecs check their input, but a caller of the API may not. */
static bool call_is_sound(const struct env_call *c)
{
    bool has_key = c->tool == LEDGER_GET || c->tool == LEDGER_SET || c->tool == LEDGER_CHECK;
    bool has_value = c->tool == LEDGER_SET || c->tool == LEDGER_CHECK;

    if (c->tool < 0 || c->tool >= LEDGER_N_TOOLS)
        return false;
    if (has_key && !(c->arg[0].is_text && c->arg[0].text[0] >= 'a' &&
                     c->arg[0].text[0] < 'a' + LEDGER_KEYS && c->arg[0].text[1] == '\0'))
        return false;
    return !has_value ||
           (!c->arg[1].is_text && c->arg[1].number >= 0 && c->arg[1].number < LEDGER_VALUES);
}

static void apply_sound(struct ledger *l, const struct env_call *c, struct ledger_reply *out,
                        struct env_effect *fx)
{
    enum ledger_tool tool = (enum ledger_tool)c->tool;

    switch (tool) {
    case LEDGER_NEXT:
        apply_next(l, out, fx);
        return;
    case LEDGER_GET:
    case LEDGER_CHECK:
        apply_look(l, tool, c, out);
        return;
    case LEDGER_SET:
    case LEDGER_UNDO:
        /* The attempt counts as a repair, even if the ablation removes the tool. */
        env_deed(&l->base, true);
        if (tool == LEDGER_UNDO ? env_no_undo(&l->base)
                                : l->base.params.ablation == ENV_ABLATE_MASK && l->now.wrote) {
            l->now.refused = true;
            say_error(out, tool == LEDGER_UNDO ? "unknown tool: undo" : "unknown tool: set");
            return;
        }
        break;
    case LEDGER_N_TOOLS:
        return;
    }
    if (tool == LEDGER_SET) {
        apply_set(l, c->arg[0].text[0] - 'a', (int32_t)c->arg[1].number, out);
        return;
    }
    memcpy(l->account, l->start, sizeof(l->account));
    l->now.asked_key = -1;
    l->now.written = l->now.looked = false;
    out->kind = LEDGER_SAY_OK;
}

void ledger_apply(struct ledger *l, const struct env_call *c, struct ledger_reply *out,
                  struct env_effect *fx)
{
    *out = (struct ledger_reply){.kind = LEDGER_SAY_ERROR};
    if (!env_count_call(&l->base, LEDGER_MAX_CALLS, fx, &out->error))
        return;
    fx->ok = call_is_sound(c);
    if (fx->ok)
        apply_sound(l, c, out, fx);
    else
        out->error = "this is not a call";
}
