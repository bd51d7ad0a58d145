/* expr.h - the CEL subset of blueprints: conditions and values without side effects.
 *
 * Literals (null, bool, int, double, 'string', lists, maps), field access and index, comparison,
 * && || !, + - * / %, `in`, `? :`, has(x.y), and the functions of functions.def (a.f(b) is f(a,
 * b)). No loops, no I/O; at most 4 KiB of text, depth 32 and 10,000 evaluation steps. `${...}` in a
 * string is an expression; a string that is one expression keeps its type, others become text;
 * `$${` is a literal `${`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_EXPR_H
#define TROUPE_BLUEPRINTS_EXPR_H

#include "runtime/base/json.h"

struct expr;
/* err->where gets the column within the text: "1:COLUMN"; callers add their place. */
MUST_CHECK enum status expr_parse(const char *text, size_t n, struct expr **out, struct error *err);
void expr_free(struct expr *e);
/* vars: an object whose members are the names in scope. New reference. A missing field is an error
 * that names it and the nearest one. */
MUST_CHECK enum status expr_eval(const struct expr *e, const struct json *vars, struct json **out,
                                 struct error *err);
/* Names at the root that the expression reads (steps, inputs, item): for validation. */
size_t expr_n_roots(const struct expr *e);
const char *expr_root(const struct expr *e, size_t i);

/* A template: text with ${...}; parses all of it. */
struct expr_template;
MUST_CHECK enum status expr_template_parse(const char *text, size_t n, struct expr_template **out,
                                           struct error *err);
void expr_template_free(struct expr_template *t);
MUST_CHECK enum status expr_template_eval(const struct expr_template *t, const struct json *vars,
                                          struct json **out, struct error *err);
size_t expr_template_n_roots(const struct expr_template *t);
const char *expr_template_root(const struct expr_template *t, size_t i);

#endif
