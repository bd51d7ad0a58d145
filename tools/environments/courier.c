/* courier.c - the entries of the two couriers in environments.def: E2 of "OffCourse", where the
 * weather shows which legs are risky, and its variant without a cue.
 *
 * A fifth of the legs is gusty (p = .05 a move), the others are calm (p = .0002); the noise that a
 * caller gives is the gusty rate, and the calm one stays 1/250 of it. All calls of an episode
 * together are at most 1.08 of the reference (next, moves, drop), so that looking on every leg
 * fails. Without a cue p = .01 on every move, and 1.5 of the reference.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/courier.h"

#include "tools/environments/env_list.h"
#include "tools/environments/env_schema.h"

#define CUE_NOISE   0.05
#define PLAIN_NOISE 0.01

static const struct courier_rules courier_rules_cue = {
    .name = "courier",
    .id = 0,
    .noise = CUE_NOISE,
    .calm = 0.004,
    .budget_percent = 108,
    .cue = true,
    .looks_long = 0.9,
    .looks_short = 0.1,
};
const struct courier_rules courier_rules_plain = {
    .name = "courier_plain",
    .id = 1,
    .noise = PLAIN_NOISE,
    .calm = 1,
    .budget_percent = 150,
    /* As in the ledger: the rate from which reinforcement can start. */
    .looks_long = 0.055,
    .looks_short = 0.055,
};

#define NUMBER SCHEMA_INTEGER("0", "15")
#define CELL   "{\"type\":\"array\",\"items\":" NUMBER ",\"minItems\":2,\"maxItems\":2}"
#define PARCEL                                                                                     \
    "{\"type\":\"string\",\"enum\":[\"p0\",\"p1\",\"p2\",\"p3\",\"p4\",\"p5\",\"p6\",\"p7\","      \
    "\"p8\",\"p9\"]}"
#define PARCEL_ARGS SCHEMA_OBJECT("\"id\":" PARCEL, "\"id\"")

static const struct env_tool_spec courier_tools[COURIER_N_TOOLS] = {
    [COURIER_NEXT] =
        {
            .name = "next",
            .description = "Ends the current leg and gives the next one, or says that all are "
                           "done. \"at\" repeats where your own moves and your last where() put "
                           "you; it is not measured.",
            .input_schema = SCHEMA_NO_ARGS,
            /* Only the variant with a cue has the weather. */
            .output_schema =
                SCHEMA_RESULTS(SCHEMA_OBJECT("\"at\":" CELL ",\"goto\":" CELL ",\"drop\":" PARCEL
                                             ",\"weather\":{\"enum\":[\"calm\",\"gusty\"]}",
                                             "\"at\",\"goto\",\"drop\""),
                               SCHEMA_DONE),
            .effect = EFFECT_NONE,
        },
    [COURIER_MOVE] =
        {
            .name = "move",
            .description = "Moves 1 to 4 cells to the north, east, south or west; stops at walls.",
            .input_schema =
                SCHEMA_OBJECT("\"dir\":{\"type\":\"string\",\"enum\":[\"N\",\"E\",\"S\",\"W\"]},"
                              "\"n\":" SCHEMA_INTEGER("1", "4"),
                              "\"dir\",\"n\""),
            .output_schema = SCHEMA_OK,
            .effect = EFFECT_NONE,
            .n_args = 2,
            .arg = {"dir", "n"},
        },
    [COURIER_WHERE] =
        {
            .name = "where",
            .description = "Measures the cell where you are.",
            .input_schema = SCHEMA_NO_ARGS,
            .output_schema =
                SCHEMA_RESULT(SCHEMA_OBJECT("\"x\":" NUMBER ",\"y\":" NUMBER, "\"x\",\"y\"")),
            .effect = EFFECT_NONE,
        },
    [COURIER_DROP] =
        {
            .name = "drop",
            .description = "Puts a parcel down in the cell where you are.",
            .input_schema = PARCEL_ARGS,
            .output_schema = SCHEMA_OK,
            .effect = EFFECT_NONE,
            .n_args = 1,
            .arg = {"id"},
        },
    [COURIER_PICKUP] =
        {
            .name = "pickup",
            .description = "Takes a parcel up again, if it lies in the cell where you are.",
            .input_schema = PARCEL_ARGS,
            .output_schema =
                SCHEMA_RESULT(SCHEMA_OBJECT("\"ok\":{\"type\":\"boolean\"}", "\"ok\"")),
            .effect = EFFECT_NONE,
            .n_args = 1,
            .arg = {"id"},
        },
};

#define INSTRUCTIONS(extra, budget)                                                                \
    "You are a courier on a grid of 16 x 16 cells; x grows to the east and y to the south, both "  \
    "from 0 to 15. You begin at (0,0) with all parcels on board. Each leg names a cell and a "     \
    "parcel: go there with move, at most 4 cells at a time, drop the parcel, then call next. A "   \
    "move can go wrong although it was answered ok: one cell short, one too far, or one to the "   \
    "side" extra ". Errors stay with you in later legs; where tells you where you really are. "    \
    "A parcel that was dropped in a wrong cell can be picked up there. Each leg allows at most "   \
    "16 calls, and all calls together may be at most " budget " times what next, moves and drop "  \
    "need when all goes well; beyond that every call is answered {\"error\": \"budget\"} and all " \
    "is lost. Only the cells of the parcels at the end count. Make one tool call at a time and "   \
    "stop when next answers {\"done\": true}."

/* A leg (at most 14 tokens) and 16 of the longest calls, one "WHERE;" and a leg each. */
#define SHARED_OPS                                                                                 \
    .faults = courier_faults, .n_faults = COURIER_N_FAULTS, .tools = courier_tools,                \
    .n_tools = COURIER_N_TOOLS, .has_budget = true, .max_calls_per_step = COURIER_MAX_CALLS,       \
    .max_context_tokens = 14 + 17 * COURIER_MAX_CALLS, .max_reply_tokens = 4,                      \
    .free = courier_free, .observe = courier_observe, .observe_compact = courier_observe_compact,  \
    .call = courier_call, .parse_compact = courier_parse_compact,                                  \
    .call_compact = courier_call_compact, .verify = courier_verify, .step_right = env_step_right,  \
    .steps_done = env_steps_done, .calls_made = env_calls_made, .anchor = courier_anchor,          \
    .expert = courier_expert, .experts = courier_experts, .demo_kinds = courier_demo_kinds,        \
    .n_probes = COURIER_N_PROBES, .snapshot = courier_snapshot,                                    \
    .render_call = courier_render_call, .compact_stop = ";"

static enum status cue_create(const struct env_params *p, struct env **out, struct error *err)
{
    return courier_create(&courier_rules_cue, p, out, err);
}

static enum status plain_create(const struct env_params *p, struct env **out, struct error *err)
{
    return courier_create(&courier_rules_plain, p, out, err);
}

static enum status cue_restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    return courier_restore(&courier_rules_cue, bytes, n, out, err);
}

static enum status plain_restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    return courier_restore(&courier_rules_plain, bytes, n, out, err);
}

static double cue_ceiling(const struct env_params *p)
{
    return courier_ceiling(&courier_rules_cue, p);
}

static double plain_ceiling(const struct env_params *p)
{
    return courier_ceiling(&courier_rules_plain, p);
}

static int32_t cue_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    return courier_demo(&courier_rules_cue, spec, out, max);
}

static int32_t plain_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    return courier_demo(&courier_rules_plain, spec, out, max);
}

static void cue_probe(int32_t i, struct env_probe *out)
{
    courier_probe(&courier_rules_cue, i, out);
}

static void plain_probe(int32_t i, struct env_probe *out)
{
    courier_probe(&courier_rules_plain, i, out);
}

#define CEILING_RULE(rate)                                                                         \
    "the chance that the moves of every leg end in its cell, with a fault of a move at " rate      \
    "; a wall or a second fault undoes some faults; the mean over the tasks"

const struct env_ops courier_env = {
    SHARED_OPS,
    .name = "courier",
    .summary = "Parcels carried on a grid where gusty legs lead astray, with few calls to spare "
               "(OffCourse E2).",
    .default_noise = CUE_NOISE,
    .instructions = INSTRUCTIONS(", which happens much more often in gusty weather", "1.08"),
    .create = cue_create,
    .restore = cue_restore,
    .ceiling = cue_ceiling,
    .ceiling_rule = CEILING_RULE("p in gusts and p/250 elsewhere"),
    .n_experts = COURIER_N_EXPERTS,
    .n_demo_kinds = COURIER_N_DEMO_KINDS,
    .demo = cue_demo,
    .probe = cue_probe,
};

const struct env_ops courier_plain_env = {
    SHARED_OPS,
    .name = "courier_plain",
    .summary = "The courier without weather: every move alike goes astray now and then.",
    .default_noise = PLAIN_NOISE,
    .instructions = INSTRUCTIONS("", "1.5"),
    .create = plain_create,
    .restore = plain_restore,
    .ceiling = plain_ceiling,
    .ceiling_rule = CEILING_RULE("p"),
    .n_experts = 2,
    .n_demo_kinds = 4,
    .demo = plain_demo,
    .probe = plain_probe,
};
