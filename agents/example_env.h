/* example_env.h - an environment's demonstrations as examples for supervised training.
 *
 * An example is one demonstration: its pieces are encoded in order, and the expert's pieces are
 * trained on unless they are masked. The source is endless: index and seed select the
 * demonstration, progress the place in the curriculum. The probe is the environment's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EXAMPLE_ENV_H
#define TROUPE_AGENTS_EXAMPLE_ENV_H

#include "models/formats/tokenizer.h"
#include "models/train/example_source.h"
#include "tools/environments/environment.h"

/* kind: NULL for the default mixture, else one of the environment's kinds (the STATUS_USAGE error
 * lists them). The tokenizer is lent and used by the thread that calls get and probe. */
MUST_CHECK enum status example_env_new(const struct env_ops *env, const char *kind,
                                       const struct tokenizer *tokenizer,
                                       struct example_source **out, struct error *err);
void example_env_free(struct example_source *s);

#endif
