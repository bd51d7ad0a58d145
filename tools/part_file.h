/* part_file.h - a file that is being written: ours by its name, locked while we live.
 *
 * The text of a new file goes into one of these and is renamed over its target. A process that is
 * killed leaves it behind, unlocked; part_files_sweep removes it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_PART_FILE_H
#define TROUPE_TOOLS_PART_FILE_H

#include "runtime/base/seams.h"
#include "runtime/base/status.h"

#define PART_FILE_NAME 40

/* A new, empty file in dir, mode 0600, locked until *fd is closed. */
MUST_CHECK enum status part_file_open(const struct seams *seams, int dir, char name[PART_FILE_NAME],
                                      int *fd, struct error *err);
/* Removes regular files of this name in dir, not below it, that no process holds. */
void part_files_sweep(int dir);

#endif
