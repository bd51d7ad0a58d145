/* app_new_model.h - weights to train from, and the folder that training writes.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_NEW_MODEL_H
#define TROUPE_RUNTIME_APP_APP_NEW_MODEL_H

#include "models/arch/weights.h"
#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_config.h"
#include "runtime/app/app.h"

/* `model` "new": random weights in the shape of the --init options, and a byte tokenizer that has
 * the words of the default chat template (--data) or of the environments (--env) as tokens. Else
 * the weights (fp32) and tokenizer of that model. Both are the caller's. */
MUST_CHECK enum status app_new_model(struct app *a, const char *model, struct tokenizer **tokenizer,
                                     struct weights **weights, struct error *err);
/* Chat template, bos_token and eos_token, from chat_template.jinja and tokenizer_config.json. A
 * model without a template gets the default one. Closed by tokenizer_config_deinit. */
MUST_CHECK enum status app_model_texts(struct app *a, const char *model,
                                       struct tokenizer_config *out, struct error *err);
/* OUT/model: config.json, model.safetensors, tokenizer files, a model card. */
MUST_CHECK enum status app_write_model(struct app *a, const char *model, struct weights *weights,
                                       const char *out, struct error *err);

#endif
