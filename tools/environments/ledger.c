/* ledger.c - the ledger's entry in environments.def: its tools' declarations, its words to a
 * model, its table of operations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/ledger.h"

#include "tools/environments/env_list.h"

#define NO_ARGS "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"
#define KEY     "{\"type\":\"string\",\"enum\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\"]}"
#define VALUE   "{\"type\":\"integer\",\"minimum\":0,\"maximum\":99}"
#define OR_ERROR                                                                                   \
    "{\"type\":\"object\",\"properties\":{\"error\":{\"type\":\"string\"}},"                       \
    "\"required\":[\"error\"],\"additionalProperties\":false}"
#define RESULT(properties, required)                                                               \
    "{\"anyOf\":[{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required     \
    "],\"additionalProperties\":false}," OR_ERROR "]}"
#define IS_OK RESULT("\"ok\":{\"const\":true}", "\"ok\"")

static const struct env_tool_spec ledger_tools[LEDGER_N_TOOLS] = {
    [LEDGER_NEXT] =
        {
            .name = "next",
            .description = "Ends the current order and gives the next one, or says that all are "
                           "done.",
            .input_schema = NO_ARGS,
            .output_schema =
                "{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"order\":{\"type\":\"object\","
                "\"properties\":{\"key\":" KEY ",\"op\":{\"enum\":[\"+\",\"-\"]},"
                "\"amount\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}},"
                "\"required\":[\"key\",\"op\",\"amount\"]}},\"required\":[\"order\"]},"
                "{\"type\":\"object\",\"properties\":{\"done\":{\"const\":true}},"
                "\"required\":[\"done\"]}," OR_ERROR "]}",
            .effect = EFFECT_NONE,
        },
    [LEDGER_GET] =
        {
            .name = "get",
            .description = "Reads the value of one account.",
            .input_schema = "{\"type\":\"object\",\"properties\":{\"key\":" KEY "},"
                            "\"required\":[\"key\"],\"additionalProperties\":false}",
            .output_schema = RESULT("\"value\":" VALUE, "\"value\""),
            .effect = EFFECT_NONE,
            .n_args = 1,
            .arg = {"key"},
        },
    [LEDGER_SET] =
        {
            .name = "set",
            .description = "Writes a value into one account.",
            .input_schema =
                "{\"type\":\"object\",\"properties\":{\"key\":" KEY ",\"value\":" VALUE "},"
                "\"required\":[\"key\",\"value\"],\"additionalProperties\":false}",
            .output_schema = IS_OK,
            .effect = EFFECT_NONE,
            .n_args = 2,
            .arg = {"key", "value"},
        },
    [LEDGER_UNDO] =
        {
            .name = "undo",
            .description = "Puts all accounts back to what they were at the start of this order.",
            .input_schema = NO_ARGS,
            .output_schema = IS_OK,
            .effect = EFFECT_NONE,
        },
    [LEDGER_CHECK] =
        {
            .name = "check",
            .description = "Compares one account with the value that you expect there.",
            .input_schema =
                "{\"type\":\"object\",\"properties\":{\"key\":" KEY ",\"expected\":" VALUE "},"
                "\"required\":[\"key\",\"expected\"],\"additionalProperties\":false}",
            .output_schema = RESULT("\"match\":{\"type\":\"boolean\"},\"actual\":" VALUE,
                                    "\"match\",\"actual\""),
            .effect = EFFECT_NONE,
            .n_args = 2,
            .arg = {"key", "expected"},
        },
};

const struct env_ops ledger_env = {
    .name = "ledger",
    .summary = "Orders on eight accounts whose writes sometimes go wrong unseen (OffCourse E1).",
    .default_noise = LEDGER_NOISE,
    .tools = ledger_tools,
    .n_tools = LEDGER_N_TOOLS,
    .max_calls_per_step = LEDGER_MAX_CALLS,
    /* An order and ten of the longest calls, one "CHECKd66;>YES66|" each: 5 + 10 * 10. */
    .max_context_tokens = 105,
    .max_reply_tokens = 5,
    .instructions =
        "You keep a ledger of eight accounts, a to h, each holding a value from 0 to 99. Orders "
        "come one at a time: an account, \"+\" or \"-\", and an amount. For each order read the "
        "account with get, add or subtract the amount (sums wrap around: 99 + 2 is 1, 1 - 3 is "
        "98), write the new value with set, then call next for the following order. A write can go "
        "wrong although it was answered ok: nothing written, a wrong value written, or another "
        "account overwritten. undo puts all accounts back to the start of the current order; "
        "afterwards the order can be carried out again. Each order allows at most 10 calls. Only "
        "the final state of all accounts counts. Make one tool call at a time and stop when next "
        "answers {\"done\": true}.",
    .create = ledger_create,
    .free = ledger_free,
    .observe = ledger_observe,
    .observe_compact = ledger_observe_compact,
    .call = ledger_call,
    .parse_compact = ledger_parse_compact,
    .call_compact = ledger_call_compact,
    .verify = ledger_verify,
    .step_right = ledger_step_right,
    .steps_done = ledger_steps_done,
    .ceiling = ledger_ceiling,
    .expert = ledger_expert,
    .demo_kinds = ledger_demo_kinds,
    .n_demo_kinds = LEDGER_N_DEMO_KINDS,
    .demo = ledger_demo,
    .n_probes = LEDGER_N_PROBES,
    .probe = ledger_probe,
    .snapshot = ledger_snapshot,
    .restore = ledger_restore,
    .render_call = ledger_render_call,
    .compact_stop = ";",
};
