/* beneath.h - opens files beneath a directory descriptor, never outside it.
 *
 * By openat2: no "..", symbolic link or magic link on the way can lead out, however the tree is
 * changed meanwhile, and whatever is checked afterwards is checked on the descriptor that is used.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_BENEATH_H
#define TROUPE_TOOLS_BENEATH_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define BENEATH_MAX_PATH 4096

/* The descriptor of the root itself (its own path may pass through links). */
MUST_CHECK enum status beneath_root(const char *path, int *fd, struct error *err);
/* Flags as for open; O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added, so that no FIFO or terminal
 * holds us. */
MUST_CHECK enum status beneath_open(int root, const char *path, int flags, int *fd,
                                    struct error *err);
/* The directory of `path`, which is made with its parents where it is missing, and the last name
 * in `name`. "x/", "..", "." and "" name no file. *n_made: how many directories were made, for
 * beneath_unmake; a path that is refused leaves none. */
MUST_CHECK enum status beneath_parent(int root, const char *path, int *fd, const char **name,
                                      int32_t *n_made, struct error *err);
/* Removes the last n_made directories of the path again, as far as they are empty. */
void beneath_unmake(int root, const char *path, int32_t n_made);

#endif
