/* jinja_access.h - the parts of a value: attributes, subscripts, slices, items, characters.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_ACCESS_H
#define TROUPE_MODELS_CHAT_JINJA_ACCESS_H

#include "models/chat/jinja_run.h"

/* obj.name and obj[key]; undefined when there is none. */
struct jinja_value jinja_attribute(struct jinja_run *run, const struct jinja_value *obj,
                                   struct jinja_text name);
struct jinja_value jinja_subscript(struct jinja_run *run, const struct jinja_value *obj,
                                   const struct jinja_value *key);
struct jinja_value jinja_slice(struct jinja_run *run, const struct jinja_value *obj,
                               const struct jinja_value part[3]);
/* What a loop runs over, as a list; NULL after a fault. */
const struct jinja_list *jinja_items(struct jinja_run *run, const struct jinja_value *v);
/* Characters of a text. Counted once for a text that is asked about again and again. */
size_t jinja_n_chars(struct jinja_run *run, struct jinja_text t);

#endif
