/* jinja_eval.h - one rendering: what statements, expressions and builtins share.
 *
 * The first fault is kept in `st`; after it every evaluation returns undefined at
 * once and nothing more is written. Steps, time, memory, depth and output are
 * bounded here, since templates come with model files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_EVAL_H
#define TROUPE_MODELS_CHAT_JINJA_EVAL_H

#include "models/chat/chat_template.h"
#include "models/chat/jinja_ast.h"
#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_value.h"

struct jinja_binding {
    struct jinja_text name;
    struct jinja_value value;
};
struct jinja_scope {
    struct jinja_scope *parent;
    struct jinja_binding *binding;
    size_t n, cap;
};

struct jinja_macro {
    const struct jinja_node *node;
    struct jinja_scope *scope; /* where it was defined */
};

enum jinja_flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct jinja_run {
    struct jinja_memory memory;
    const char *name; /* of the template */
    struct error *err;
    enum status st;
    int32_t line;
    int32_t depth;
    int64_t steps, started_us;
    enum jinja_flow flow;
    struct jinja_scope *scope;
    struct str *out;          /* where output goes now: the caller's, or a macro's */
    struct str *main;         /* the caller's */
    struct chat_spans *spans; /* NULL: nobody asks */
    int64_t now_ms;
};

/* Keeps the first fault, with the place. */
void jinja_fail(struct jinja_run *run, enum status st, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Counts work; false once anything has failed or a limit is passed. */
bool jinja_spend(struct jinja_run *run, size_t steps);
bool jinja_go_down(struct jinja_run *run); /* one level of recursion; pairs with jinja_go_up */
void jinja_go_up(struct jinja_run *run);

struct jinja_value jinja_eval(struct jinja_run *run, const struct jinja_node *n);
void jinja_exec(struct jinja_run *run, const struct jinja_node *n);

struct jinja_scope *jinja_scope_new(struct jinja_run *run, struct jinja_scope *parent);
void jinja_bind(struct jinja_run *run, struct jinja_scope *scope, struct jinja_text name,
                struct jinja_value v);

/* Runs a body with its output caught. */
struct jinja_value jinja_capture(struct jinja_run *run, const struct jinja_node *body);
struct jinja_value jinja_call(struct jinja_run *run, const struct jinja_value *callee,
                              const struct jinja_args *args);

/* obj.name and obj[key]; undefined when there is none. */
struct jinja_value jinja_attribute(struct jinja_run *run, const struct jinja_value *obj,
                                   struct jinja_text name);
struct jinja_value jinja_subscript(struct jinja_run *run, const struct jinja_value *obj,
                                   const struct jinja_value *key);
struct jinja_value jinja_slice(struct jinja_run *run, const struct jinja_value *obj,
                               const struct jinja_value part[3]);
struct jinja_value jinja_binary(struct jinja_run *run, enum jinja_op op,
                                const struct jinja_value *a, const struct jinja_value *b);
bool jinja_compare(struct jinja_run *run, enum jinja_op op, const struct jinja_value *a,
                   const struct jinja_value *b);
/* What a loop runs over, as a list; NULL after a fault. */
const struct jinja_list *jinja_items(struct jinja_run *run, const struct jinja_value *v);

/* A text that was built, as a value; s is emptied. A fault when it did not fit. */
struct jinja_value jinja_take_text(struct jinja_run *run, struct str *s);
struct jinja_value jinja_to_text(struct jinja_run *run, const struct jinja_value *v); /* str(v) */
struct jinja_value jinja_from_json(struct jinja_run *run, const struct json *j);

#endif
