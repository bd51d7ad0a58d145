/* small_engine.h - an engine with a random model of two layers, for agents that babble.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_SMALL_ENGINE_H
#define TROUPE_TESTS_SMALL_ENGINE_H

#include "models/engine/engine.h"

#define SMALL_VOCAB   320
#define SMALL_CONTEXT 256

/* Compact codec, 256 bytes and the environments' words; a reference for the caller. */
struct weights *small_weights(float initializer_range);
/* Makes a folder from a template (".../XXXXXX", which is written to) with the tokenizer alone. */
void small_folder(char *template);
/* Opens an engine on them; the folder must outlive it. */
struct engine *small_engine(struct weights *w, const char *folder, int32_t n_threads);

#endif
