/* jinja_builtin.h - filters, tests, methods and functions, looked up by name.
 *
 * Filters and tests are found while parsing, so an unknown one is an error
 * before the template runs. To add one: its function and one line in the table.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_BUILTIN_H
#define TROUPE_MODELS_CHAT_JINJA_BUILTIN_H

#include "models/chat/jinja_value.h"
#include "runtime/base/json.h"

struct jinja_filter {
    const char *name;
    struct jinja_value (*run)(struct jinja_run *run, const struct jinja_value *in,
                              const struct jinja_args *args);
};
struct jinja_test {
    const char *name;
    bool (*run)(struct jinja_run *run, const struct jinja_value *in, const struct jinja_args *args);
};

const struct jinja_filter *jinja_find_filter(struct jinja_text name); /* NULL: unknown */
const struct jinja_test *jinja_find_test(struct jinja_text name);
jinja_function jinja_find_global(struct jinja_text name);
struct jinja_value jinja_from_json(struct jinja_run *run, const struct json *j);

struct jinja_value jinja_call_method(struct jinja_run *run, const struct jinja_method *method,
                                     const struct jinja_args *args);

#endif
