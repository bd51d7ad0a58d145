/* engine_source.c - opening a model's files, one by one, in the order in which they are needed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/engine_source.h"

#include <string.h>

#include "models/formats/safetensors.h"
#include "runtime/base/str.h"

static bool is_embedded(const struct engine_options *o)
{
    return strcmp(o->model, "embedded") == 0;
}

/* NULL: not in the binary. */
static const struct embedded_file *find_embedded(const struct engine_options *o, const char *name)
{
    const struct embedded_file *f;

    for (int32_t i = 0; o->embedded && (f = o->embedded(i)); i++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static enum status require_embedded(const struct engine_options *o, const char *name,
                                    const struct embedded_file **out, struct error *err)
{
    *out = find_embedded(o, name);
    if (*out)
        return STATUS_OK;
    return error_set(err, STATUS_NOT_FOUND, "this program has no embedded model (no %s in it)",
                     name);
}

static enum status embedded_config(const struct engine_options *o, struct model_config *c,
                                   struct error *err)
{
    const struct embedded_file *f;
    enum status st = require_embedded(o, "config.json", &f, err);

    if (st)
        return st;
    st = model_config_parse(f->bytes, f->n, "embedded config.json", c, err);
    f = find_embedded(o, "generation_config.json");
    if (!st && f)
        st = model_config_parse_generation(f->bytes, f->n, "embedded generation_config.json", c,
                                           err);
    return st;
}

enum status engine_source_config(struct engine_source *s, const struct engine_options *o,
                                 struct error *err)
{
    enum status st = STATUS_OK;

    if (o->weights) {
        s->config = *weights_config(o->weights);
        s->arch = weights_arch(o->weights);
        return STATUS_OK;
    }
    if (!o->model)
        return error_set(err, STATUS_USAGE, "no model is given");
    st = is_embedded(o) ? embedded_config(o, &s->config, err)
                        : model_config_load_dir(o->model, &s->config, err);
    if (st)
        return st;
    s->arch = arch_find(s->config.architecture);
    if (!s->arch) {
        error_at(err, STATUS_UNSUPPORTED, o->model, 0, 0, "architecture \"%s\" is not supported",
                 s->config.architecture);
        return STATUS_UNSUPPORTED;
    }
    return s->arch->check(&s->config, o->backend, err);
}

static enum status embedded_texts(struct engine_source *s, const struct engine_options *o,
                                  struct error *err)
{
    const struct embedded_file *f;
    enum status st = require_embedded(o, "tokenizer.json", &f, err);

    if (!st)
        st = tokenizer_from_json(f->bytes, f->n, "embedded tokenizer.json", &s->tokenizer, err);
    if (st)
        return st;
    f = find_embedded(o, "tokenizer_config.json");
    if (f)
        st = tokenizer_config_parse(f->bytes, f->n, "embedded tokenizer_config.json", &s->texts,
                                    err);
    return st;
}

enum status engine_source_texts(struct engine_source *s, const struct engine_options *o,
                                struct error *err)
{
    struct str path = STR_INIT;
    enum status st = STATUS_OK;
    bool there;

    if (!o->model || (o->weights && !is_embedded(o) && !file_exists(o->model)))
        return STATUS_OK; /* without a tokenizer: token ids only */
    if (is_embedded(o))
        return embedded_texts(s, o, err);
    str_printf(&path, "%s/tokenizer.json", o->model);
    there = file_exists(str_cstr(&path));
    str_deinit(&path);
    if (there) /* a checkpoint without one still takes ids */
        st = tokenizer_load_dir(o->model, &s->tokenizer, err);
    if (!st)
        st = tokenizer_config_load_dir(o->model, &s->texts, err);
    if (!st && s->tokenizer && tokenizer_size(s->tokenizer) > s->config.vocab_size)
        st = error_at(err, STATUS_INVALID, o->model, 0, 0,
                      "the tokenizer has %d ids, but the model's vocabulary has %d",
                      (int)tokenizer_size(s->tokenizer), (int)s->config.vocab_size);
    return st;
}

enum status engine_source_weights(const struct engine_source *s, const struct engine_options *o,
                                  struct weights **out, struct error *err)
{
    const struct embedded_file *f;
    struct tensor_file *files;
    enum status st;

    if (o->weights) {
        *out = weights_ref(o->weights);
        return STATUS_OK;
    }
    if (is_embedded(o)) {
        st = require_embedded(o, "model.safetensors", &f, err);
        if (!st)
            st = safetensors_from_memory("embedded model.safetensors", f->bytes, f->n, &files, err);
    } else {
        st = safetensors_open_dir(o->model, &files, err);
    }
    if (st)
        return st;
    return weights_load(o->backend, s->arch, &s->config, files, o->weight_dtype, out, err);
}

void engine_source_deinit(struct engine_source *s)
{
    tokenizer_free(s->tokenizer);
    tokenizer_config_deinit(&s->texts);
    s->tokenizer = NULL;
}
