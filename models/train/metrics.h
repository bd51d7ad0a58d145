/* metrics.h - the metrics of a training run over time: metrics.jsonl and TensorBoard events.
 *
 * Both files only grow. A checkpoint records their lengths; resuming truncates them to these
 * lengths, so that no update appears twice. Lines are written at once and synced with checkpoints.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_METRICS_H
#define TROUPE_MODELS_TRAIN_METRICS_H

#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/seams.h"

struct metrics {
    const struct seams *seams;
    char *path[2]; /* jsonl, events */
    int fd[2];
    int64_t bytes[2];
};

/* Truncates each file to keep[i] bytes; {0, 0} for a new run. STATUS_CONFIG names a file that is
 * shorter or has no line end at that byte: another program changed it, and appended lines would be
 * unreadable. Neither file is changed then. A missing file is created. */
MUST_CHECK enum status metrics_open(struct metrics *m, const struct seams *seams, const char *out,
                                    const int64_t keep[2], struct error *err);
void metrics_close(struct metrics *m); /* also of a zeroed one */
/* One line, with "update" first; takes ownership. Each number in it becomes a scalar
 * `prefix`/KEY(/KEY).
 */
MUST_CHECK enum status metrics_write(struct metrics *m, int64_t update, const char *prefix,
                                     struct json *adopt, struct error *err);
MUST_CHECK enum status metrics_sync(struct metrics *m, struct error *err);

#endif
