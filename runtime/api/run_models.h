/* run_models.h - chooses the model of each agent, and checks that a resumed run gets the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_RUN_MODELS_H
#define TROUPE_RUNTIME_API_RUN_MODELS_H

#include "blueprints/plan.h"
#include "models/model.h"

struct troupe;
struct run_models;

struct troupe_run_options;
/* o->model: "M" or "NAME=M" (troupe.h); lent. */
struct run_models *run_models_new(struct troupe *t, const struct troupe_run_options *o);
void run_models_free(struct run_models *m);
/* From here on models are compared with the record, whose configuration is lent. With `others`
 * other weights are allowed (a fork). */
void run_models_recorded(struct run_models *m, const struct json *config, bool others);

/* STATUS_USAGE if a NAME is neither an agent, a role nor a key of `models`, here or in a
 * blueprint below. */
MUST_CHECK enum status run_models_check(const struct run_models *m, const struct plan *p,
                                        struct error *err);
/* Opens the model of an agent; lent. STATUS_CONFIG: its weights are not those of the record; the
 * message names both. */
MUST_CHECK enum status run_models_open(struct run_models *m, const struct plan *p,
                                       const struct plan_agent *a, struct model **out,
                                       struct error *err);
/* Are the secrets of the agent's model, which is open, there? STATUS_CONFIG: the message has their
 * place. A replay does not need them. */
MUST_CHECK enum status run_models_ready(const struct run_models *m, const struct plan *p,
                                        const struct plan_agent *a, const struct model *model,
                                        struct error *err);
/* Does the agent, whose model is open, have another model than the recorded one? */
bool run_models_differ(const struct run_models *m, const struct plan *p,
                       const struct plan_agent *a);
/* The first model that was opened, or NULL. */
const struct model *run_models_first(const struct run_models *m);
/* For the record: "model" (of the first agent), "models" (the given ones) and "weights" (of all
 * that were opened), every path absolute. */
void run_models_describe(const struct run_models *m, const struct plan *p, struct json *config);

/* The "=" of NAME=M, or NULL: `given` is a model for all. */
const char *model_role_end(const char *given);
/* weights[name] = SHA-256 of the contents of the model. */
void note_weights(struct json *weights, const char *name, const struct model *m);
/* STATUS_CONFIG if `is` (opened as m) is not the recorded model `was`, whose SHA-256 is was_hex
 * (NULL: not recorded). The message names both. */
MUST_CHECK enum status check_same_weights(const char *was, const char *was_hex, const char *is,
                                          const struct model *m, struct error *err);

#endif
