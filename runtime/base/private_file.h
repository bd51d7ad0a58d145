/* private_file.h - a small JSON document that only its owner can read, and that processes share.
 *
 * Every change reads the file again under a lock (FILE.lock) and replaces it whole. The document is
 * an object with "version": 1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_PRIVATE_FILE_H
#define TROUPE_RUNTIME_BASE_PRIVATE_FILE_H

#include "runtime/base/json.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"

struct private_file {
    const char *path;
    const char *what; /* "the file of authorizations": for messages */
    const char *lost; /* what its removal means, for the hint of a file that cannot be understood */
};

/* Appends $XDG_STATE_HOME/troupe/NAME, or the same in ~/.local/state. STATUS_NOT_FOUND: there is no
 * home folder. */
MUST_CHECK enum status private_file_path(const char *name, struct str *out, struct error *err);
/* A file that does not exist is an empty object. STATUS_CONFIG: other users can read the file, or
 * it cannot be understood. */
MUST_CHECK enum status private_file_load(const struct private_file *f, struct json **out,
                                         struct error *err);
/* `edit` changes the document, which is then written. STATUS_BUSY: another process keeps the lock.
 */
MUST_CHECK enum status private_file_change(const struct private_file *f, const struct seams *seams,
                                           void (*edit)(void *ctx, struct json *doc), void *ctx,
                                           struct error *err);
/* Holds one of the things in the file until `release`, in other processes too; the file can be
 * changed meanwhile. Does not wait: STATUS_BUSY. *fd: for release. */
MUST_CHECK enum status private_file_hold(const char *path, uint64_t what, int *fd,
                                         struct error *err);
void private_file_release(int fd);

#endif
