/* tfevents.h - scalars as TensorBoard reads them: records of protobuf Events with masked CRC-32C.
 *
 * Format: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_TFEVENTS_H
#define TROUPE_MODELS_TRAIN_TFEVENTS_H

#include "runtime/base/str.h"

/* The first record of a file. */
void tfevents_put_header(struct str *out, double wall_s);
void tfevents_put_scalar(struct str *out, double wall_s, int64_t step, const char *tag,
                         float value);

#endif
