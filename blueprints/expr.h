/* expr.h - the CEL subset of blueprints: conditions and values without side effects.
 *
 * Literals (null, bool, int, double, 'string', lists, maps), field access and index, comparison,
 * && || !, + - * / %, `in`, `? :`, has(x.y), the macros all, exists, filter and map
 * (list.filter(x, x.n > 1)), and the functions of functions.def (a.f(b) is f(a, b)). No I/O; at
 * most 4 KiB of text, depth 32 and 100,000 evaluation steps: each node that is evaluated is one,
 * and a function costs by the size of its arguments. `${...}` in a
 * string is an expression; a string that is one expression keeps its type, others become text;
 * `$${` is a literal `${`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_BLUEPRINTS_EXPR_H
#define TROUPE_BLUEPRINTS_EXPR_H

#include "runtime/base/json.h"

struct expr;
/* err->where gets the column within the text: "1:COLUMN"; the caller adds its own place. */
MUST_CHECK enum status expr_parse(const char *text, size_t n, struct expr **out, struct error *err);
void expr_free(struct expr *e);
/* vars: an object whose members are the names in scope. New reference. A missing field is an error
 * that names it and the nearest one. */
MUST_CHECK enum status expr_eval(const struct expr *e, const struct json *vars, struct json **out,
                                 struct error *err);
/* The names in scope that the expression reads (steps, inputs, item), for validation: each name,
 * and each pair of a name and a field of it (`inputs.topic`, `inputs['topic']`). */
struct expr_reference {
    const char *name, *field; /* field NULL: the name itself */
};
size_t expr_n_references(const struct expr *e);
struct expr_reference expr_reference(const struct expr *e, size_t i);

/* The type of the value as far as it is known before the evaluation: an enum jv_kind, with JV_REAL
 * for any number, or EXPR_ANY. `of` says it of a name (field NULL), and of a field of a name. */
#define EXPR_ANY (-1)
typedef int (*expr_type_fn)(void *ctx, const char *name, const char *field);
int expr_type(const struct expr *e, expr_type_fn of, void *ctx);

/* A template: text with ${...}; parses all of it. */
struct expr_template;
MUST_CHECK enum status expr_template_parse(const char *text, size_t n, struct expr_template **out,
                                           struct error *err);
void expr_template_free(struct expr_template *t);
MUST_CHECK enum status expr_template_eval(const struct expr_template *t, const struct json *vars,
                                          struct json **out, struct error *err);
int expr_template_type(const struct expr_template *t, expr_type_fn of, void *ctx);
size_t expr_template_n_references(const struct expr_template *t);
struct expr_reference expr_template_reference(const struct expr_template *t, size_t i);

#endif
