/* itinerary.c - the itinerary's entry in environments.def: E3 of "OffCourse". Its tools'
 * declarations, its texts for a model, its table of operations.
 *
 * A confirmed booking is absent or on a wrong day, each at p/2 (p = .01); an answer times out
 * although the booking was made, or and it was not, each at 2p but at most .02.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/itinerary.h"

#include "tools/environments/env_list.h"
#include "tools/environments/env_schema.h"

#define CITY                                                                                       \
    "{\"type\":\"string\",\"enum\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\","        \
    "\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\"]}"
#define DAY   SCHEMA_INTEGER("1", "30")
#define OFFER "{\"type\":\"string\",\"pattern\":\"^o[0-9]$\"}"
#define REF   "{\"type\":\"string\",\"pattern\":\"^r[0-9]{3}$\"}"
#define LEG                                                                                        \
    SCHEMA_OBJECT("\"from\":" CITY ",\"to\":" CITY ",\"day\":" DAY, "\"from\",\"to\",\"day\"")
#define LIST_OF(item) "{\"type\":\"array\",\"maxItems\":4,\"items\":" item "}"

static const struct env_tool_spec itinerary_tools[ITINERARY_N_TOOLS] = {
    [ITINERARY_NEXT] =
        {
            .name = "next_leg",
            .description = "Ends the current leg and gives the next one, or says that all are "
                           "done.",
            .input_schema = SCHEMA_NO_ARGS,
            .output_schema = SCHEMA_RESULTS(LEG, SCHEMA_DONE),
            .effect = EFFECT_NONE,
        },
    [ITINERARY_SEARCH] =
        {
            .name = "search",
            .description = "Lists up to 4 offers with their prices and free seats.",
            .input_schema = LEG,
            .output_schema = SCHEMA_RESULT(LIST_OF(SCHEMA_OBJECT(
                "\"offer\":" OFFER
                ",\"price\":" SCHEMA_INTEGER("10", "99") ",\"seats\":" SCHEMA_INTEGER("0", "9"),
                "\"offer\",\"price\",\"seats\""))),
            .effect = EFFECT_NONE,
            .n_args = 3,
            .arg = {"from", "to", "day"},
        },
    [ITINERARY_BOOK] =
        {
            .name = "book",
            .description = "Books an offer of the last search.",
            .input_schema = SCHEMA_OBJECT("\"offer\":" OFFER, "\"offer\""),
            .output_schema = SCHEMA_RESULT(SCHEMA_OBJECT(
                "\"status\":{\"const\":\"confirmed\"},\"ref\":" REF, "\"status\",\"ref\"")),
            .effect = EFFECT_NONE,
            .n_args = 1,
            .arg = {"offer"},
        },
    [ITINERARY_LIST] =
        {
            .name = "bookings",
            .description = "Lists up to 4 bookings of this trip on one day.",
            .input_schema = SCHEMA_OBJECT("\"day\":" DAY, "\"day\""),
            .output_schema = SCHEMA_RESULT(LIST_OF(SCHEMA_OBJECT(
                "\"ref\":" REF ",\"offer\":" OFFER ",\"status\":{\"const\":\"confirmed\"}",
                "\"ref\",\"offer\",\"status\""))),
            .effect = EFFECT_NONE,
            .n_args = 1,
            .arg = {"day"},
        },
    [ITINERARY_CANCEL] =
        {
            .name = "cancel",
            .description = "Cancels a booking of this trip, on whatever day it stands.",
            .input_schema = SCHEMA_OBJECT("\"ref\":" REF, "\"ref\""),
            .output_schema = SCHEMA_OK,
            .effect = EFFECT_NONE,
            .n_args = 1,
            .arg = {"ref"},
        },
};

const struct env_ops itinerary_env = {
    .name = "itinerary",
    .summary = "Trips booked leg by leg, where a booking can be missing, misplaced or made twice "
               "(OffCourse E3).",
    .default_noise = ITINERARY_NOISE,
    .tools = itinerary_tools,
    .n_tools = ITINERARY_N_TOOLS,
    .max_calls_per_step = ITINERARY_MAX_CALLS,
    /* The longest context: a leg (6) and ten searches with four offers each, 6 + 26. */
    .max_context_tokens = 6 + 32 * ITINERARY_MAX_CALLS,
    .max_reply_tokens = 6,
    .instructions =
        "You book trips among sixteen cities, a to p, on days 1 to 30. Legs come one at a time: "
        "from, to and day. For each leg search for exactly that, book the cheapest offer that has "
        "a seat, then call next_leg. A booking can go wrong although it was answered confirmed: it "
        "may be absent, or stand on another day. And an answer may be {\"error\": \"timeout\"}, "
        "whether the booking was made or not. bookings shows what stands on a day, cancel takes a "
        "booking away by its reference, on whatever day it stands. A trip has ten legs; then a new "
        "one begins with no bookings. Each leg allows at most 10 calls. At the end each leg must "
        "have exactly one booking, the right one, and there must be no others. Make one tool call "
        "at a time and stop when next_leg answers {\"done\": true}.",
    .faults = itinerary_faults,
    .n_faults = ITINERARY_N_FAULTS,
    .create = itinerary_create,
    .free = itinerary_free,
    .observe = itinerary_observe,
    .observe_compact = itinerary_observe_compact,
    .call = itinerary_call,
    .parse_compact = itinerary_parse_compact,
    .call_compact = itinerary_call_compact,
    .verify = itinerary_verify,
    .step_right = env_step_right,
    .steps_done = env_steps_done,
    .calls_made = env_calls_made,
    .anchor = itinerary_anchor,
    .ceiling = itinerary_ceiling,
    .ceiling_rule =
        "(1-p-t)^H; p is a booking that is absent or on another day, and t, the smaller "
        "of 2p and 0.02, a booking that was not made, answered with a timeout",
    .expert = itinerary_expert,
    .experts = itinerary_experts,
    .n_experts = ITINERARY_N_EXPERTS,
    .demo_kinds = itinerary_demo_kinds,
    .n_demo_kinds = ITINERARY_N_DEMO_KINDS,
    .demo = itinerary_demo,
    .n_probes = ITINERARY_N_PROBES,
    .probe = itinerary_probe,
    .snapshot = itinerary_snapshot,
    .restore = itinerary_restore,
    .render_call = itinerary_render_call,
    .compact_stop = ";",
};
