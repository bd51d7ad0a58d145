/* arch.c - the list of architectures.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/arch.h"

#include <assert.h>
#include <stdio.h>

#include "models/arch/arch_linear.h"
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
    const struct model_family *f = model_family_of_class(hf_name);

    for (size_t i = 0; f && i < ARRAY_LEN(archs); i++)
        if (archs[i]->runs(f))
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

void arch_logits(const struct weights *w, const struct lane *l, struct linear_input *hidden,
                 float *logits, float *slope)
{
    const struct model_config *c = weights_config(w);
    const int32_t V = c->vocab_size;

    assert(!slope || c->logit_softcap != 0);
    linear_forward(w, l, weights_arch(w)->head(c), hidden, 0.0f, logits, V);
    if (c->logit_softcap != 0)
        weights_backend(w)->softcap(l, c->logit_softcap, logits, V, hidden->R, V, slope);
}
