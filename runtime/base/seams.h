/* seams.h - clock, randomness and durable files as tables of functions.
 *
 * Product code uses them only through these tables, so that a test can drive a
 * whole run with a seeded clock and injected faults. seams_real() is the
 * operating system. (The model has a table of its own: models/model.h.)
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_SEAMS_H
#define TROUPE_RUNTIME_BASE_SEAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct clock_seam {
    void *ctx;
    int64_t (*wall_ms)(void *ctx); /* since the epoch */
    int64_t (*mono_us)(void *ctx); /* never goes back */
};
struct random_seam {
    void *ctx;
    void (*fill)(void *ctx, void *bytes, size_t n);
};
/* For durable files outside SQLite (checkpoints, model folders). All return 0
 * or an errno. */
struct file_seam {
    void *ctx;
    int (*write_all)(void *ctx, int fd, const void *bytes, size_t n);
    int (*sync)(void *ctx, int fd);
    int (*rename)(void *ctx, const char *from, const char *to);
};
struct seams {
    struct clock_seam clock;
    struct random_seam random;
    struct file_seam file;
};

const struct seams *seams_real(void);

int64_t seams_wall_ms(const struct seams *s);
int64_t seams_mono_us(const struct seams *s);
uint64_t seams_random_u64(const struct seams *s);
/* UUIDv7 as 36 characters plus NUL. */
void seams_uuid7(const struct seams *s, char out[37]);

/* Writes path.tmp, syncs it, renames it over path and syncs the folder: after a
 * crash either the old or the new file exists, complete. */
MUST_CHECK enum status file_write_atomic(const struct seams *s, const char *path, const void *bytes,
                                         size_t n, struct error *err);
/* The whole file, NUL-terminated, malloc'd. Fails for more than max_bytes and for anything but a
 * regular file (file_open.h). */
MUST_CHECK enum status file_read(const char *path, size_t max_bytes, char **out, size_t *n,
                                 struct error *err);
bool file_exists(const char *path);
MUST_CHECK enum status dir_make(const char *path, struct error *err); /* with parents */

#endif
