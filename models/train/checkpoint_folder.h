/* checkpoint_folder.h - names, manifests and removal of checkpoint folders, for checkpoint.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_CHECKPOINT_FOLDER_H
#define TROUPE_MODELS_TRAIN_CHECKPOINT_FOLDER_H

#include "runtime/base/json.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"

#define CHECKPOINT_FILES 4 /* files in the manifest */
extern const char *const checkpoint_file[CHECKPOINT_FILES];
#define CHECKPOINT_MANIFEST  "manifest.json"
#define CHECKPOINT_STATE     "state.json"
#define CHECKPOINT_MAX_STATE ((size_t)1 << 20)

void checkpoint_path(struct str *s, const char *out, int64_t update); /* overwrites s */
/* Updates of the existing checkpoints, ascending; malloc'd. */
int64_t *checkpoint_list(const char *out, size_t *n);
MUST_CHECK enum status checkpoint_write_manifest(const struct seams *seams, const char *dir,
                                                 struct error *err);
/* Checks each file against the manifest; the error names the file. */
MUST_CHECK enum status checkpoint_verify(const char *dir, struct error *err);
/* Reads state.json of an update and checks it against the manifest: a new reference. The error
 * names the file. */
MUST_CHECK enum status checkpoint_state_json(const char *out, int64_t update, struct json **doc,
                                             struct error *err);
void folder_remove(const char *dir); /* without subfolders; ignores failures */
MUST_CHECK enum status folder_sync(const struct seams *seams, const char *dir, struct error *err);

#endif
