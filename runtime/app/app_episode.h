/* app_episode.h - an episode as JSON: what `show` gives and `env verify` takes.
 *
 * {"env", "task_seed", "fault_seed", "horizon", "noise", "profile", "faults", "ablation",
 *  "calls": [{"name", "arguments"}, ...], "verdict"}
 * Seeds are whole numbers, or text where they pass 2^63-1.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_EPISODE_H
#define TROUPE_RUNTIME_APP_APP_EPISODE_H

#include "runtime/base/json.h"
#include "tools/environments/environment.h"

/* New; "calls" is empty. */
struct json *app_episode_json(const struct env_ops *env, const struct env_params *p);
/* The parameters of an episode of `env`. Needed are task_seed, horizon and calls, which is checked
 * to be a list of calls; the rest has defaults. STATUS_INVALID names the member. */
MUST_CHECK enum status app_episode_read(const struct env_ops *env, const struct json *episode,
                                        struct env_params *out, struct error *err);

#endif
