/* store_vfs.h - SQLite's file layer with a counter and fault injection.
 *
 * Passes every call on to the system's layer. Counts fsyncs; a test can replace fsync
 * and fail writes. One for each open store, with a unique name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_STORE_VFS_H
#define TROUPE_RUNTIME_STORE_STORE_VFS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct store_options;
struct store_vfs;

MUST_CHECK enum status store_vfs_new(const struct store_options *o, struct store_vfs **out,
                                     struct error *err);
void store_vfs_free(struct store_vfs *v); /* all connections must be closed */
const char *store_vfs_name(const struct store_vfs *v);
int64_t store_vfs_fsyncs(const struct store_vfs *v); /* any thread */

/* For a file of the store that SQLite does not know: the errno that a test wants for a write of n
 * bytes, or 0; fdatasync, counted and with the fault of a test: 0 or an errno. */
int store_vfs_write_fault(const struct store_vfs *v, size_t n);
int store_vfs_sync_file(struct store_vfs *v, int fd);

#endif
