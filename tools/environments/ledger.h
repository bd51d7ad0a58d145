/* ledger.h - the internals of the ledger environments, used only by their files.
 *
 * Eight accounts a..h hold 0..99; sums wrap modulo 100. A step is one order (account, sign,
 * amount 1..9). ledger_apply executes a call; the codecs only translate. The variants differ only
 * in their rules: `ledger`, and `ledger_cue`, where orders have a class that shows their risk and
 * the budget of calls is too small to look at all of them.
 * Source: Troupe's "OffCourse" benchmark, E1 and E1-cue.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_LEDGER_H
#define TROUPE_TOOLS_ENVIRONMENTS_LEDGER_H

#include "tools/environments/env_core.h"

#define LEDGER_KEYS       8
#define LEDGER_VALUES     100
#define LEDGER_MAX_AMOUNT 9
#define LEDGER_MAX_CALLS  10 /* of one order; one more fails the episode */
#define LEDGER_MIN_CALLS  3  /* of an order without a look: get, set, next */
#define LEDGER_RISKY_IN   5  /* every fifth order is of the risky class */

/* Indices into the tools of every ledger environment. */
enum ledger_tool { LEDGER_NEXT, LEDGER_GET, LEDGER_SET, LEDGER_UNDO, LEDGER_CHECK, LEDGER_N_TOOLS };

struct ledger_rules {
    const char *name;
    int32_t id;            /* in snapshots */
    double noise;          /* default; with a cue, of the risky class */
    double calm;           /* the other class's rate as a share of that; 1 without a cue */
    int32_t budget_tenths; /* calls an order in tenths, counted over the episode; 0: no bound */
    bool cue;              /* orders show their class */
    char risky_letter, calm_letter;
    double looks; /* share of the mixture's trained decisions that look (ledger_demo.c) */
};
extern const struct ledger_rules ledger_rules_plain;

struct ledger_order {
    uint8_t key;
    int8_t delta; /* -9..9, never 0 */
    bool risky;   /* unused without a cue */
};

/* What happened within the current order. */
struct ledger_step {
    int32_t tries[LEDGER_N_TOOLS]; /* earlier calls on each channel: keys the faults */
    bool wrote;                    /* a set was executed in this order */
    int8_t asked_key;              /* of the last set since the last undo; -1: none */
    int8_t asked_value;
    /* What the scripted experts remember of the replies. */
    int8_t seen;  /* the first value shown of the order's account; -1: none */
    bool written; /* a set was answered OK since the last undo */
    bool looked;  /* asked for a look since the last set, answered or not */
    bool refused; /* an ablation refused a call */
};

struct ledger {
    struct env base;
    const struct ledger_rules *rules;
    struct ledger_order order;
    uint8_t account[LEDGER_KEYS];
    uint8_t start[LEDGER_KEYS]; /* at the start of this order */
    uint8_t want[LEDGER_KEYS];  /* the values if all ended orders were right */
    struct ledger_step now;
};

/* The answer to a call, before a codec formats it. */
enum ledger_answer {
    LEDGER_SAY_ORDER,
    LEDGER_SAY_DONE,
    LEDGER_SAY_VALUE,
    LEDGER_SAY_OK,
    LEDGER_SAY_MATCH,
    LEDGER_SAY_ERROR
};
struct ledger_reply {
    enum ledger_answer kind;
    int32_t value;     /* VALUE; MATCH: the actual one */
    bool match;        /* MATCH */
    const char *error; /* ERROR: words for the JSON codec; static */
};

static inline struct ledger *ledger_of(struct env *e)
{
    return (struct ledger *)(void *)e;
}

static inline const struct ledger *ledger_of_const(const struct env *e)
{
    return (const struct ledger *)(const void *)e;
}

static inline int32_t ledger_wrap(int32_t value)
{
    return (value % LEDGER_VALUES + LEDGER_VALUES) % LEDGER_VALUES;
}

/* ledger.c */
extern const struct env_tool_spec ledger_tools[LEDGER_N_TOOLS];

/* ledger_state.c */
MUST_CHECK enum status ledger_alloc(const struct ledger_rules *rules, const struct env_params *p,
                                    struct ledger **out, struct error *err);
MUST_CHECK enum status ledger_create(const struct ledger_rules *rules, const struct env_params *p,
                                     struct env **out, struct error *err);
void ledger_free(struct env *e);
struct ledger_order ledger_order_at(uint64_t task_seed, int32_t step);
void ledger_apply(struct ledger *l, const struct env_call *c, struct ledger_reply *out,
                  struct env_effect *fx);

/* ledger_verify.c */
void ledger_end_step(struct ledger *l);
void ledger_verify(const struct env *e, struct env_verdict *out);
double ledger_ceiling(const struct ledger_rules *rules, const struct env_params *p);

/* ledger_fault.c */
enum ledger_fault_kind {
    LEDGER_NO_FAULT,
    LEDGER_LOST,
    LEDGER_WRONG_VALUE,
    LEDGER_WRONG_TARGET,
    LEDGER_TRANSIENT,
    LEDGER_ERROR_BUT_DONE
};
/* The kinds for --faults: the first ones, in their order. */
#define LEDGER_N_FAULTS 3
extern const char *const ledger_faults[LEDGER_N_FAULTS];
struct ledger_fault {
    enum ledger_fault_kind kind;
    uint32_t detail; /* random bits: which value, which account */
};
/* The rate of a fault in an order of this class. */
double ledger_rate(const struct ledger_rules *rules, double noise, bool risky);
struct ledger_fault ledger_write_fault(const struct ledger *l, int32_t try_index);
/* The value that a look at `key` shows; *struck: a fault of the profile changed it. */
int32_t ledger_read(const struct ledger *l, enum ledger_tool channel, int32_t key, bool *struck);

/* ledger_codec.c */
struct json *ledger_observe(struct env *e);
void ledger_observe_compact(struct env *e, struct str *out);
struct json *ledger_call(struct env *e, const struct env_call *c, struct env_effect *fx);
void ledger_call_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                         struct str *out);
void ledger_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out);
void ledger_render_call(const struct env_call *c, struct str *out);
/* The longest, "CHECKd66;", fits with its NUL; returns the length. Demonstrations and probes are
 * built from these. */
#define LEDGER_TEXT 16
size_t ledger_order_text(const struct ledger_rules *rules, struct ledger_order order,
                         char out[LEDGER_TEXT]);
/* The answer to an action. With a cue it repeats the class at its end, because the model decides
 * there whether to look. A small model has learned to ignore the class at a distance, where it did
 * not matter during supervised training, and reinforcement does not find it there. */
size_t ledger_ok_text(const struct ledger_rules *rules, struct ledger_order order,
                      char out[LEDGER_TEXT]);
/* l: the ledger whose order an ORDER reply shows; may be NULL for other kinds. */
size_t ledger_reply_text(const struct ledger *l, const struct ledger_reply *r,
                         char out[LEDGER_TEXT]);
size_t ledger_call_text(const struct env_call *c, char out[LEDGER_TEXT]);

/* ledger_expert.c: when a scripted policy checks its own write. */
struct ledger_policy {
    double share;   /* of the orders, spread evenly: 0 never, 1 always */
    bool by_class;  /* instead: only the risky ones */
    bool at_random; /* each order is drawn independently, as by a model without memory */
    bool counts;    /* keeps the calls that it needs to finish */
};
void ledger_policy_call(const struct ledger *l, const struct ledger_policy *p,
                        struct env_call *out);
void ledger_expert(const struct env *e, const char *how, struct env_call *out);
void ledger_make_call(enum ledger_tool tool, int32_t key, int32_t value, struct env_call *out);
#define LEDGER_N_EXPERTS 6
extern const char *const ledger_experts[LEDGER_N_EXPERTS]; /* the first two without a cue */
/* Tuned on training seeds by tests/unit/environments/test_ledger_cue_tuning.c at a horizon of
 * 100: the best shares for policies that ignore the class, with and without a count of calls. */
#define LEDGER_BLIND_SHARE 0.36
#define LEDGER_BLIND_LOOKS 0.20

/* ledger_demo.c, ledger_probe.c */
#define LEDGER_N_DEMO_KINDS 6
extern const char *const ledger_demo_kinds[LEDGER_N_DEMO_KINDS]; /* four without a cue */
int32_t ledger_demo(const struct ledger_rules *rules, const struct env_demo_spec *spec,
                    struct env_piece *out, int32_t max);
/* Every sum; every pair of a written and another shown value; every pair of equal ones. */
#define LEDGER_N_SUMS       (LEDGER_VALUES * 2 * LEDGER_MAX_AMOUNT)
#define LEDGER_N_MISMATCHES (LEDGER_VALUES * (LEDGER_VALUES - 1))
#define LEDGER_N_PROBES     (LEDGER_N_SUMS + LEDGER_N_MISMATCHES + LEDGER_VALUES)
void ledger_probe(const struct ledger_rules *rules, int32_t i, struct env_probe *out);

/* ledger_snapshot.c */
void ledger_snapshot(const struct env *e, struct str *out);
bool ledger_anchor(const struct env *e, uint8_t hash[16]);
MUST_CHECK enum status ledger_restore(const struct ledger_rules *rules, const void *bytes, size_t n,
                                      struct env **out, struct error *err);

#define LEDGER_INSTRUCTIONS                                                                        \
    "You keep a ledger of eight accounts, a to h, each holding a value from 0 to 99. Orders come " \
    "one at a time: an account, \"+\" or \"-\", and an amount. For each order read the account "   \
    "with get, add or subtract the amount (sums wrap around: 99 + 2 is 1, 1 - 3 is 98), write "    \
    "the new value with set, then call next for the following order. A write can go wrong "        \
    "although it was answered ok: nothing written, a wrong value written, or another account "     \
    "overwritten. undo puts all accounts back to the start of the current order; afterwards the "  \
    "order can be carried out again. "
#define LEDGER_CLOSING                                                                             \
    "Only the final state of all accounts counts. Make one tool call at a time and stop when "     \
    "next answers {\"done\": true}."

/* What the tables of operations have in common. An order (at most 6 tokens) and ten of the longest
 * calls, one "CHECKd66;>YES66|" each, make a context. */
/* Of rules without a cue. */
#define LEDGER_CEILING_RULE "(1-p)^H; each order needs a write without a fault"

#define LEDGER_SHARED_OPS                                                                          \
    .faults = ledger_faults, .n_faults = LEDGER_N_FAULTS, .tools = ledger_tools,                   \
    .n_tools = LEDGER_N_TOOLS, .max_calls_per_step = LEDGER_MAX_CALLS,                             \
    .max_context_tokens = 6 + 10 * LEDGER_MAX_CALLS, .max_reply_tokens = 5, .free = ledger_free,   \
    .observe = ledger_observe, .observe_compact = ledger_observe_compact, .call = ledger_call,     \
    .parse_compact = ledger_parse_compact, .call_compact = ledger_call_compact,                    \
    .verify = ledger_verify, .step_right = env_step_right, .steps_done = env_steps_done,           \
    .calls_made = env_calls_made, .anchor = ledger_anchor, .expert = ledger_expert,                \
    .experts = ledger_experts, .demo_kinds = ledger_demo_kinds, .n_probes = LEDGER_N_PROBES,       \
    .snapshot = ledger_snapshot, .render_call = ledger_render_call, .compact_stop = ";"

#endif
