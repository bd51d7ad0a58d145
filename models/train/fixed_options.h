/* fixed_options.h - the options that decide the bits of a training, which a resumed run must
 * repeat.
 *
 * They are stored in each checkpoint. Each has a key, as it is stored, and words for messages.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_FIXED_OPTIONS_H
#define TROUPE_MODELS_TRAIN_FIXED_OPTIONS_H

#include "runtime/base/json.h"
#include "runtime/base/status.h"

struct fixed_options {
    struct json *values; /* key: value */
    struct json *words;  /* key: what messages call it */
    struct json *names;  /* key: words for the values 0, 1, ... of some */
};

void fixed_init(struct fixed_options *f);
void fixed_deinit(struct fixed_options *f); /* also of a zeroed one */
void fixed_put(struct fixed_options *f, const char *key, const char *words, struct json *adopt);
/* A value that is stored as a number; names (ends with NULL) say what it means. */
void fixed_put_named(struct fixed_options *f, const char *key, const char *words, int value,
                     const char *const *names);

/* STATUS_USAGE says in words what differs from `was`, which the folder `out` was begun with. */
MUST_CHECK enum status fixed_compare(const struct json *was, const struct fixed_options *now,
                                     const char *out, struct error *err);
/* The same with the newest checkpoint of `out`; where there is none, or none that can be read
 * (which is for checkpoint_read to say), nothing differs. */
MUST_CHECK enum status fixed_compare_newest(const char *out, const struct fixed_options *now,
                                            struct error *err);
/* A text among those of the newest checkpoint of `out`: the caller's, or NULL. */
char *fixed_recorded(const char *out, const char *key);
/* --lr-schedule continue: *updates, how many are asked for, becomes what the schedule of the folder
 * was made for. It stays where there is no checkpoint. STATUS_USAGE: fewer than that are asked for.
 */
MUST_CHECK enum status fixed_schedule(const char *out, int64_t *updates, struct error *err);

#endif
