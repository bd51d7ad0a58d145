/* ledger_rough.c - the ledger with more noise: one write in twenty fails.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_list.h"
#include "tools/environments/ledger.h"

static const struct ledger_rules rules = {
    .name = "ledger_rough", .id = 3, .noise = 0.05, .calm = 1, .looks = 0.055};

static enum status create(const struct env_params *p, struct env **out, struct error *err)
{
    return ledger_create(&rules, p, out, err);
}

static enum status restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    return ledger_restore(&rules, bytes, n, out, err);
}

static double ceiling(const struct env_params *p)
{
    return ledger_ceiling(&rules, p);
}

static int32_t demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    return ledger_demo(&rules, spec, out, max);
}

static void probe(int32_t i, struct env_probe *out)
{
    ledger_probe(&rules, i, out);
}

const struct env_ops ledger_rough_env = {
    LEDGER_SHARED_OPS,
    .name = "ledger_rough",
    .summary = "The ledger with a rate of faults of 5 %.",
    .default_noise = 0.05,
    .instructions = LEDGER_INSTRUCTIONS "Each order allows at most 10 calls. " LEDGER_CLOSING,
    .create = create,
    .restore = restore,
    .ceiling = ceiling,
    .ceiling_rule = LEDGER_CEILING_RULE,
    .n_experts = 2,
    .n_demo_kinds = 4,
    .demo = demo,
    .probe = probe,
};
