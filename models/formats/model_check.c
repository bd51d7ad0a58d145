/* model_check.c - see model_check.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_check.h"

#include <math.h>
#include <string.h>

#include "models/formats/model_family.h"
#include "runtime/base/map.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

bool model_ignores_tensor(const struct model_config *c, const char *name)
{
    return ends_with(name, "rotary_emb.inv_freq") ||
           (c->tie_word_embeddings && strcmp(name, "lm_head.weight") == 0) ||
           model_family_own_tensor(name);
}

static enum status check_values(const struct file_tensor *t, struct error *err)
{
    enum { PIECE = 4096 };
    float piece[PIECE];

    if (t->dtype == DTYPE_N)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: tensor \"%s\" has dtype %s, which this build does not read", t->file,
                         t->name, t->type);
    for (int64_t at = 0; at < t->n_elements; at += PIECE) {
        const int64_t n = t->n_elements - at < PIECE ? t->n_elements - at : PIECE;

        file_tensor_to_f32(t, at, n, piece);
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(piece[i]))
                return error_set(err, STATUS_INVALID, "%s: tensor \"%s\": value %lld is %g",
                                 t->file, t->name, (long long)(at + i), (double)piece[i]);
    }
    return STATUS_OK;
}

/* Those that the family needs; their names go to `known`. */
static enum status check_shapes(const struct model_config *c, const struct tensor_file *tensors,
                                struct map *known, struct error *err)
{
    const struct model_family *f = model_family_of_class(c->architecture);
    const struct file_tensor *t;
    struct family_tensor want;

    if (!f)
        return error_set(err, STATUS_UNSUPPORTED, "architecture \"%s\" is not supported",
                         c->architecture);
    for (int32_t i = 0; model_family_tensor(f, c, i, &want); i++) {
        enum status st = tensor_file_require(tensors, want.name, want.n_dims, want.shape, &t, err);

        if (st)
            return st;
        map_put(known, want.name, known);
    }
    return STATUS_OK;
}

enum status model_check_tensors(const struct model_config *c, const struct tensor_file *tensors,
                                struct model_check *out, struct error *err)
{
    struct map *known = map_new();
    struct model_check sum = {0};
    enum status st = check_shapes(c, tensors, known, err);

    for (int32_t i = 0; i < tensor_file_count(tensors) && st == STATUS_OK; i++) {
        const struct file_tensor *t = tensor_file_at(tensors, i);

        if (!map_get(known, t->name) && !model_ignores_tensor(c, t->name)) {
            st = error_set(err, STATUS_UNSUPPORTED, "%s: tensor \"%s\" is not part of %s", t->file,
                           t->name, c->architecture);
            break;
        }
        st = check_values(t, err);
        sum.n_tensors++;
        sum.n_values += t->n_elements;
        sum.bytes += (int64_t)t->bytes;
    }
    map_free(known, NULL);
    if (st == STATUS_OK)
        *out = sum;
    return st;
}
