/* arch.c - the list of architectures.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/arch.h"

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
