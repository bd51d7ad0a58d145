/* atomic_file.h - a file that is written in pieces and then is there whole, or not at all.
 *
 * It is written under PATH.tmp, synced and renamed over PATH, through the file seam, so that tests
 * can fill the disk. One thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_ATOMIC_FILE_H
#define TROUPE_MODELS_FORMATS_ATOMIC_FILE_H

#include <stddef.h>

#include "runtime/base/seams.h"
#include "runtime/base/status.h"

struct atomic_file;
MUST_CHECK enum status atomic_file_open(const char *path, const struct seams *seams,
                                        struct atomic_file **out, struct error *err);
/* The first failure is kept, and the close reports it; false from then on. */
bool atomic_file_write(struct atomic_file *f, const void *bytes, size_t n);
/* Syncs, renames and frees. On failure PATH is as it was. */
MUST_CHECK enum status atomic_file_close(struct atomic_file *f, struct error *err);
void atomic_file_drop(struct atomic_file *f); /* without a file; NULL too */

#endif
