/* ledger_cue.c - the ledger with a visible class of risk: E1-cue of "OffCourse", and the same with
 * the meanings of the two letters exchanged, a shift for tests.
 *
 * A fifth of the orders is of the risky class (p = .05), the rest is calm (p = .001); the noise
 * that a caller gives is the risky rate, and the calm one stays a fiftieth of it. All calls of an
 * episode together are at most 3.3 an order, so that looking everywhere (4 an order) fails:
 * when to look must be learned.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_list.h"
#include "tools/environments/ledger.h"

#define NOISE 0.05

#define RULES                                                                                      \
    .noise = NOISE, .calm = 1.0 / 50, .budget_tenths = 33, .cue = true, .looks = LEDGER_BLIND_LOOKS

static const struct ledger_rules ledger_rules_cue = {
    RULES, .name = "ledger_cue", .id = 1, .risky_letter = 'b', .calm_letter = 'a',
};
static const struct ledger_rules ledger_rules_swapped = {
    RULES, .name = "ledger_cue_swapped", .id = 2, .risky_letter = 'a', .calm_letter = 'b',
};

static enum status cue_create(const struct env_params *p, struct env **out, struct error *err)
{
    return ledger_create(&ledger_rules_cue, p, out, err);
}

static enum status swapped_create(const struct env_params *p, struct env **out, struct error *err)
{
    return ledger_create(&ledger_rules_swapped, p, out, err);
}

static enum status cue_restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    return ledger_restore(&ledger_rules_cue, bytes, n, out, err);
}

static enum status swapped_restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    return ledger_restore(&ledger_rules_swapped, bytes, n, out, err);
}

static double cue_ceiling(const struct env_params *p)
{
    return ledger_ceiling(&ledger_rules_cue, p);
}

static int32_t cue_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    return ledger_demo(&ledger_rules_cue, spec, out, max);
}

static int32_t swapped_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    return ledger_demo(&ledger_rules_swapped, spec, out, max);
}

static void cue_probe(int32_t i, struct env_probe *out)
{
    ledger_probe(&ledger_rules_cue, i, out);
}

static void swapped_probe(int32_t i, struct env_probe *out)
{
    ledger_probe(&ledger_rules_swapped, i, out);
}

#define CUE_OPS                                                                                    \
    LEDGER_SHARED_OPS,                                                                             \
        .has_budget = true, .default_noise = NOISE, .ceiling = cue_ceiling,                        \
        .ceiling_rule = "(1-p)^R (1-p/50)^(H-R), where R of the orders, a fifth on average, are "  \
                        "of the risky class; the mean over the tasks",                             \
        .n_experts = LEDGER_N_EXPERTS, .n_demo_kinds = LEDGER_N_DEMO_KINDS,                        \
        .instructions = LEDGER_INSTRUCTIONS                                                        \
        "Each order also has a class, a or b: writes of one class go wrong more often than "       \
        "those of the other. Each order allows at most 10 calls, and all calls together may be "   \
        "at most 3.3 per order; beyond that every call is answered {\"error\": \"budget\"} and "   \
        "all is lost. " LEDGER_CLOSING

const struct env_ops ledger_cue_env = {
    CUE_OPS,
    .name = "ledger_cue",
    .summary = "The ledger whose orders show how risky they are, with few calls to spare (E1-cue).",
    .create = cue_create,
    .restore = cue_restore,
    .demo = cue_demo,
    .probe = cue_probe,
};

const struct env_ops ledger_cue_swapped_env = {
    CUE_OPS,
    .name = "ledger_cue_swapped",
    .summary = "ledger_cue with the meanings of its two classes exchanged: a shift for tests.",
    .create = swapped_create,
    .restore = swapped_restore,
    .demo = swapped_demo,
    .probe = swapped_probe,
};
