/* power_vfs.h - a file layer of SQLite that notes what goes to the disk, and in which order.
 *
 * Once started it is SQLite's default layer, so that a store opened meanwhile lies on it.
 * Files are written as ever, but a sync is only noted: the test presumes that the machine stays up
 * while it records. Its random bytes come from a seed, so that one seed gives one log.
 *
 * The index in shared memory (-shm) is not noted: it does not outlive a crash.
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
    size_t data; /* where they stand in the log's bytes */
};

struct power_vfs;

void power_vfs_new(uint64_t seed, struct power_vfs **out);
/* From here on everything is noted; first of all the database at `path`, if there is one, as a file
 * that has long been on the disk. Gives the position after that: no crash comes before it. */
size_t power_vfs_start(struct power_vfs *v, const char *path);
/* The system's layer is the default again; the log stays. No connection is open any more. */
void power_vfs_stop(struct power_vfs *v);
void power_vfs_free(struct power_vfs *v); /* once stopped */
/* How many events there are; any thread. */
size_t power_vfs_position(struct power_vfs *v);
/* Once stopped. Lent. */
const struct power_event *power_vfs_event(const struct power_vfs *v, size_t i);
const unsigned char *power_vfs_bytes(const struct power_vfs *v, const struct power_event *e);

#endif
