/* jinja_filters.h - the filters that work on sequences; the table of all is in jinja_filters.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_FILTERS_H
#define TROUPE_MODELS_CHAT_JINJA_FILTERS_H

#include "models/chat/jinja_builtin.h"
#include "models/chat/jinja_run.h"

#define JINJA_FILTER(name)                                                                         \
    struct jinja_value name(struct jinja_run *run, const struct jinja_value *in,                   \
                            const struct jinja_args *args)

JINJA_FILTER(jinja_filter_dictsort);
JINJA_FILTER(jinja_filter_first);
JINJA_FILTER(jinja_filter_items);
JINJA_FILTER(jinja_filter_join);
JINJA_FILTER(jinja_filter_last);
JINJA_FILTER(jinja_filter_list);
JINJA_FILTER(jinja_filter_map);
JINJA_FILTER(jinja_filter_max);
JINJA_FILTER(jinja_filter_min);
JINJA_FILTER(jinja_filter_reject);
JINJA_FILTER(jinja_filter_rejectattr);
JINJA_FILTER(jinja_filter_reverse);
JINJA_FILTER(jinja_filter_select);
JINJA_FILTER(jinja_filter_selectattr);
JINJA_FILTER(jinja_filter_sort);
JINJA_FILTER(jinja_filter_sum);
JINJA_FILTER(jinja_filter_unique);

/* Texts with their ASCII letters changed: 'u' upper, 'l' lower, 'c' capitalize, 't' title. */
struct jinja_value jinja_change_case(struct jinja_run *run, struct jinja_text t, char how);
/* Without characters of `set` (NULL: white space) at the left, the right or both. */
struct jinja_value jinja_stripped(struct jinja_run *run, struct jinja_text t,
                                  const struct jinja_text *set, bool left, bool right);
/* Replaces at most `max` times (-1: all). */
struct jinja_value jinja_replace(struct jinja_run *run, struct jinja_text t, struct jinja_text old,
                                 struct jinja_text with, int64_t max);

#endif
