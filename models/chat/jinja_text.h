/* jinja_text.h - texts as Python sees them: characters, white space, case.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_TEXT_H
#define TROUPE_MODELS_CHAT_JINJA_TEXT_H

#include "models/chat/jinja_value.h"

size_t jinja_space_prefix(struct jinja_text t);       /* bytes of white space at the start */
size_t jinja_space_suffix_start(struct jinja_text t); /* length without white space at the end */

size_t jinja_char_count(struct jinja_text t);
/* Byte offset of character i; t.n when there are fewer. */
size_t jinja_char_offset(struct jinja_text t, size_t i);
size_t jinja_char_before(struct jinja_text t, size_t i); /* start of the character that ends at i */
/* First place of `what` at or after `from`, or (size_t)-1. */
size_t jinja_text_find(struct jinja_text t, struct jinja_text what, size_t from);
bool jinja_starts_with(struct jinja_text t, struct jinja_text with);
bool jinja_ends_with(struct jinja_text t, struct jinja_text with);
/* Without characters of `set` (NULL: white space) at either end. */
struct jinja_text jinja_strip(struct jinja_text t, const struct jinja_text *set, bool left,
                              bool right);

#endif
