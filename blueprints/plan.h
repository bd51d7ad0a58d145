/* plan.h - a blueprint, read and checked: what runner.h executes.
 *
 * The language: README.md here. blueprint_load reads the file (and what it names by file://),
 * refuses unknown keys, unknown names and ill-typed values with file, line, column, caret and the
 * nearest key, and gives an immutable plan. Steps run in the order of the file; only `parallel` and
 * `map` run things at once. Ids are the keys, never generated.
 */
#ifndef TROUPE_BLUEPRINTS_PLAN_H
#define TROUPE_BLUEPRINTS_PLAN_H

#include "blueprints/expr.h"
#include "runtime/base/yaml.h"
#include "runtime/store/journal.h"
#include "tools/environments/environment.h"

enum plan_kind { PLAN_AGENT, PLAN_TOOL, PLAN_HUMAN, PLAN_MAP, PLAN_LOOP, PLAN_IF, PLAN_PARALLEL,
                 PLAN_BLUEPRINT, PLAN_VALUE };
const char *plan_kind_name(enum plan_kind k);

/* Any value of the file whose strings may hold ${...}. */
struct plan_value;
MUST_CHECK enum status plan_value_eval(const struct plan_value *v, const struct json *vars,
                                       struct json **out, struct error *err);

struct plan_budget {
    int64_t tokens, steps, calls, wall_ms; /* 0: none */
};
struct plan_retry {
    int32_t max; /* tries after the first */
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
};
struct plan_step {
    const char *id;
    enum plan_kind kind;
    int line, column;
    struct plan_value *in; /* NULL: none */
    const char *agent, *tool, *blueprint;
    /* agent with an environment */
    const struct env_ops *env;
    struct plan_value *env_horizon, *env_noise, *env_seed, *env_profile;
    /* human */
    struct plan_value *prompt;
    struct json *options; /* array or NULL */
    struct json *on_timeout; /* answer by default, or NULL: the step ends `timeout` */
    /* map, loop, if */
    struct plan_value *over;   /* map: the list */
    struct plan_value *until;  /* loop: ends when true, checked after each round */
    struct plan_value *cond;   /* if */
    int32_t max_rounds, max_parallel;
    struct plan_step *child; /* body of map, loop, if (then) and parallel (branches) */
    int32_t n_children;
    struct plan_step *otherwise; /* else of if */
    int32_t n_otherwise;
    struct plan_value *value; /* PLAN_VALUE: computed */
    struct plan *sub;         /* PLAN_BLUEPRINT */
    struct json *schema;      /* the answer must fit */
    struct plan_retry retry;
    struct plan_budget budget;
    int64_t timeout_ms;
    int effect;          /* enum effect, or -1: the tool's */
    const char *on_error; /* "fail" (default), "continue" */
};

struct plan {
    const char *name, *file;
    struct plan_input *input;
    int32_t n_inputs;
    struct json *models; /* object: key -> model name */
    struct plan_agent *agent;
    int32_t n_agents;
    struct plan_budget budget;
    struct plan_step *step;
    int32_t n_steps;
    struct plan_value *output; /* NULL: the last step's */
    struct sha256 hash;        /* of the text and of all that it names */
    struct json *effective;    /* the whole configuration, stored with each run */
};

MUST_CHECK enum status blueprint_load(const char *path, struct plan **out, struct error *err);
/* From the stored effective configuration of a run (resume): exactly what ran before. */
MUST_CHECK enum status blueprint_from_effective(const struct json *effective, struct plan **out,
                                                struct error *err);
void plan_free(struct plan *p);

#endif
