/* jinja_print.h - values as text: Python's str() and repr(), and json.dumps().
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_PRINT_H
#define TROUPE_MODELS_CHAT_JINJA_PRINT_H

#include "models/chat/jinja_run.h"
#include "runtime/base/str.h"

/* str(v), into `out`. Values nested beyond 100 levels are cut off as "...". */
void jinja_put_value(struct jinja_run *run, struct str *out, const struct jinja_value *v);
struct jinja_value jinja_to_text(struct jinja_run *run, const struct jinja_value *v); /* str(v) */

struct jinja_json_style {
    int indent; /* -1: one line */
    bool ensure_ascii, sort_keys;
    struct jinja_text item_separator, key_separator;
};
/* json.dumps(v). False when it contains a value that JSON lacks, or after an error. */
bool jinja_put_json(struct jinja_run *run, struct str *out, const struct jinja_value *v,
                    const struct jinja_json_style *style);

#endif
