/* app_new_model.h - weights to train from, and the folder that training writes.
 */
#ifndef TROUPE_RUNTIME_APP_APP_NEW_MODEL_H
#define TROUPE_RUNTIME_APP_APP_NEW_MODEL_H

#include "models/arch/weights.h"
#include "models/formats/tokenizer.h"
#include "runtime/app/app.h"

/* `model` "new": random weights of the --init options with the embedded byte tokenizer; else the
 * weights (fp32) and tokenizer of a model. Both are the caller's. */
MUST_CHECK enum status app_new_model(struct app *a, const char *model, struct tokenizer **tokenizer,
                                     struct weights **weights, struct error *err);
/* OUT/model: config.json, model.safetensors, tokenizer files, a model card. */
MUST_CHECK enum status app_write_model(struct app *a, const char *model, struct weights *weights,
                                       const char *out, struct error *err);

#endif
