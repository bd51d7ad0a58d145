/* jinja_dict.h - the members of dicts and namespaces.
 *
 * A dict keeps the order of insertion; a large one also has a hash table. Keys are scalars and
 * compare as in Python: 1, 1.0 and True are one key. A list or a dict is never a key. Every
 * comparison of a key spends steps of the rendering.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_DICT_H
#define TROUPE_MODELS_CHAT_JINJA_DICT_H

#include "models/chat/jinja_run.h"

/* Both do nothing when the region is full. */
void jinja_dict_set(struct jinja_run *run, struct jinja_dict *d, struct jinja_value key,
                    struct jinja_value v);
/* A member whose key is known to be new: no search. */
void jinja_dict_add(struct jinja_run *run, struct jinja_dict *d, struct jinja_value key,
                    struct jinja_value v);
/* NULL: not there. Lent until the next member is added. */
struct jinja_value *jinja_dict_find(struct jinja_run *run, const struct jinja_dict *d,
                                    const struct jinja_value *key);

#endif
