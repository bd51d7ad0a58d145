/* jinja_text.h - texts as Python sees them: characters, white space, case.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_TEXT_H
#define TROUPE_MODELS_CHAT_JINJA_TEXT_H

#include "models/chat/jinja_value.h"
#include "runtime/base/str.h"

bool jinja_is_space(uint32_t c);                      /* str.isspace() */
size_t jinja_space_prefix(struct jinja_text t);       /* bytes of white space at the start */
size_t jinja_space_suffix_start(struct jinja_text t); /* length without white space at the end */

size_t jinja_char_count(struct jinja_text t);
/* Byte offset of character i; t.n when there are fewer. */
size_t jinja_char_offset(struct jinja_text t, size_t i);
/* First place of `what` at or after `from`, or (size_t)-1. */
size_t jinja_text_find(struct jinja_text t, struct jinja_text what, size_t from);
bool jinja_starts_with(struct jinja_text t, struct jinja_text with);
bool jinja_ends_with(struct jinja_text t, struct jinja_text with);
/* Without characters of `set` (NULL: white space) at either end. */
struct jinja_text jinja_strip(struct jinja_text t, const struct jinja_text *set, bool left,
                              bool right);

/* str(v), and repr(v) where quoted. Values nested beyond 100 levels are cut off as "...". */
void jinja_put_value(struct str *out, const struct jinja_value *v, bool quoted);

struct jinja_json_style {
    int indent; /* -1: one line */
    bool ensure_ascii, sort_keys;
    struct jinja_text item_separator, key_separator;
};
/* json.dumps(v). False when something in it is no JSON. */
bool jinja_put_json(struct str *out, const struct jinja_value *v,
                    const struct jinja_json_style *style);

#endif
