/* run_lock.h - live owners of runs: kernel locks on one byte per run of the owners file.
 *
 * Open-file-description locks: they end when their last descriptor is closed, so a killed
 * owner releases them at once, and two owners in one process exclude each other too. The
 * byte at offset `id` belongs to the run with that id; the file itself stays empty.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_RUN_LOCK_H
#define TROUPE_RUNTIME_STORE_RUN_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* STATUS_BUSY when another descriptor holds it. Closing *fd releases it. */
MUST_CHECK enum status run_lock_take(const char *owners_path, int64_t id, int *fd,
                                     struct error *err);
/* A descriptor for run_lock_is_held; -1: the file does not exist, so no run has an owner. */
int run_lock_probe_open(const char *owners_path);
bool run_lock_is_held(int probe_fd, int64_t id);

/* For messages: "2026-11-28T05:07:35Z". */
void store_time_words(int64_t ms, char out[32]);

/* Does any run have a live owner? */
bool run_lock_any_is_held(const char *owners_path);

/* Locks the whole file STORE.lock. Its first line then contains the holder and the time (now_ms,
 * since the epoch), because a kernel lock has no such data. Those who wait go first. After wait_ms:
 * STATUS_BUSY, which names the holder. */
MUST_CHECK enum status file_lock_take(int fd, int64_t now_ms, int64_t wait_ms, struct error *err);
void file_lock_release(int fd);
/* The same lock on another file, without a wait and without a line: 0 or an errno, EAGAIN or EACCES
 * if another descriptor has it. run_lock_is_held(fd, 0) sees it. */
int file_lock_try(int fd);

#endif
