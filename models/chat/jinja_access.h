/* jinja_access.h - the parts of a value: attributes, subscripts, slices, items, characters.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_ACCESS_H
#define TROUPE_MODELS_CHAT_JINJA_ACCESS_H

#include "models/chat/jinja_run.h"

/* obj.name and obj[key]; undefined when it is missing. */
struct jinja_value jinja_attribute(struct jinja_run *run, const struct jinja_value *obj,
                                   struct jinja_text name);
struct jinja_value jinja_subscript(struct jinja_run *run, const struct jinja_value *obj,
                                   const struct jinja_value *key);
struct jinja_value jinja_slice(struct jinja_run *run, const struct jinja_value *obj,
                               const struct jinja_value part[3]);
/* The items of a loop, as a list; NULL after an error. */
const struct jinja_list *jinja_items(struct jinja_run *run, const struct jinja_value *v);
/* Characters of a text. The count of the last text is cached. */
size_t jinja_n_chars(struct jinja_run *run, struct jinja_text t);

#endif
