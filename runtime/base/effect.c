/* effect.c - the names of effects.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/effect.h"

const char *const effect_words[N_EFFECTS] = {
    [EFFECT_NONE] = "none",
    [EFFECT_READ] = "read",
    [EFFECT_IDEMPOTENT] = "idempotent",
    [EFFECT_ONCE] = "once",
};
