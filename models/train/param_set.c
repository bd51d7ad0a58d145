/* param_set.c - see param_set.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/param_set.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

enum status param_set_of_weights(const struct weights *w, struct param_set *out, struct error *err)
{
    int32_t n = weights_n(w);

    *out = (struct param_set){.backend = weights_backend(w), .n = n};
    out->param = mem_alloc((size_t)n, sizeof(*out->param));
    out->offset = mem_alloc((size_t)n + 1, sizeof(*out->offset));
    if (!out->param || !out->offset) {
        param_set_deinit(out);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d tensors", n);
    }
    for (int32_t i = 0; i < n; i++) {
        const struct weight_tensor *t = weights_at(w, i);

        out->param[i] = (struct param){
            .name = t->name, .n_out = t->m.n_out, .n_in = t->m.n_in, .decay = t->m.n_out > 1};
        out->offset[i] = weights_flat_offset(w, i);
    }
    out->offset[n] = weights_flat_offset(w, n);
    return STATUS_OK;
}

void param_set_deinit(struct param_set *p)
{
    free(p->param);
    free(p->offset);
    memset(p, 0, sizeof(*p));
}
