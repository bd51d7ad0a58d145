/* root_dir.h - opens files under a root directory, never outside it.
 *
 * It uses openat2: no "..", symbolic link or magic link in a path can lead outside, even if the
 * tree changes meanwhile. Later checks use the same descriptor, not the path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ROOT_DIR_H
#define TROUPE_TOOLS_ROOT_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define ROOT_DIR_MAX_PATH 4096

/* Opens the root itself (its own path may contain links). */
MUST_CHECK enum status root_dir_open(const char *path, int *fd, struct error *err);
/* Flags as for open. O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added, so that the call never blocks on
 * a FIFO or a terminal. */
MUST_CHECK enum status root_dir_open_at(int root, const char *path, int flags, int *fd,
                                        struct error *err);
/* Opens the directory of `path` and creates it and its parents if they are missing. *name is the
 * last part of the path; "x/", "..", "." and "" do not name a file. *n_made is the number of
 * directories created, for root_dir_remove; a failed call leaves none behind. */
MUST_CHECK enum status root_dir_parent(int root, const char *path, int *fd, const char **name,
                                       int32_t *n_made, struct error *err);
/* Removes the last n_made directories of the path that are empty. */
void root_dir_remove(int root, const char *path, int32_t n_made);

#endif
