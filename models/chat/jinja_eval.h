/* jinja_eval.h - shared by statements and expressions: scopes, macros, evaluation.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_EVAL_H
#define TROUPE_MODELS_CHAT_JINJA_EVAL_H

#include "models/chat/jinja_ast.h"
#include "models/chat/jinja_run.h"

struct jinja_binding {
    struct jinja_text name;
    struct jinja_value value;
};
struct jinja_scope {
    struct jinja_scope *parent;
    struct jinja_binding *binding;
    size_t n, cap;
    bool kept; /* a macro defined in it or below it may read it later */
};

struct jinja_macro {
    const struct jinja_node *node;
    struct jinja_scope *scope; /* where it was defined */
};

struct jinja_value jinja_eval(struct jinja_run *run, const struct jinja_node *n);
void jinja_exec(struct jinja_run *run, const struct jinja_node *n);

struct jinja_scope *jinja_scope_new(struct jinja_run *run, struct jinja_scope *parent);
void jinja_bind(struct jinja_run *run, struct jinja_scope *scope, struct jinja_text name,
                struct jinja_value v);

struct jinja_value jinja_call(struct jinja_run *run, const struct jinja_value *callee,
                              const struct jinja_args *args);

#endif
