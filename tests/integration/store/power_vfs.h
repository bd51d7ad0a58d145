/* power_vfs.h - a file layer of SQLite that logs all writes and syncs in their order.
 *
 * After the start it is the default layer of SQLite, so that a store opened then uses it. Files are
 * written as usual, but a sync is only logged: the test assumes that the machine stays up while it
 * records. Random bytes come from a seed, so that one seed gives one log.
 *
 * The index in shared memory (-shm) is not logged: it does not survive a crash.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_POWER_VFS_H
#define TROUPE_TESTS_POWER_VFS_H

#include <stddef.h>
#include <stdint.h>

enum power_file { POWER_DATABASE, POWER_WAL, POWER_JOURNAL, POWER_FILES };

enum power_kind {
    POWER_CREATE,
    POWER_WRITE,
    POWER_TRUNCATE,
    POWER_SYNC,
    POWER_DELETE,
    POWER_SYNC_FOLDER
};

struct power_event {
    enum power_kind kind;
    enum power_file file;
    size_t at;   /* offset; of a truncation the new size */
    size_t n;    /* bytes written */
    size_t data; /* offset in the bytes of the log */
};

struct power_vfs;

void power_vfs_new(uint64_t seed, struct power_vfs **out);
/* Starts to log. Begins with the database at `path`, if it exists, as a file that is already on
 * disk. Returns the position after that; no crash comes before it. */
size_t power_vfs_start(struct power_vfs *v, const char *path);
/* Makes the system's layer the default again; the log stays. No connection may be open. */
void power_vfs_stop(struct power_vfs *v);
void power_vfs_free(struct power_vfs *v); /* after the stop */
/* The number of events; any thread. */
size_t power_vfs_position(struct power_vfs *v);
/* After the stop. Borrowed. */
const struct power_event *power_vfs_event(const struct power_vfs *v, size_t i);
const unsigned char *power_vfs_bytes(const struct power_vfs *v, const struct power_event *e);

#endif
