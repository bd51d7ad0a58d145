/* engine_source.c - opening a model's files, one by one, in the order in which they are needed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/engine_source.h"

#include <string.h>

#include "models/formats/rope_scaling.h"
#include "runtime/base/seams.h"

static bool is_embedded(const struct engine_options *o)
{
    return strcmp(o->model, "embedded") == 0;
}

/* NULL in s->files: the caller's weights have no files. */
static enum status open_files(struct engine_source *s, const struct engine_options *o,
                              struct error *err)
{
    if (!o->model || (o->weights && !is_embedded(o) && !file_exists(o->model)))
        return STATUS_OK;
    return is_embedded(o) ? model_source_embedded(o->embedded, &s->files, err)
                          : model_source_open(o->model, &s->files, err);
}

enum status engine_source_config(struct engine_source *s, const struct engine_options *o,
                                 struct error *err)
{
    struct error ignored = ERROR_INIT;
    enum status st = backend_require(o->backend, OP_BIT(LOGSUMEXP), "sampling", err);

    if (st)
        return st;
    if (o->weights) {
        s->config = *weights_config(o->weights);
        s->arch = weights_arch(o->weights);
        return STATUS_OK;
    }
    if (!o->model)
        return error_set(err, STATUS_USAGE, "no model is given");
    st = open_files(s, o, err);
    if (!st)
        st = model_source_config(s->files, &s->config, err);
    if (st)
        return st;
    rope_set_context(&s->config, o->context);
    s->arch = arch_find(s->config.architecture);
    if (!s->arch) {
        error_at(err, STATUS_UNSUPPORTED, o->model, 0, 0, "architecture \"%s\" is not supported",
                 s->config.architecture);
        return STATUS_UNSUPPORTED;
    }
    st = arch_check(s->arch, &s->config, o->backend, err);
    /* Weights that are missing or damaged are an error after the plan: engine_source_weights. */
    if (!st && model_source_tensors(s->files, &s->tensors, &ignored))
        s->tensors = NULL;
    return st;
}

enum status engine_source_texts(struct engine_source *s, const struct engine_options *o,
                                struct error *err)
{
    enum status st = s->files ? STATUS_OK : open_files(s, o, err);

    if (st || !s->files)
        return st; /* without a tokenizer: token ids only */
    st = model_source_tokenizer(s->files, &s->tokenizer, err);
    if (!st)
        st = model_source_texts(s->files, &s->texts, err);
    if (!st && s->tokenizer && tokenizer_size(s->tokenizer) > s->config.vocab_size)
        st = error_at(err, STATUS_INVALID, o->model, 0, 0,
                      "the tokenizer has %d ids, but the model's vocabulary has %d",
                      (int)tokenizer_size(s->tokenizer), (int)s->config.vocab_size);
    return st;
}

enum status engine_source_weights(struct engine_source *s, const struct engine_options *o,
                                  struct weights **out, struct error *err)
{
    struct tensor_file *tensors = s->tensors;
    enum status st = STATUS_OK;

    if (o->weights) {
        *out = weights_ref(o->weights);
        return STATUS_OK;
    }
    if (!tensors)
        st = model_source_tensors(s->files, &tensors, err);
    if (st)
        return st;
    s->tensors = NULL;
    return weights_load_cached(o->backend, s->arch, &s->config, tensors, o->weight_dtype, o->cache,
                               out, err);
}

void engine_source_deinit(struct engine_source *s)
{
    tensor_file_close(s->tensors);
    tokenizer_free(s->tokenizer);
    tokenizer_config_deinit(&s->texts);
    model_source_close(s->files);
    s->tensors = NULL;
    s->tokenizer = NULL;
    s->files = NULL;
}
