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
/* --model without a role, or `otherwise`. */
const char *app_model_name(const struct app *a, const char *role, const char *otherwise);

#endif
