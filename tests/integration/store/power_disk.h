/* power_disk.h - what a disk may contain when the power fails at a position of the log.
 *
 * Data written before the last sync of its file is on disk. Each sector of 512 bytes may contain
 * any version written since then. The size of a file and the names in the folder may be those of
 * any moment since their last sync. A disk promises this if it reports syncs truthfully and writes
 * whole sectors. Where a file grew and its new sectors did not arrive, there may be zeros or any
 * bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_POWER_DISK_H
#define TROUPE_TESTS_POWER_DISK_H

#include "tests/integration/store/power_draw.h"
#include "tests/integration/store/power_vfs.h"

/* Which of the versions since the last sync a sector gets. */
enum power_shape {
    POWER_NONE, /* only synced data arrived */
    POWER_ALL,
    POWER_HALF, /* any version of each sector */
    POWER_FEW,  /* one in eight sectors: any version except the first */
    POWER_MOST, /* one in eight sectors: any version except the last */
    POWER_TORN, /* everything except some sectors of the last write of each file */
    POWER_LAST, /* only the last write of each file */
    POWER_SHAPES
};

struct power_disk;

/* deaf_to: bits 1 << enum power_file: files whose syncs do nothing. The log is borrowed. */
void power_disk_new(const struct power_vfs *log, unsigned deaf_to, struct power_disk **out);
void power_disk_free(struct power_disk *d);
/* Advances to the moment before event `to`; never goes back. */
void power_disk_advance(struct power_disk *d, size_t to);
/* Writes the state after a crash at this moment: the database at `path`, its log and journal next
 * to it. A file that does not exist in that state is deleted. */
void power_disk_crash(const struct power_disk *d, enum power_shape shape, struct power_draw *draw,
                      const char *path);

#endif
