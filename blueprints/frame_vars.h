/* frame_vars.h - the names that a step's expressions see.
 *
 * One JSON object for each scope: inputs, state (how each step ended), exhausted (whether a loop
 * reached `max` while its `until` never held), the steps above, item, index, round. A frame that
 * binds names has a copy for its children, which is shallow: values are shared.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_FRAME_VARS_H
#define TROUPE_BLUEPRINTS_FRAME_VARS_H

#include "blueprints/frame.h"

struct json *vars_new(const struct json *inputs);
struct json *vars_copy(const struct json *vars);
/* From here on f may bind names, which its children see. Each attempt opens a new scope. */
void frame_open_scope(struct frame *f);
void frame_bind(struct frame *f, const char *name, struct json *adopt_value);
/* The value of an ended child and how it ended. */
void frame_bind_child(struct frame *f, const char *name, const struct frame *child);
/* v NULL: null. */
MUST_CHECK enum status vars_eval(const struct json *vars, const struct plan_value *v,
                                 struct json **out, struct error *err);
MUST_CHECK enum status vars_eval_bool(const struct json *vars, const struct plan_value *v,
                                      const char *what, bool *out, struct error *err);

#endif
