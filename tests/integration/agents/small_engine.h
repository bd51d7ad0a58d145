/* small_engine.h - an engine with a random model of two layers, for agents with random replies.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_SMALL_ENGINE_H
#define TROUPE_TESTS_SMALL_ENGINE_H

#include "models/engine/engine.h"

#define SMALL_VOCAB   320
#define SMALL_CONTEXT 256

/* Compact codec: 256 bytes and the words of the environments. New reference. */
struct weights *small_weights(float initializer_range);
/* A new temp_dir that contains only the tokenizer. */
void small_folder(char path[64]);
/* Opens an engine with them; the folder must exist longer than the engine. */
struct engine *small_engine(struct weights *w, const char *folder, int32_t n_threads);

#endif
