/* ledger_probe.c - the questions that a base model must answer before reinforcement starts: all
 * 1,800 sums, all 9,900 mismatching and all 100 matching pairs of written and read values.
 *
 * The later rate of recovery stays near the initial skill (OffCourse, section 2.6), so the probe is
 * exhaustive, not sampled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "tools/environments/ledger.h"

/* i of 0..17 to -9..-1, 1..9. */
static int8_t delta_at(int32_t i)
{
    return (int8_t)(i < LEDGER_MAX_AMOUNT ? i - LEDGER_MAX_AMOUNT : i - LEDGER_MAX_AMOUNT + 1);
}

static void call_text(enum ledger_tool tool, int32_t key, int32_t value, char out[LEDGER_TEXT])
{
    struct env_call call;

    ledger_make_call(tool, key, value, &call);
    (void)ledger_call_text(&call, out);
}

static void probe_sum(const struct ledger_rules *rules, int32_t i, struct env_probe *out)
{
    struct ledger_order order = {.key = (uint8_t)(i % LEDGER_KEYS),
                                 .delta = delta_at(i % (2 * LEDGER_MAX_AMOUNT)),
                                 .risky = i % 2 == 1};
    int32_t value = i / (2 * LEDGER_MAX_AMOUNT);
    char order_text[LEDGER_TEXT], get[LEDGER_TEXT], set[LEDGER_TEXT];

    (void)ledger_order_text(rules, order, order_text);
    call_text(LEDGER_GET, order.key, 0, get);
    call_text(LEDGER_SET, order.key, ledger_wrap(value + order.delta), set);
    (void)snprintf(out->prompt, sizeof(out->prompt), "%s%s>%02d|", order_text, get, value);
    (void)snprintf(out->expected, sizeof(out->expected), "%s", set);
    out->category = "sum";
}

static void probe_pair(const struct ledger_rules *rules, int32_t written, int32_t shown,
                       struct env_probe *out)
{
    /* Account, amount and class do not matter here; spread them over the pairs. */
    struct ledger_order order = {.key = (uint8_t)((written + shown) % LEDGER_KEYS),
                                 .delta = delta_at((written * 7 + shown) % (2 * LEDGER_MAX_AMOUNT)),
                                 .risky = (written + shown / 2) % 2 == 1};
    int32_t old = ledger_wrap(written - order.delta);
    char order_text[LEDGER_TEXT], get[LEDGER_TEXT], set[LEDGER_TEXT], then[LEDGER_TEXT],
        ok[LEDGER_TEXT];

    (void)ledger_order_text(rules, order, order_text);
    call_text(LEDGER_GET, order.key, 0, get);
    call_text(LEDGER_SET, order.key, written, set);
    call_text(written == shown ? LEDGER_NEXT : LEDGER_UNDO, 0, 0, then);
    (void)ledger_ok_text(rules, order, ok);
    (void)snprintf(out->prompt, sizeof(out->prompt), "%s%s>%02d|%s%s%s>%02d|", order_text, get, old,
                   set, ok, get, shown);
    (void)snprintf(out->expected, sizeof(out->expected), "%s", then);
    out->category = written == shown ? "match" : "mismatch";
}

void ledger_probe(const struct ledger_rules *rules, int32_t i, struct env_probe *out)
{
    int32_t written, shown;

    if (i < LEDGER_N_SUMS) {
        probe_sum(rules, i, out);
        return;
    }
    i -= LEDGER_N_SUMS;
    if (i >= LEDGER_N_MISMATCHES) {
        probe_pair(rules, i - LEDGER_N_MISMATCHES, i - LEDGER_N_MISMATCHES, out);
        return;
    }
    written = i / (LEDGER_VALUES - 1);
    shown = i % (LEDGER_VALUES - 1);
    probe_pair(rules, written, shown + (shown >= written), out);
}
