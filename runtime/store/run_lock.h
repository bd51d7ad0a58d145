/* run_lock.h - who is alive: kernel locks on one byte a run of the owners file.
 *
 * Open-file-description locks: they go when their last descriptor does, so a killed
 * owner lets go at once, and two owners inside one process exclude each other too. The
 * byte at offset `id` stands for the run of that id; the file itself stays empty.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_RUN_LOCK_H
#define TROUPE_RUNTIME_STORE_RUN_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* STATUS_BUSY when another descriptor holds it. Closing *fd gives it back. */
MUST_CHECK enum status run_lock_take(const char *owners_path, int64_t id, int *fd,
                                     struct error *err);
/* A descriptor to ask with; -1 when the file is not there (then nobody owns anything). */
int run_lock_probe_open(const char *owners_path);
bool run_lock_is_held(int probe_fd, int64_t id);

/* For messages: "2026-11-28T05:07:35Z". */
void store_time_words(int64_t ms, char out[32]);

/* Does anybody own any run? */
bool run_lock_any_is_held(const char *owners_path);

/* The whole file, STORE.lock, whose first line then says who has it and since when (now_ms, since
 * the epoch): a kernel lock does not tell. After wait_ms STATUS_BUSY names the holder. */
MUST_CHECK enum status file_lock_take(int fd, int64_t now_ms, int64_t wait_ms, struct error *err);
void file_lock_release(int fd);

#endif
