/* metrics.h - what a training run reports over time: metrics.jsonl and TensorBoard events.
 *
 * Both files only grow. A checkpoint remembers how long they were; resuming cuts them back to that
 * byte, so that no update is there twice. Lines are written at once and synced with checkpoints.
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

/* keep[i] bytes of each file stay; {0, 0} for a new run. STATUS_CONFIG names a file that is shorter
 * than that or has no line's end there: another program changed it, and what would be written
 * behind could not be read. Neither file is changed then. One that is missing begins anew. */
MUST_CHECK enum status metrics_open(struct metrics *m, const struct seams *seams, const char *out,
                                    const int64_t keep[2], struct error *err);
void metrics_close(struct metrics *m); /* also of a zeroed one */
/* One line, with "update" first, taken over. Each number in it becomes a scalar `prefix`/KEY(/KEY).
 */
MUST_CHECK enum status metrics_write(struct metrics *m, int64_t update, const char *prefix,
                                     struct json *adopt, struct error *err);
MUST_CHECK enum status metrics_sync(struct metrics *m, struct error *err);

#endif
