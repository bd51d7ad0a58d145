/* example_mix.h - the demonstrations of several environments as one source: each in turn.
 *
 * Example i is example i / n of environment i % n, held-out ones the same. The probe is that of
 * every environment, one after the other, its categories named "ENV: CATEGORY". One environment
 * alone is just itself. All calls come from the trainer's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EXAMPLE_MIX_H
#define TROUPE_AGENTS_EXAMPLE_MIX_H

#include "agents/example_env.h"

/* kind: as for one; every environment must have it. The list is copied, the tokenizer lent. */
MUST_CHECK enum status example_mix_new(const struct env_ops *const *env, int32_t n,
                                       const char *kind, const struct tokenizer *tokenizer,
                                       struct example_source **out, struct error *err);
void example_mix_free(struct example_source *s);

#endif
