/* fixed_options.h - the options that decide the bits of a training, which a resumed run must
 * repeat.
 *
 * They are stored in each checkpoint. Each has the stored key and a label for messages.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_FIXED_OPTIONS_H
#define TROUPE_MODELS_TRAIN_FIXED_OPTIONS_H

#include "runtime/base/json.h"
#include "runtime/base/status.h"

struct fixed_options {
    struct json *values; /* key: value */
    struct json *words;  /* key: label in messages */
    struct json *names;  /* key: names of the values 0, 1, ..., for some keys */
};

void fixed_init(struct fixed_options *f);
void fixed_deinit(struct fixed_options *f); /* also of a zeroed one */
void fixed_put(struct fixed_options *f, const char *key, const char *words, struct json *adopt);
/* A value that is stored as a number; names (ends with NULL) are its labels. */
void fixed_put_named(struct fixed_options *f, const char *key, const char *words, int value,
                     const char *const *names);

/* STATUS_USAGE lists the differences from `was`, the options that the run in `out` began with. */
MUST_CHECK enum status fixed_compare(const struct json *was, const struct fixed_options *now,
                                     const char *out, struct error *err);
/* STATUS_CORRUPT names the file: the options in the newest checkpoint of `out` are damaged. */
MUST_CHECK enum status fixed_check_newest(const char *out, struct error *err);
/* fixed_compare with the newest checkpoint of `out`; STATUS_OK without a checkpoint. */
MUST_CHECK enum status fixed_compare_newest(const char *out, const struct fixed_options *now,
                                            struct error *err);
/* STATUS_USAGE: `out` contains a training already. */
enum status fixed_refuse(const char *out, struct error *err);
/* A string option of the newest checkpoint of `out`: the caller frees it; or NULL, also where
 * fixed_check_newest fails. */
char *fixed_recorded(const char *out, const char *key);
/* --lr-schedule continue: changes *updates, the requested number, to the length of the folder's
 * schedule. Unchanged without a checkpoint. STATUS_USAGE: the requested number is smaller. */
MUST_CHECK enum status fixed_schedule(const char *out, int64_t *updates, struct error *err);

#endif
