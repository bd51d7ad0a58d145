/* jinja_ops.h - arithmetic, and + on texts and lists.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_OPS_H
#define TROUPE_MODELS_CHAT_JINJA_OPS_H

#include "models/chat/jinja_ast.h"
#include "models/chat/jinja_run.h"

/* OP_ADD to OP_CONCAT. */
struct jinja_value jinja_binary(struct jinja_run *run, enum jinja_op op,
                                const struct jinja_value *a, const struct jinja_value *b);

#endif
