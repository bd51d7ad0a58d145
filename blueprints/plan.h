/* plan.h - a blueprint, loaded and checked, for runner.h to run.
 *
 * The language: README.md here. blueprint_load reads the file (and what it names by file://),
 * refuses unknown keys, unknown names and ill-typed values with file, line, column, caret and the
 * nearest key, and gives an immutable plan. Steps run in the order of the file; only `parallel` and
 * `map` run things at once. Ids are the keys, never generated.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_PLAN_H
#define TROUPE_BLUEPRINTS_PLAN_H

#include "blueprints/expr.h"
#include "runtime/base/yaml.h"
#include "runtime/store/journal.h"
#include "tools/environments/environment.h"
#include "tools/registry.h"

#define PLAN_MAX_SUB_DEPTH 8 /* blueprints within blueprints */
#define PLAN_MAX_ITEMS     100000
#define PLAN_MAX_ROUNDS    10000
#define PLAN_MAX_PARALLEL  4096

enum plan_kind {
#define KIND(id, word, keys) PLAN_##id,
#include "blueprints/kinds.def"
#undef KIND
    PLAN_N_KINDS
};
const char *plan_kind_name(enum plan_kind k); /* "agent", as in the file */

/* Any value of the file whose strings may contain ${...}. */
struct plan_value;
/* New reference. A fault names its place in the file, with the caret under it. The value is at
 * most JSON_MAX_BYTES long and JSON_MAX_DEPTH deep. */
MUST_CHECK enum status plan_value_eval(const struct plan_value *v, const struct json *vars,
                                       struct json **out, struct error *err);

/* The error of a condition whose value has this type (enum jv_kind): STATUS_INVALID at its place.
 */
enum status plan_value_not_bool(const struct plan_value *v, const char *what, int type,
                                struct error *err);

/* The constant value, lent; NULL if it contains an expression. */
const struct json *plan_value_constant(const struct plan_value *v);

/* The bounds of plan_value_eval, for values from elsewhere. */
bool plan_value_fits(const struct json *v);

struct plan_budget {
    int64_t tokens, steps, calls, wall_ms, cost_nano; /* 0: none; cost in 1e-9 dollars */
};
struct plan_retry {
    int32_t max;    /* tries after the first */
    double backoff; /* factor; first wait 500 ms, at most 60 s */
};

struct plan_input {
    const char *name, *type; /* string, integer, number, boolean, array, object */
    bool required;
    struct json *otherwise; /* default or NULL */
    const char *description;
};
struct plan_agent {
    const char *name, *role, *model, *prompt; /* model: a key of `models`, or a model's name */
    const char *const *tools;
    int32_t n_tools;
    struct plan_budget budget;
    double temperature; /* below 0: the default of the model (greedy 0 unless set) */
    int32_t max_tokens;
    const struct yaml_node *node; /* for messages */
};
struct plan_step {
    const char *id;
    enum plan_kind kind;
    int line, column;
    struct plan_value *in; /* NULL: none */
    const char *agent, *tool, *blueprint;
    struct plan_value *history; /* agent: earlier messages, or NULL */
    /* agent with an environment; a NULL value: the default */
    const struct env_ops *env;
    struct plan_value *env_horizon, *env_noise, *env_seed, *env_profile;
    /* human */
    struct plan_value *prompt;
    struct json *options;    /* array or NULL: any answer */
    struct json *reject;     /* array: the answers that end the step `rejected` */
    struct json *on_timeout; /* answer by default, or NULL: the step ends `timeout` */
    /* map, loop, if */
    struct plan_value *over;  /* map: the list, or how many */
    struct plan_value *until; /* loop: ends when true, checked after each round; NULL: by max */
    struct plan_value *cond;  /* if */
    int32_t max_rounds, max_parallel;
    struct plan_step
        *child; /* body of map and loop (one), of do and if (then), branches of parallel */
    int32_t n_children;
    struct plan_step *otherwise; /* else of if */
    int32_t n_otherwise;
    bool fail_at_max;         /* loop: an `until` that never held is an error */
    struct plan_value *value; /* PLAN_VALUE: computed */
    struct plan_value *wait;  /* PLAN_WAIT: how long, or until when */
    bool wait_is_for;
    struct plan *sub;    /* PLAN_BLUEPRINT */
    struct json *schema; /* the answer must fit */
    bool talks;          /* agent: it asks for the next message after each answer */
    bool may_be_cut;     /* agent: an answer that max_tokens cut is accepted */
    struct plan_retry retry;
    struct plan_budget budget;
    int64_t
        timeout_ms; /* 0: none; of a human step: until its deadline (7 days unless the file says) */
    int effect;     /* enum effect, or -1: the tool's */
    const char *on_error;         /* "fail" (default), "continue" */
    const struct yaml_node *node; /* for messages; lent by plan->yaml */
};

struct plan {
    const char *name, *file;
    const char *folder; /* absolute: paths in the file are relative to it; NULL: the working
                         * folder (a run begun by 0.1) */
    struct plan_input *input;
    int32_t n_inputs;
    struct json *models; /* object: key -> model name */
    struct plan_agent *agent;
    int32_t n_agents;
    struct plan_budget budget;
    struct plan_step *step;
    int32_t n_steps;
    struct plan_value *output; /* NULL: the last step's */
    struct sha256 hash;        /* of the text and of all files that it includes */
    struct json *effective; /* the whole configuration, stored with each run; NULL in a sub-plan */

    /* Private. */
    struct yaml *yaml; /* for messages */
    struct arena *arena;
    struct plan_value *values; /* all, for freeing */
    struct json *keep;         /* an array that owns the JSON of steps and inputs */
};

MUST_CHECK enum status blueprint_load(const char *path, struct plan **out, struct error *err);
/* From a text that is in no file, as if it were the file `name` of `folder` (absolute). */
MUST_CHECK enum status blueprint_from_text(const char *name, const char *text, const char *folder,
                                           struct plan **out, struct error *err);
/* From the effective configuration stored with a run (resume): exactly the same blueprint. */
MUST_CHECK enum status blueprint_from_effective(const struct json *effective, struct plan **out,
                                                struct error *err);
void plan_free(struct plan *p);

/* Checks that depend on where the blueprint runs. */
struct plan_check {
    const struct tool_registry *tools; /* NULL: tools are not checked */
    bool unattended;                   /* every question needs a default */
    bool
        resumed; /* some steps have run: errors that a step would find by itself are not reported */
    /* Can this model run the agent, in an environment or without one? NULL: models are not
     * checked. */
    enum status (*model)(void *ctx, const struct plan *p, const struct plan_agent *a, bool in_env,
                         struct error *err);
    void *ctx;
};
MUST_CHECK enum status blueprint_check(const struct plan *p, const struct plan_check *c,
                                       struct error *err);

/* Is the price of the agent's model known, so that a budget with `cost` can limit it? */
typedef bool plan_has_price(void *ctx, const struct plan *p, const struct plan_agent *a);
/* STATUS_CONFIG at the `cost` of a budget that limits an agent whose model has no price. */
MUST_CHECK enum status plan_check_cost(const struct plan *p, plan_has_price *has_price, void *ctx,
                                       struct error *err);

/* The error of a model that cannot be opened, at the agent's `model`: STATUS_CONFIG. One that is
 * not about the model (memory, a signal) is unchanged. */
enum status plan_model_fault(const struct plan *p, const struct plan_agent *a,
                             const struct error *fault, struct error *err);

/* Of a step's `env`: does its key ("horizon", "noise", "seed", "profile") take this value? null is
 * its default. STATUS_INVALID says what it takes. */
MUST_CHECK enum status plan_env_check(const char *key, const struct json *v, struct error *err);
/* Of a step `wait`: a duration with its unit in milliseconds, or a time of RFC 3339 in
 * milliseconds since the epoch. STATUS_INVALID says what it takes. */
MUST_CHECK enum status plan_wait_ms(bool is_for, const struct json *v, int64_t *out,
                                    struct error *err);

/* The effect of a step: the declared one, else the strongest of the steps inside it. */
enum effect plan_step_effect(const struct plan *p, const struct plan_step *s,
                             const struct tool_registry *tools);

/* Does its result depend only on values of the run? Then every attempt gives the same result. */
bool plan_step_is_computed(const struct plan_step *s);

/* Checks the given inputs against the declarations and adds defaults: a new object. STATUS_USAGE
 * names the input. */
MUST_CHECK enum status plan_inputs(const struct plan *p, const struct json *given,
                                   struct json **out, struct error *err);
/* "NAME=VALUE" (--var), by the input's declared type, into `inputs`. */
MUST_CHECK enum status plan_input_assign(const struct plan *p, const char *text,
                                         struct json *inputs, struct error *err);
/* The name of the model of an agent, looked up in `models`. */
const char *plan_agent_model(const struct plan *p, const struct plan_agent *a);
const struct plan_agent *plan_agent_find(const struct plan *p, const char *name); /* or NULL */

#endif
