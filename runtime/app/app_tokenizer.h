/* app_tokenizer.h - the tokenizer of a model by name, without opening the model.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_TOKENIZER_H
#define TROUPE_RUNTIME_APP_APP_TOKENIZER_H

#include "models/formats/model_source.h"
#include "runtime/app/app.h"

/* The caller's: tokenizer_free. */
MUST_CHECK enum status app_tokenizer(struct app *a, const char *model, struct tokenizer **out,
                                     struct error *err);
/* The caller's: model_source_close. */
MUST_CHECK enum status app_model_files(struct app *a, const char *model, struct model_source **out,
                                       struct error *err);
/* One file of a model: embedded or from its folder; malloc'd. STATUS_NOT_FOUND when it has none. */
MUST_CHECK enum status app_model_file(struct app *a, const char *model, const char *file,
                                      size_t max_bytes, char **out, size_t *n, struct error *err);

#endif
