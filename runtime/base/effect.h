/* effect.h - the effects of calls: whether a call may be repeated.
 *
 * `none` and `read` may run again, `idempotent` again with the same key, `once` never. The values
 * are stored in the journal; the words appear in blueprints and in `troupe tools`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_EFFECT_H
#define TROUPE_RUNTIME_BASE_EFFECT_H

enum effect { EFFECT_NONE, EFFECT_READ, EFFECT_IDEMPOTENT, EFFECT_ONCE, N_EFFECTS };
extern const char *const effect_words[N_EFFECTS];

#endif
