/* runner_root.h - the frame of the run itself: the blueprint's steps, then its output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_RUNNER_ROOT_H
#define TROUPE_BLUEPRINTS_RUNNER_ROOT_H

#include "blueprints/run_budget.h"

/* The caller's, until frame_free_tree; its ops->begin begins the blueprint's steps. */
struct frame *runner_root_new(struct frame_host *h, const struct plan *plan,
                              const struct json *inputs);

#endif
