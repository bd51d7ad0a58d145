/* part_file.h - the temporary file of a write, locked while its process lives.
 *
 * A new file's text is written to a temporary file, which is then renamed to its target. A killed
 * process leaves an unlocked temporary file behind; part_files_sweep removes it.
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
/* Removes temporary files in dir (not in its subdirectories) that no process has locked. */
void part_files_sweep(int dir);

#endif
