/* episode_json.h - an episode as JSON: output of `show`, input of `env verify`.
 *
 * {"env", "task_seed", "fault_seed", "horizon", "noise", "profile", "faults", "ablation",
 *  "calls": [{"name", "arguments"}, ...], "verdict"}
 * Seeds are integers, or text if they are above 2^63-1.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_EPISODE_JSON_H
#define TROUPE_RUNTIME_API_EPISODE_JSON_H

#include "runtime/base/json.h"
#include "tools/environments/environment.h"

/* New; "calls" is empty. */
struct json *episode_json(const struct env_ops *env, const struct env_params *p);
/* The parameters of an episode of `env`. task_seed, horizon and calls (a list of calls) are
 * required; the rest has defaults. STATUS_INVALID: the message names the member. */
MUST_CHECK enum status episode_json_read(const struct env_ops *env, const struct json *episode,
                                         struct env_params *out, struct error *err);

#endif
