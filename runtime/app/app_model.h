/* app_model.h - models by name: embedded, a folder, hf:ORG/NAME, script:FILE. Opened once, shared.
 */
#ifndef TROUPE_RUNTIME_APP_APP_MODEL_H
#define TROUPE_RUNTIME_APP_APP_MODEL_H

#include "models/engine/engine.h"
#include "runtime/app/app.h"

/* Opens `name` (or finds it open) with the invocation's options. Lent. */
MUST_CHECK enum status app_model(struct app *a, const char *name, struct model **out,
                                 struct error *err);
/* The engine behind a model, or NULL for a script. */
struct engine *app_model_engine(struct app *a, const struct model *m);
void app_models_free(struct app *a);
/* Engine options from the invocation; `folder` is written for hf: names. */
MUST_CHECK enum status app_engine_options(struct app *a, const char *name, char folder[1024],
                                          struct engine_options *out, struct error *err);
/* The "=" of ROLE=M, or NULL: `given` is a model for all. */
const char *app_model_role_end(const char *given);
/* --model without a role, or `otherwise`. */
const char *app_model_name(const struct app *a, const char *role, const char *otherwise);

/* weights[name] = SHA-256 of the model's weights; nothing for a script, whose file may be mended.
 */
void app_note_weights(struct json *weights, const char *name, const struct model *m);
/* Refused (STATUS_CONFIG, both are named) when a run that was begun with model `was`, whose
 * weights' SHA-256 is was_hex (NULL: not recorded), is to go on with `is`, opened as m. */
MUST_CHECK enum status app_same_weights(const char *was, const char *was_hex, const char *is,
                                        const struct model *m, struct error *err);

#endif
