/* checkpoint_folder.h - names, manifests and removal of checkpoint folders, for checkpoint.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_CHECKPOINT_FOLDER_H
#define TROUPE_MODELS_TRAIN_CHECKPOINT_FOLDER_H

#include "runtime/base/seams.h"
#include "runtime/base/str.h"

#define CHECKPOINT_FILES 4 /* those that the manifest lists */
extern const char *const checkpoint_file[CHECKPOINT_FILES];
#define CHECKPOINT_MANIFEST  "manifest.json"
#define CHECKPOINT_MAX_STATE ((size_t)1 << 20)

void checkpoint_path(struct str *s, const char *out, int64_t update); /* replaces what s held */
/* Updates of the checkpoints that are there, ascending; malloc'd. */
int64_t *checkpoint_list(const char *out, size_t *n);
MUST_CHECK enum status checkpoint_write_manifest(const struct seams *seams, const char *dir,
                                                 struct error *err);
/* Each file as the manifest says; the error's place is the file. */
MUST_CHECK enum status checkpoint_verify(const char *dir, struct error *err);
void folder_remove(const char *dir); /* a flat one; what cannot be removed stays */
MUST_CHECK enum status folder_sync(const struct seams *seams, const char *dir, struct error *err);

#endif
