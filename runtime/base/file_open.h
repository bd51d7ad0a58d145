/* file_open.h - opening files with names from outside: regular files only, without blocking.
 *
 * A path from a user, a model folder or a blueprint may be a FIFO, a device or a folder. Opening a
 * FIFO can block for ever, and reading a device may never end. So only regular files are opened,
 * without blocking; the check uses the descriptor, not the name. The lint forbids open() elsewhere,
 * except for a short list with reasons.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_FILE_OPEN_H
#define TROUPE_RUNTIME_BASE_FILE_OPEN_H

#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/base/status.h"

/* flags and mode as for open(2); O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added. *info (may be NULL)
 * is the result of fstat. STATUS_INVALID: not a regular file; the message names the path. */
MUST_CHECK enum status file_open(const char *path, int flags, mode_t mode, int *fd,
                                 struct stat *info, struct error *err);
/* The same check for a descriptor that is open already; `name` is for the message. */
MUST_CHECK enum status file_check_regular(int fd, const char *name, struct stat *info,
                                          struct error *err);
/* The same for a name that another library opens; one that nothing has is fine. */
MUST_CHECK enum status file_check_named(const char *path, struct error *err);

#endif
