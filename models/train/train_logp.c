/* train_logp.c - log-probs of a sequence by the training forward pass.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/train/sequences.h"
#include "models/train/sft.h"
#include "models/train/sharded_pass.h"

enum status train_logp(struct pool *pool, struct weights *w, const int32_t *ids, int32_t n,
                       float temperature, float *logp, struct error *err)
{
    const struct sharded_pass_options o = {.pool = pool, .max_len = n};
    struct sharded_pass_output out = {.logp = logp};
    struct sharded_pass *pass = NULL;
    struct sequences s = {0};
    enum status st;

    if (n < 2) {
        memset(logp, 0, (size_t)(n > 0 ? n : 0) * sizeof(*logp));
        return STATUS_OK;
    }
    for (int32_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= weights_config(w)->vocab_size)
            return error_set(err, STATUS_INVALID, "id %d at position %d is outside the vocabulary",
                             ids[i], i);
    st = sharded_pass_new(w, &o, &pass, err);
    if (!st)
        st = sequences_add(&s, ids, NULL, n, err);
    if (!st)
        st = sharded_pass_forward(pass, w, &s, temperature > 0 ? temperature : 1.0f, &out, err);
    sequences_deinit(&s);
    sharded_pass_free(pass);
    return st;
}
