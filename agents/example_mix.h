/* example_mix.h - the demonstrations of several environments as one source, in turn.
 *
 * Example i is example i / n of environment i % n; so are held-out ones. The probe is the probes of
 * all environments in order, with categories named "ENV: CATEGORY". A single environment is not
 * renamed. All calls come from the trainer's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EXAMPLE_MIX_H
#define TROUPE_AGENTS_EXAMPLE_MIX_H

#include "agents/example_env.h"

/* kind: as for example_env_new, known to every environment. The list is copied, the tokenizer
 * lent. */
MUST_CHECK enum status example_mix_new(const struct env_ops *const *env, int32_t n,
                                       const char *kind, const struct tokenizer *tokenizer,
                                       struct example_source **out, struct error *err);
void example_mix_free(struct example_source *s);

#endif
