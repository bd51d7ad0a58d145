/* reference.h - every op of kernels/ops.def in a few plain lines: what it computes, without how.
 *
 * Read these first. Sums are taken in double and rounded once, so they have no bits to agree with:
 * backends are compared with them up to a tolerance (tests/unit/kernels/test_kernels_reference.c).
 * As a backend it is whole: models run on it, and its layouts are not those of the CPU (panels are
 * the rows as they are, a KV page has its positions one after another), so that code which knows a
 * layout fails.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_REFERENCE_H
#define TROUPE_TESTS_REFERENCE_H

#include "kernels/backend.h"

const struct backend *reference_backend(void);

#define OP(id, name, parameters) void reference_##name parameters;
#include "kernels/ops.def"
#undef OP

/* Layouts. */
size_t reference_panels_bytes(const struct matrix *w);
void reference_pack(const struct lane *l, const struct matrix *w, void *panels);
size_t reference_quantised_bytes(int32_t R, int32_t n_in);
size_t reference_kv_half_bytes(int32_t n_kv_heads, int32_t head_dim, enum dtype dtype);

#endif
