/* app_env.h - options of environments, read the same way by every command.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_ENV_H
#define TROUPE_RUNTIME_APP_APP_ENV_H

#include "runtime/app/app.h"
#include "tools/environments/environment.h"

/* The environment by name, or NULL with an error that names the nearest one. */
const struct env_ops *app_env(const char *name, struct error *err);
/* --horizon as numbers, in the given order. */
MUST_CHECK enum status app_horizons(const struct app *a, int32_t *out, int32_t max, int32_t *n,
                                    struct error *err);
double app_noise(const struct app *a); /* -1: the default of the environment */
enum env_profile app_profile(const struct app *a);
enum env_ablation app_ablation(const struct app *a);

#endif
