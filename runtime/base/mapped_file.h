/* mapped_file.h - files mapped read-only, and what happens when another program cuts one meanwhile.
 *
 * Reading a page that a mapped file no longer has raises SIGBUS, which ends a program. A program
 * that calls mapped_files_catch_cuts reads zeros there instead, and the file is marked: code that
 * computes from it asks mapped_file_is_cut before a result leaves. Without the handler (a host of
 * the library may have one of its own) the signal is raised as usual.
 *
 * All mappings of a process are in one table without locks, because a signal handler has no
 * context. From any thread; one mapping is closed once. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_MAPPED_FILE_H
#define TROUPE_RUNTIME_BASE_MAPPED_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define MAPPED_FILES_MAX 4096 /* in a process */

struct mapped_file; /* opaque */

/* What shows that a file is the one that was read before: a change of its content changes the
 * time or the size, unless someone sets the time back. */
struct file_identity {
    uint64_t device, inode, size;
    int64_t modified_ns;
};

/* A regular file that is not empty. */
MUST_CHECK enum status mapped_file_open(const char *path, struct mapped_file **out,
                                        struct error *err);
void mapped_file_close(struct mapped_file *m); /* NULL too */

const void *mapped_file_bytes(const struct mapped_file *m);
size_t mapped_file_size(const struct mapped_file *m);
const char *mapped_file_name(const struct mapped_file *m);              /* the path */
struct file_identity mapped_file_identity(const struct mapped_file *m); /* when it was opened */

/* It belongs to this user, and no other may read or write it. */
bool mapped_file_is_private(const struct mapped_file *m);

/* A page of it was missing when it was read, and zeros were read instead. */
bool mapped_file_is_cut(const struct mapped_file *m);
/* STATUS_IO: it is cut, or the file has fewer bytes than when it was opened. */
MUST_CHECK enum status mapped_file_check(const struct mapped_file *m, struct error *err);
/* How often that happened, to any file: while it is 0 nobody need ask. */
uint32_t mapped_files_cut(void);

/* The pages that lie within p .. p+n-1 leave memory and are read again when they are used. Without
 * effect on bytes that are not of a mapped file. */
void mapped_file_drop(const void *p, size_t n);

/* Installs the handler; what was installed before is called for any other SIGBUS. Once, by a
 * program. */
MUST_CHECK enum status mapped_files_catch_cuts(struct error *err);

#endif
