/* ledger_fault.c - the exogenous faults: the calls that they affect, and their effect.
 *
 * Every draw is Philox under the fault seed with the counter (step, try, channel, 0), where `try`
 * counts the earlier calls on that channel in that step. Nothing else enters, so two episodes that
 * differ in policy or ablation meet the same faults.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/ledger.h"

/* Channels are the tools that can fail, and again the same tools for the ablation `alarm`. */
#define CHANNEL_ALARM 16

const char *const ledger_faults[LEDGER_N_FAULTS] = {"lost", "value", "target"};

/* Any value but this one, uniformly. */
static int32_t other_value(int32_t value, uint32_t bits)
{
    return ledger_wrap(value + 1 + (int32_t)rng_below(bits, LEDGER_VALUES - 1));
}

double ledger_rate(const struct ledger_rules *rules, double noise, bool risky)
{
    return risky ? noise : noise * rules->calm;
}

struct ledger_fault ledger_write_fault(const struct ledger *l, int32_t try_index)
{
    struct rng_block b = env_draw(&l->base, try_index, LEDGER_SET);
    double u = rng_unit_double(b.word[0], b.word[1]);
    double p = ledger_rate(l->rules, l->base.params.noise, l->order.risky);
    struct ledger_fault f = {.kind = LEDGER_NO_FAULT, .detail = b.word[2]};

    if (u < p) {
        int32_t kind = env_fault_kind(&l->base.params, LEDGER_N_FAULTS, u, p);

        f.kind = (enum ledger_fault_kind)(LEDGER_LOST + kind);
    } else if (l->base.params.profile == ENV_HARD) {
        if (u < p + ENV_HARD_RATE)
            f.kind = LEDGER_TRANSIENT;
        else if (u < p + 2 * ENV_HARD_RATE)
            f.kind = LEDGER_ERROR_BUT_DONE;
    }
    return f;
}

/* The ablation `alarm`: half of the right read-backs are shown wrong. */
static void ring_alarm(const struct ledger *l, enum ledger_tool channel, int32_t key,
                       int32_t *value)
{
    struct rng_block b;

    if (l->base.params.ablation != ENV_ABLATE_ALARM || l->now.asked_key != key ||
        l->now.asked_value != *value)
        return;
    b = env_draw(&l->base, l->now.tries[channel], CHANNEL_ALARM + (uint32_t)channel);
    if (b.word[0] & 1)
        *value = other_value(*value, b.word[1]);
}

int32_t ledger_read(const struct ledger *l, enum ledger_tool channel, int32_t key, bool *struck)
{
    int32_t value = l->account[key];
    struct rng_block b;

    *struck = false;
    if (l->base.params.profile == ENV_HARD) {
        b = env_draw(&l->base, l->now.tries[channel], (uint32_t)channel);
        if (rng_unit_double(b.word[0], b.word[1]) < ENV_HARD_RATE) {
            *struck = true;
            /* Stale if there is an older value, else wrong. */
            return l->start[key] != value ? l->start[key] : other_value(value, b.word[2]);
        }
    }
    ring_alarm(l, channel, key, &value);
    return value;
}
