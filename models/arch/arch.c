/* arch.c - the list of architectures, and their common table of rotations.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/arch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

#define ARCH(name) extern const struct arch arch_##name;
#include "models/arch/arch.def"
#undef ARCH

static const struct arch *const archs[] = {
#define ARCH(name) &arch_##name,
#include "models/arch/arch.def"
#undef ARCH
};

const struct arch *arch_find(const char *hf_name)
{
    for (size_t i = 0; i < ARRAY_LEN(archs); i++)
        if (strcmp(archs[i]->hf_name, hf_name) == 0)
            return archs[i];
    return NULL;
}

enum status arch_check(const struct arch *a, const struct model_config *c, const struct backend *b,
                       struct error *err)
{
    enum status st = a->check(c, err);

    return st ? st : backend_require(b, a->ops(c, false), c->model_type, err);
}

enum status arch_check_training(const struct arch *a, const struct model_config *c,
                                const struct backend *b, struct error *err)
{
    char what[64];
    enum status st = arch_check(a, c, b, err);

    snprintf(what, sizeof(what), "training of %s", c->model_type);
    return st ? st : backend_require(b, a->ops(c, true), what, err);
}

enum status arch_rope_table(const struct model_config *c, int32_t max_pos, float **cos_out,
                            float **sin_out, struct error *err)
{
    int32_t half = c->head_dim / 2;
    size_t n = (size_t)max_pos * (size_t)half;
    float *table = mem_aligned_alloc(n, 2 * sizeof(float));

    if (!table)
        return error_set(err, STATUS_NO_MEMORY, "no memory for rotations of %d positions", max_pos);
    for (int32_t i = 0; i < half; i++) {
        double frequency = pow(c->rope_theta, -2.0 * i / c->head_dim);

        for (int32_t p = 0; p < max_pos; p++) {
            size_t at = (size_t)p * (size_t)half + (size_t)i;

            table[at] = (float)cos(p * frequency);
            table[n + at] = (float)sin(p * frequency);
        }
    }
    *cos_out = table;
    *sin_out = table + n;
    return STATUS_OK;
}
