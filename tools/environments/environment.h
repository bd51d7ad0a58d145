/* environment.h - a seeded world with its tools, its verifier and its expert.
 *
 * An environment runs in process and is single-threaded: each instance belongs to one thread at a
 * time. Equal parameters, seeds and calls give equal results, so a resume replays the recorded
 * calls. Faults are exogenous: a counter-based generator keyed by (fault seed, step, try, channel).
 * Nothing that only the verifier knows reaches a prompt.
 *
 * Environments are listed in environments.def; reference: "OffCourse" (README.md here).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENVIRONMENT_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENVIRONMENT_H

#include "runtime/base/effect.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"

enum env_profile { ENV_STD, ENV_HARD };
enum env_ablation {
    ENV_ABLATE_NONE,
    ENV_ABLATE_MASK,   /* no corrections: no undo, no second write */
    ENV_ABLATE_MUTE,   /* looks after a write return "muted" */
    ENV_ABLATE_ECHO,   /* they return the requested value, not the true one */
    ENV_ABLATE_ALARM,  /* half of the looks at a right value show a wrong one */
    ENV_ABLATE_UNDO,   /* no undo tool; writing again is still possible */
    ENV_ABLATE_BUDGET, /* no budget of calls for the episode; the cap of a step stays */
    ENV_ABLATIONS
};
const char *env_ablation_name(enum env_ablation a); /* "none" ... */

/* What profile `hard` does to the ceiling, in words. */
#define ENV_HARD_CEILING_RULE "times 0.99 for the first read of an order, a search or a move"

struct env_params {
    int32_t horizon; /* steps to do: 1 .. 100000 */
    /* p, the rate of a fault; below 0: the environment's default. If a cue marks risky steps, it is
     * the rate in those, and the rate in safe steps keeps its proportion. */
    double noise;
    enum env_profile profile;
    enum env_ablation ablation;
    /* Bit k: faults of kind k of env_ops.faults happen; 0: all kinds. The selected kinds share the
     * whole rate p, so that the ceiling does not change. */
    uint32_t faults;
    uint64_t task_seed;
    uint64_t fault_seed;
};

struct env; /* one instance */

/* One call as both codecs know it. Names point into the environment's static tables. */
#define ENV_MAX_ARGS 4
struct env_value {
    bool is_text;
    int64_t number;
    char text[24];
};
struct env_tool_spec {
    const char *name, *description;
    const char *input_schema; /* JSON text */
    const char *output_schema;
    enum effect effect; /* environment tools declare none */
    int32_t n_args;
    const char *arg[ENV_MAX_ARGS]; /* in the order of the compact form */
};
struct env_call {
    int32_t tool; /* index into tools[]; -1: nothing that the codec can read */
    struct env_value arg[ENV_MAX_ARGS];
};

/* The effects of a call, besides its result. */
struct env_effect {
    bool done;          /* the episode is over */
    bool step_boundary; /* a new step began: the rolling context restarts here */
    bool ok;            /* the call was valid */
};

struct env_verdict {
    bool success;
    int32_t steps;
#define COUNTER(name) int32_t name;
#include "tools/environments/counters.def"
#undef COUNTER
    bool capped;      /* a step exceeded its cap on calls */
    bool over_budget; /* the episode exceeded its budget of calls; every call returns an error */
};
struct json *env_verdict_json(const struct env_verdict *v);

/* A demonstration is a list of pieces: text of the environment (not trained) and of the expert
 * (trained unless masked). It is in the compact codec; JSON codec pieces are made from calls. */
struct env_piece {
    char text[64];
    bool expert;
    bool masked; /* expert text that is not trained (the decision to look) */
};
struct env_demo_spec {
    uint64_t seed;    /* of the whole set */
    uint64_t index;   /* of this demonstration */
    double progress;  /* 0 .. 1, of the training, for curricula */
    const char *kind; /* NULL: the default mixture; else one of demo_kinds */
};
/* Fills in up to max pieces and returns their number. A call may be two pieces, so that only its
 * first token is masked. No demonstration has more than ENV_MAX_PIECES. */
#define ENV_MAX_PIECES 64
typedef int32_t (*env_demo_fn)(const struct env_demo_spec *spec, struct env_piece *out,
                               int32_t max);

/* One question of the skill probe: a model with the skill continues `prompt` (compact text) with
 * `expected`. Categories: "sum", "mismatch", "match" and others. */
struct env_probe {
    char prompt[192], expected[16];
    const char *category;
};

struct env_ops {
    const char *name;    /* "ledger" */
    const char *summary; /* one line */
    double default_noise;
    const char *const *faults; /* names of the kinds for --faults; at most 16 */
    int32_t n_faults;
    const struct env_tool_spec *tools;
    int32_t n_tools;
    int32_t max_calls_per_step; /* the cap; one more call fails the episode */
    bool has_budget;            /* calls are also limited over the whole episode */
    int32_t max_context_tokens; /* of a step in the compact codec */
    int32_t max_reply_tokens;
    const char *instructions; /* the system text of the JSON codec */

    MUST_CHECK enum status (*create)(const struct env_params *p, struct env **out,
                                     struct error *err);
    void (*free)(struct env *e);
    /* The first observation: new JSON; the compact form appends text to `out`. */
    struct json *(*observe)(struct env *e);
    void (*observe_compact)(struct env *e, struct str *out);

    /* JSON codec: returns a new result. Arguments were checked against the schema. */
    struct json *(*call)(struct env *e, const struct env_call *c, struct env_effect *fx);
    /* Compact codec: reads one call from the model's text (up to the terminator), and writes the
     * result's text. Any other text is a call with tool -1: it counts, and its result is ERR. */
    void (*parse_compact)(const struct env *e, const char *text, size_t n, struct env_call *out);
    void (*call_compact)(struct env *e, const struct env_call *c, struct env_effect *fx,
                         struct str *out);

    void (*verify)(const struct env *e, struct env_verdict *out);
    /* The verdict on step i alone, for the trainer. */
    bool (*step_right)(const struct env *e, int32_t step);
    int32_t (*steps_done)(const struct env *e);
    int32_t (*calls_made)(const struct env *e); /* of the whole episode, refused ones included */
    /* A fingerprint for anchors: equal for two instances of one task at the same step, in the same
     * true state, that have shown the same of it. Counters (calls, faults, right steps) are not
     * part of it. False: the episode is over. */
    bool (*anchor)(const struct env *e, uint8_t hash[16]);
    /* The highest success rate of a policy that never looks. Exact for the task of p->task_seed; if
     * the risk depends on the task, a table shows the mean over its episodes. */
    double (*ceiling)(const struct env_params *p);
    /* The same in words, for profile `std`: a formula in p and H, or what the chance is. */
    const char *ceiling_rule;

    /* The scripted expert's next call in this state. how: one of `experts`; the first is "plain"
     * (never looks) and the second "check" (always looks). An unknown name is "plain". */
    void (*expert)(const struct env *e, const char *how, struct env_call *out);
    const char *const *experts;
    int32_t n_experts;
    const char *const *demo_kinds;
    int32_t n_demo_kinds;
    env_demo_fn demo;
    int32_t n_probes;
    void (*probe)(int32_t i, struct env_probe *out);

    /* Appends the whole state as bytes; restore makes an equal instance. */
    void (*snapshot)(const struct env *e, struct str *out);
    MUST_CHECK enum status (*restore)(const void *bytes, size_t n, struct env **out,
                                      struct error *err);
    /* Text of a call in the compact codec, terminator included ("SET e25;"). */
    void (*render_call)(const struct env_call *c, struct str *out);
    const char *compact_stop; /* the terminator, one token of the embedded vocabulary: ";" */
};

/* NULL: no such environment. */
const struct env_ops *env_find(const char *name);
const struct env_ops *env_at(int32_t i); /* NULL past the end */

/* JSON arguments <-> call, by the specs and their schemas. An error names the field and sets
 * out->tool to -1, so that the call can still be passed to call(), where it counts. */
MUST_CHECK enum status env_call_from_json(const struct env_ops *ops, const char *tool,
                                          const struct json *arguments, struct env_call *out,
                                          struct error *err);
struct json *env_call_arguments(const struct env_ops *ops, const struct env_call *c);

/* STATUS_USAGE unless the environment has an expert of this name. */
MUST_CHECK enum status env_check_expert(const struct env_ops *e, const char *name,
                                        struct error *err);

/* "lost,target" as bits; "all", or all kinds, is 0. The STATUS_USAGE error lists the kinds. */
MUST_CHECK enum status env_faults_of(const struct env_ops *ops, const char *words, uint32_t *out,
                                     struct error *err);
/* The names of a mask, in the table's order: "all" for 0. */
void env_faults_text(const struct env_ops *ops, uint32_t faults, struct str *out);

/* Seeds: training below 2^20, validation below 2^21, reported results from there on. */
#define ENV_SEED_VALIDATION ((uint64_t)1 << 20)
#define ENV_SEED_REPORTED   ((uint64_t)1 << 21)
/* The fault seed of a task seed: equal tasks get equal faults under every policy. */
uint64_t env_fault_seed(uint64_t task_seed);

/* Words of the compact codec that are one token each in the embedded vocabulary, all environments
 * together, in the order of their ids from 256 on (environments/vocabulary.def). */
const char *env_vocabulary_word(int32_t i); /* NULL past the end */

#endif
