/* schema_walk.h - internals of schema.h: the walk over a value, and the check of each keyword.
 *
 * A check returns STATUS_OK, STATUS_INVALID (the value does not match; the error says where) or
 * STATUS_LIMIT (the walk took too many steps or is too deep; this ends the walk).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_SCHEMA_WALK_H
#define TROUPE_RUNTIME_BASE_SCHEMA_WALK_H

#include "runtime/base/schema.h"

/* The path of a value, linked on the stack; formatted only for an error. */
struct schema_place {
    const struct schema_place *up; /* NULL: the first word */
    const char *key;               /* NULL: an item */
    size_t index;
};

struct schema_walk {
    const struct json *root;
    int32_t steps_left, depth;
    struct error *err; /* may be NULL; alternatives use a scratch error */
};

/* The arguments of a keyword's check. */
struct schema_case {
    const struct json *schema;   /* the object that holds the keyword */
    const struct json *argument; /* the keyword's own value */
    const struct json *value;    /* to be checked */
    const struct schema_place *at;
};
typedef enum status (*schema_checker)(struct schema_walk *w, const struct schema_case *c);

enum status schema_check_at(struct schema_walk *w, const struct json *schema,
                            const struct json *value, const struct schema_place *at);
/* STATUS_LIMIT once the walk has used up its steps. */
enum status schema_spend(struct schema_walk *w);
enum status schema_misfit(struct schema_walk *w, const struct schema_place *at, const char *fmt,
                          ...) PRINTF_LIKE(3, 4);
/* "integer 5", "string \"abc\"", "array of 3 items": for messages. Returns `out`. */
#define SCHEMA_WORDS 160
const char *schema_describe(const struct json *value, char out[SCHEMA_WORDS]);
/* NULL: the target does not exist or is outside the document. */
const struct json *schema_resolve(const struct json *root, const char *ref);
bool schema_same(const struct json *a, const struct json *b); /* 1 and 1.0 are the same number */

/* The form that a keyword's value must have. */
enum schema_form {
    SCHEMA_UNKNOWN, /* not a supported keyword */
    SCHEMA_ANY,
    SCHEMA_TYPES,
    SCHEMA_LIST,
    SCHEMA_NUMBER,
    SCHEMA_POSITIVE,
    SCHEMA_COUNT,
    SCHEMA_BOOLEAN,
    SCHEMA_PATTERN,
    SCHEMA_STRINGS,
    SCHEMA_SCHEMA,
    SCHEMA_SCHEMAS,
    SCHEMA_SCHEMAS_BY_NAME,
    SCHEMA_REF,
    SCHEMA_IGNORED, /* an annotation */
};
enum schema_form schema_form_of(const char *keyword);
/* Checks nested schemas too. */
bool schema_argument_is_sound(const struct json *root, const struct json *argument,
                              enum schema_form form);

#define KEYWORD(spelling, check, argument)                                                         \
    enum status schema_check_##check(struct schema_walk *w, const struct schema_case *c);
#define ANNOTATION(spelling)
#include "runtime/base/schema_keywords.def"
#undef KEYWORD
#undef ANNOTATION

#endif
