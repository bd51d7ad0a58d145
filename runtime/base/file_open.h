/* file_open.h - the one way to open a file that somebody else named or made.
 *
 * Whatever a user, a model folder or a blueprint names may be a FIFO, a device or a folder. Opening
 * a FIFO waits for its other end for ever, and reading a device may never end; so only regular
 * files are opened, without waiting, and what the descriptor is gets checked, not the name. The
 * lint forbids open() elsewhere, but for a short list with reasons.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_FILE_OPEN_H
#define TROUPE_RUNTIME_BASE_FILE_OPEN_H

#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/base/status.h"

/* flags and mode as for open(2); O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added. *info (may be NULL)
 * is what fstat says. STATUS_INVALID for what is no regular file; the message names the path. */
MUST_CHECK enum status file_open(const char *path, int flags, mode_t mode, int *fd,
                                 struct stat *info, struct error *err);
/* The same check for a descriptor that is open already; `name` is for the message. */
MUST_CHECK enum status file_check_regular(int fd, const char *name, struct stat *info,
                                          struct error *err);
/* The same for a name that another library opens; one that nothing has is fine. */
MUST_CHECK enum status file_check_named(const char *path, struct error *err);

#endif
