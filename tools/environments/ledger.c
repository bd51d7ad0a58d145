/* ledger.c - the ledger's entry in environments.def: its tools' declarations, its texts for a
 * model, its table of operations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/ledger.h"

#include "tools/environments/env_list.h"
#include "tools/environments/env_schema.h"

#define KEY   "{\"type\":\"string\",\"enum\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\"]}"
#define VALUE SCHEMA_INTEGER("0", "99")
#define ORDER                                                                                      \
    SCHEMA_OBJECT("\"key\":" KEY ",\"op\":{\"enum\":[\"+\",\"-\"]},"                               \
                  "\"amount\":" SCHEMA_INTEGER("1", "9"),                                          \
                  "\"key\",\"op\",\"amount\"")

const struct env_tool_spec ledger_tools[LEDGER_N_TOOLS] = {
    [LEDGER_NEXT] =
        {
            .name = "next",
            .description = "Ends the current order and gives the next one, or says that all are "
                           "done.",
            .input_schema = SCHEMA_NO_ARGS,
            /* Only the variants with a cue have the class. */
            .output_schema = SCHEMA_RESULTS(
                SCHEMA_OBJECT("\"order\":" ORDER ",\"class\":{\"enum\":[\"a\",\"b\"]}",
                              "\"order\""),
                SCHEMA_DONE),
            .effect = EFFECT_NONE,
        },
    [LEDGER_GET] =
        {
            .name = "get",
            .description = "Reads the value of one account.",
            .input_schema = SCHEMA_OBJECT("\"key\":" KEY, "\"key\""),
            .output_schema = SCHEMA_RESULT(SCHEMA_OBJECT("\"value\":" VALUE, "\"value\"")),
            .effect = EFFECT_NONE,
            .n_args = 1,
            .arg = {"key"},
        },
    [LEDGER_SET] =
        {
            .name = "set",
            .description = "Writes a value into one account.",
            .input_schema = SCHEMA_OBJECT("\"key\":" KEY ",\"value\":" VALUE, "\"key\",\"value\""),
            .output_schema = SCHEMA_OK,
            .effect = EFFECT_NONE,
            .n_args = 2,
            .arg = {"key", "value"},
        },
    [LEDGER_UNDO] =
        {
            .name = "undo",
            .description = "Puts all accounts back to what they were at the start of this order.",
            .input_schema = SCHEMA_NO_ARGS,
            .output_schema = SCHEMA_OK,
            .effect = EFFECT_NONE,
        },
    [LEDGER_CHECK] =
        {
            .name = "check",
            .description = "Compares one account with the value that you expect there.",
            .input_schema =
                SCHEMA_OBJECT("\"key\":" KEY ",\"expected\":" VALUE, "\"key\",\"expected\""),
            .output_schema = SCHEMA_RESULT(SCHEMA_OBJECT(
                "\"match\":{\"type\":\"boolean\"},\"actual\":" VALUE, "\"match\",\"actual\"")),
            .effect = EFFECT_NONE,
            .n_args = 2,
            .arg = {"key", "expected"},
        },
};

const struct ledger_rules ledger_rules_plain = {
    .name = "ledger",
    .noise = 0.01,
    .calm = 1,
    /* The middle of 3 .. 8 %, the rate from which reinforcement can start. */
    .looks = 0.055,
};

static enum status create(const struct env_params *p, struct env **out, struct error *err)
{
    return ledger_create(&ledger_rules_plain, p, out, err);
}

static enum status restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    return ledger_restore(&ledger_rules_plain, bytes, n, out, err);
}

static double ceiling(const struct env_params *p)
{
    return ledger_ceiling(&ledger_rules_plain, p);
}

static int32_t demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    return ledger_demo(&ledger_rules_plain, spec, out, max);
}

static void probe(int32_t i, struct env_probe *out)
{
    ledger_probe(&ledger_rules_plain, i, out);
}

const struct env_ops ledger_env = {
    LEDGER_SHARED_OPS,
    .name = "ledger",
    .summary = "Orders on eight accounts whose writes sometimes go wrong unseen (OffCourse E1).",
    .default_noise = 0.01,
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
