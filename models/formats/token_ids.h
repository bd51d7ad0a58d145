/* token_ids.h - a growable list of token ids with a maximum.
 *
 * A reserved list does not allocate while it is filled: decoding relies on that.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_TOKEN_IDS_H
#define TROUPE_MODELS_FORMATS_TOKEN_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct token_ids {
    int32_t *id;
    size_t n, cap, max;
};

#define TOKEN_IDS_MAX_DEFAULT ((size_t)16 << 20)
#define TOKEN_IDS_INIT        ((struct token_ids){.max = TOKEN_IDS_MAX_DEFAULT})

void token_ids_init(struct token_ids *v, size_t max);
void token_ids_deinit(struct token_ids *v);
void token_ids_clear(struct token_ids *v); /* keeps the memory */
/* Space for n more. STATUS_LIMIT past the maximum, STATUS_NO_MEMORY. */
MUST_CHECK enum status token_ids_reserve(struct token_ids *v, size_t n, struct error *err);
MUST_CHECK enum status token_ids_push(struct token_ids *v, int32_t id, struct error *err);
MUST_CHECK enum status token_ids_append(struct token_ids *v, const int32_t *id, size_t n,
                                        struct error *err);

#endif
