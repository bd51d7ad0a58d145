/* power_disk.h - what a disk may hold when the power fails at a place in the log.
 *
 * All data written before the last sync of its file is there. Of later data, each sector
 * of 512 bytes may hold any of the versions that it went through; the size of a file and the
 * names in the folder may be those of any moment since they were last synced. That is what a
 * disk promises that answers a sync truthfully and writes sectors whole; where a file grew and
 * its new sectors did not arrive there may be zeros or anything.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_POWER_DISK_H
#define TROUPE_TESTS_POWER_DISK_H

#include "tests/integration/store/power_draw.h"
#include "tests/integration/store/power_vfs.h"

/* Which of the versions since the last sync a sector gets. */
enum power_shape {
    POWER_NONE, /* nothing that was not synced arrived */
    POWER_ALL,
    POWER_HALF, /* each sector any version */
    POWER_FEW,  /* one in eight sectors any but the first version */
    POWER_MOST, /* one in eight sectors any but the last version */
    POWER_TORN, /* everything but some sectors of each file's last write */
    POWER_LAST, /* nothing but each file's last write */
    POWER_SHAPES
};

struct power_disk;

/* deaf_to: bits 1 << enum power_file, the files whose syncs do nothing; the log is lent. */
void power_disk_new(const struct power_vfs *log, unsigned deaf_to, struct power_disk **out);
void power_disk_free(struct power_disk *d);
/* On to the moment before event `to`; never back. */
void power_disk_advance(struct power_disk *d, size_t to);
/* Writes what a crash at this moment left: the database at `path`, its log and journal beside it.
 * A file that is not there is removed. */
void power_disk_crash(const struct power_disk *d, enum power_shape shape, struct power_draw *draw,
                      const char *path);

#endif
