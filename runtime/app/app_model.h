/* app_model.h - models as the command line names them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MODEL_H
#define TROUPE_RUNTIME_APP_APP_MODEL_H

#include "runtime/api/model_set.h"
#include "runtime/app/app.h"

/* The options of this invocation for opening models. */
struct model_options app_model_options(const struct app *a);
/* The remote models of the configuration files. The caller's. */
MUST_CHECK enum status app_remote_specs(const struct options *o, struct remote_specs **out,
                                        struct error *err);
/* STATUS_UNSUPPORTED: `name` is a remote model. */
MUST_CHECK enum status app_model_is_here(const struct app *a, const char *name, struct error *err);
/* Opens `name`, a model of this process, or finds it open, with the invocation's options. Lent. */
MUST_CHECK enum status app_model(struct app *a, const char *name, struct model **out,
                                 struct error *err);
/* Engine options from the invocation; `folder` is set to the folder of the model. */
MUST_CHECK enum status app_engine_options(struct app *a, const char *name, char folder[1024],
                                          struct engine_options *out, struct error *err);
/* STATUS_USAGE for --model NAME=M, which is for blueprints. main asks this for commands that take
 * --model M. */
MUST_CHECK enum status app_model_is_one(const struct app *a, struct error *err);
/* --model without a role, or `otherwise`. */
const char *app_model_name(const struct app *a, const char *role, const char *otherwise);

#endif
