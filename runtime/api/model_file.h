/* model_file.h - the files of a model by name, without opening the model.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_MODEL_FILE_H
#define TROUPE_RUNTIME_API_MODEL_FILE_H

#include "runtime/api/model_set.h"

/* The folder with the files of `name`, or the file: a model folder, a GGUF, the output folder of
 * `train`, an entry of the local Hugging Face cache (hf:ORG/NAME), or a model that `models get`
 * fetched. Nothing is downloaded.
 * "embedded" and "new" stay as they are. STATUS_NOT_FOUND: there is no such folder, or the training
 * in it has no model yet; STATUS_USAGE: a script. */
MUST_CHECK enum status model_folder(const char *name, char out[MODEL_FOLDER_MAX],
                                    struct error *err);
/* Each model that `models get` has fetched, by its name. */
void model_known_each(void (*each)(void *ctx, const char *name), void *ctx);
/* Each model of the local Hugging Face cache, as hf:ORG/NAME. */
void model_cache_each(void (*each)(void *ctx, const char *name), void *ctx);
/* The files of `name`, any of the above but "new". */
MUST_CHECK enum status model_files(const char *name, struct model_source **out, struct error *err);
/* One file of a model: embedded or from its folder; malloc'd. STATUS_NOT_FOUND when it has none. */
MUST_CHECK enum status model_file(const char *name, const char *file, size_t max_bytes, char **out,
                                  size_t *n, struct error *err);
/* Does the model exist, and can it run an agent, in an environment or without one? `name` is
 * relative to the folder `base` (NULL: to the working folder). */
MUST_CHECK enum status model_check(const struct remote_specs *remote, const char *name,
                                   const char *base, bool in_env, struct error *err);

/* Is the price of this model known? One that runs here is free. */
bool model_has_price(const struct remote_specs *remote, const char *name);

#endif
