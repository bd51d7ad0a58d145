/* app_new_model.c - weights to train from, and the folder that training writes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_new_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/arch/arch.h"
#include "models/formats/safetensors.h"
#include "models/formats/tokenizer_write.h"
#include "models/train/model_export.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_tokenizer.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tools/environments/environment.h"

#define NEW_CONTEXT 1024 /* positions of a model made here */
#define NEW_VOCAB   320  /* 256 bytes, the words of the environments, padding */

/* The embedded byte tokenizer: bytes, then the environments' words. */
static enum status byte_tokenizer_text(struct str *out, struct error *err)
{
    struct added_token added[NEW_VOCAB - 256];
    int32_t n = 0;

    for (; n < NEW_VOCAB - 256 && env_vocabulary_word(n); n++) {
        const char *word = env_vocabulary_word(n);
        added[n] = (struct added_token){.content = word, .special = word[0] == '<'};
    }
    return tokenizer_write_bytes(added, n, out, err);
}

static enum status new_config(struct app *a, const struct tokenizer *t, struct model_config *c,
                              struct error *err)
{
    const struct options *o = a->options;

    memset(c, 0, sizeof(*c));
    snprintf(c->architecture, sizeof(c->architecture), "Qwen3ForCausalLM");
    snprintf(c->model_type, sizeof(c->model_type), "qwen3");
    snprintf(c->codec, sizeof(c->codec), "compact");
    c->hidden_size = (int32_t)option_int(o, OPT_INIT_HIDDEN);
    c->intermediate_size = (int32_t)option_int(o, OPT_INIT_FFN);
    c->n_layers = (int32_t)option_int(o, OPT_INIT_LAYERS);
    c->n_heads = (int32_t)option_int(o, OPT_INIT_HEADS);
    c->n_kv_heads = c->n_heads;
    if (c->hidden_size % (2 * c->n_heads) != 0)
        return error_set(err, STATUS_USAGE,
                         "--init-hidden %d is not a multiple of twice --init-heads %d",
                         c->hidden_size, c->n_heads);
    c->head_dim = c->hidden_size / c->n_heads;
    c->vocab_size = NEW_VOCAB;
    c->max_position_embeddings = NEW_CONTEXT;
    c->rms_norm_eps = 1e-6f;
    c->rope_theta = 10000;
    c->initializer_range = 0.02;
    c->tie_word_embeddings = true;
    c->dtype = DTYPE_F32;
    c->bos_id = tokenizer_id_of(t, "<|bos|>");
    c->pad_id = tokenizer_id_of(t, "<|pad|>");
    c->n_eos = 1;
    c->eos_id[0] = tokenizer_id_of(t, "<|end|>");
    return model_config_check(c, "--init", err);
}

static enum status from_nothing(struct app *a, struct tokenizer **tokenizer,
                                struct weights **weights, struct error *err)
{
    struct str text = STR_INIT;
    struct engine_options eo;
    struct model_config c;
    char folder[1024];
    uint64_t seed = option_is_set(a->options, OPT_SEED) ? option_seed(a->options, OPT_SEED) : 1;
    enum status st = byte_tokenizer_text(&text, err);

    if (!st)
        st = tokenizer_from_json(str_cstr(&text), text.len, "the byte tokenizer", tokenizer, err);
    if (!st)
        st = new_config(a, *tokenizer, &c, err);
    if (!st)
        st = app_engine_options(a, "new", folder, &eo, err);
    if (!st)
        st = weights_init(eo.backend, arch_find(c.architecture), &c, seed, weights, err);
    str_deinit(&text);
    return st;
}

static enum status open_tensors(struct app *a, const char *model, const char *folder,
                                struct safetensors **out, struct error *err)
{
    (void)a;
    if (strcmp(model, "embedded") != 0)
        return safetensors_open_dir(folder, out, err);
    for (int32_t i = 0; embedded_file_at(i); i++)
        if (strcmp(embedded_file_at(i)->name, "model.safetensors") == 0)
            return safetensors_from_memory("embedded", embedded_file_at(i)->bytes,
                                           embedded_file_at(i)->n, out, err);
    return error_set(err, STATUS_NOT_FOUND, "this program has no embedded model");
}

static enum status from_model(struct app *a, const char *model, struct tokenizer **tokenizer,
                              struct weights **weights, struct error *err)
{
    struct engine_options eo;
    struct model_config c;
    struct safetensors *tensors = NULL;
    char folder[1024], *text = NULL;
    size_t n = 0;
    enum status st = app_model_file(a, model, "config.json", (size_t)1 << 20, &text, &n, err);

    if (!st)
        st = model_config_parse(text, n, "config.json", &c, err);
    free(text);
    if (!st)
        st = app_tokenizer(a, model, tokenizer, err);
    if (!st)
        st = app_engine_options(a, model, folder, &eo, err);
    if (!st && !arch_find(c.architecture))
        st = error_set(err, STATUS_UNSUPPORTED, "%s: architecture %s is not one of ours", model,
                       c.architecture);
    if (!st)
        st = arch_find(c.architecture)->check(&c, eo.backend, err);
    if (!st)
        st = open_tensors(a, model, folder, &tensors, err);
    if (!st)
        st = weights_load(eo.backend, arch_find(c.architecture), &c, tensors, DTYPE_F32, weights,
                          err);
    return st;
}

enum status app_new_model(struct app *a, const char *model, struct tokenizer **tokenizer,
                          struct weights **weights, struct error *err)
{
    return strcmp(model, "new") == 0 ? from_nothing(a, tokenizer, weights, err)
                                     : from_model(a, model, tokenizer, weights, err);
}

/* The model card of what training wrote: what is known, nothing else. */
static void model_card(struct app *a, const char *model, const struct weights *w, struct str *out)
{
    char hex[65];

    sha256_hex(weights_hash(w), hex);
    str_printf(out,
               "---\nlibrary_name: transformers\n---\n\nTrained by troupe " APP_VERSION
               " from `%s`, weights version %lld, %lld parameters,\nSHA-256 of the tensors %s.\n",
               model, (long long)weights_version(w), (long long)weights_n_params(w), hex);
    if (option_is_set(a->options, OPT_ENV))
        str_printf(out, "\n%s the environment `%s`.\n",
                   strcmp(a->command->name, "train grpo") == 0
                       ? "Reinforced (GRPO) by the verifier of"
                       : "Data: demonstrations of",
                   option_text(a->options, OPT_ENV));
}

static enum status new_files(struct str *texts, struct error *err)
{
    struct tokenizer_config_text t = {.bos_token = "<|bos|>",
                                      .eos_token = "<|end|>",
                                      .pad_token = "<|pad|>",
                                      .model_max_length = NEW_CONTEXT};

    tokenizer_write_config(&t, &texts[1]);
    return byte_tokenizer_text(&texts[0], err);
}

#define N_FILES 4

/* The tokenizer's files of the model that training began from; only tokenizer.json must be there.
 */
static enum status old_files(struct app *a, const char *model, const char *const *names,
                             struct str *texts, struct error *err)
{
    for (int i = 0; i < N_FILES - 1; i++) {
        char *text = NULL;
        size_t n = 0;
        struct error missing = ERROR_INIT;
        enum status st =
            app_model_file(a, model, names[i], TOKENIZER_MAX_FILE, &text, &n, &missing);
        if (st && (st != STATUS_NOT_FOUND || i == 0)) {
            *err = missing;
            return st;
        }
        if (text)
            str_append(&texts[i], text, n);
        free(text);
    }
    return STATUS_OK;
}

enum status app_write_model(struct app *a, const char *model, struct weights *weights,
                            const char *out, struct error *err)
{
    static const char *const names[N_FILES] = {"tokenizer.json", "tokenizer_config.json",
                                               "chat_template.jinja", "README.md"};
    struct str texts[N_FILES] = {STR_INIT, STR_INIT, STR_INIT, STR_INIT};
    struct export_file files[N_FILES];
    size_t n = 0;
    char dir[1100];
    enum status st =
        strcmp(model, "new") == 0 ? new_files(texts, err) : old_files(a, model, names, texts, err);

    model_card(a, model, weights, &texts[N_FILES - 1]);
    for (int i = 0; i < N_FILES; i++)
        if (texts[i].len > 0)
            files[n++] = (struct export_file){
                .name = names[i], .bytes = str_cstr(&texts[i]), .n = texts[i].len};
    snprintf(dir, sizeof(dir), "%s/model", out);
    if (!st)
        st = model_export(dir, weights, DTYPE_N, files, n, a->seams, err);
    for (int i = 0; i < N_FILES; i++)
        str_deinit(&texts[i]);
    return st;
}
