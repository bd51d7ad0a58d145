/* jinja_compare.h - equality, order and "in", as Python has them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_COMPARE_H
#define TROUPE_MODELS_CHAT_JINJA_COMPARE_H

#include "models/chat/jinja_ast.h"
#include "models/chat/jinja_run.h"

/* OP_EQ to OP_NOT_IN. */
bool jinja_compare(struct jinja_run *run, enum jinja_op op, const struct jinja_value *a,
                   const struct jinja_value *b);
/* Sets the error of an operator that does not support a and b; returns undefined. */
struct jinja_value jinja_type_fault(struct jinja_run *run, const char *op,
                                    const struct jinja_value *a, const struct jinja_value *b);

#endif
