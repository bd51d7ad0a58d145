/* app_new_model.c - weights to train from, and the folder that training writes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_new_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/arch/arch.h"
#include "models/chat/chat_template.h"
#include "models/formats/rope_scaling.h"
#include "models/formats/tokenizer_write.h"
#include "models/train/model_export.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_tokenizer.h"
#include "runtime/app/app_training.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tools/environments/environment.h"

#define ENV_CONTEXT  1024 /* positions of a new model that acts in environments */
#define ENV_VOCAB    320  /* 256 bytes, the words of the environments, padding */
#define CHAT_CONTEXT 4096 /* of a chat model: a prompt with tools has some thousand bytes */

/* Tokens of a new chat model in addition to the bytes: the words of the default template. Those
 * that begin or end a turn are special. Those around tool calls are not, because special tokens are
 * removed from a reply before it is parsed. */
static const struct added_token chat_tokens[] = {
    {"<|endoftext|>", true},     {"<|im_start|>", true},  {"<|im_end|>", true},
    {"<tool_call>", false},      {"</tool_call>", false}, {"<tool_response>", false},
    {"</tool_response>", false}, {"<tools>", false},      {"</tools>", false},
    {"<think>", false},          {"</think>", false},
};

/* Bytes, then the words of the default chat template or of the environments. */
static enum status byte_tokenizer_text(bool chat, struct str *out, struct error *err)
{
    struct added_token added[ENV_VOCAB - 256];
    int32_t n = 0;

    if (chat)
        return tokenizer_write_bytes(chat_tokens, ARRAY_LEN(chat_tokens), out, err);
    for (; n < ENV_VOCAB - 256 && env_vocabulary_word(n); n++) {
        const char *word = env_vocabulary_word(n);
        added[n] = (struct added_token){.content = word, .special = word[0] == '<'};
    }
    return tokenizer_write_bytes(added, n, out, err);
}

static void set_tokens(const struct options *o, const struct tokenizer *t, bool chat,
                       struct model_config *c)
{
    int32_t context = (int32_t)option_int(o, OPT_CONTEXT);

    snprintf(c->codec, sizeof(c->codec), chat ? "json" : "compact");
    c->vocab_size = chat ? tokenizer_size(t) : ENV_VOCAB;
    c->max_position_embeddings = !chat ? ENV_CONTEXT : context > 0 ? context : CHAT_CONTEXT;
    c->bos_id = chat ? -1 : tokenizer_id_of(t, "<|bos|>");
    c->pad_id = tokenizer_id_of(t, chat ? "<|endoftext|>" : "<|pad|>");
    c->n_eos = 1;
    c->eos_id[0] = tokenizer_id_of(t, chat ? "<|im_end|>" : "<|end|>");
    if (chat)
        c->eos_id[c->n_eos++] = c->pad_id;
}

static enum status new_config(struct app *a, const struct tokenizer *t, struct model_config *c,
                              struct error *err)
{
    const struct options *o = a->options;

    memset(c, 0, sizeof(*c));
    snprintf(c->architecture, sizeof(c->architecture), "Qwen3ForCausalLM");
    snprintf(c->model_type, sizeof(c->model_type), "qwen3");
    c->hidden_size = (int32_t)option_int(o, OPT_INIT_HIDDEN);
    c->intermediate_size = (int32_t)option_int(o, OPT_INIT_FFN);
    c->n_layers = (int32_t)option_int(o, OPT_INIT_LAYERS);
    c->n_heads = (int32_t)option_int(o, OPT_INIT_HEADS);
    c->n_kv_heads = c->n_heads;
    if (c->hidden_size % (2 * c->n_heads) != 0)
        return error_set(err, STATUS_USAGE,
                         "--init-hidden %d is not a multiple of 2 * --init-heads %d",
                         c->hidden_size, c->n_heads);
    c->head_dim = c->hidden_size / c->n_heads;
    c->rms_norm_eps = 1e-6f;
    c->rope_theta = 10000;
    c->initializer_range = 0.02;
    c->tie_word_embeddings = true;
    c->dtype = DTYPE_F32;
    set_tokens(o, t, app_training_chats(a), c);
    return model_config_check(c, "--init", err);
}

static enum status from_nothing(struct app *a, struct tokenizer **tokenizer,
                                struct weights **weights, struct error *err)
{
    struct str text = STR_INIT;
    struct engine_options eo;
    struct model_config c;
    char folder[1024];
    enum status st = byte_tokenizer_text(app_training_chats(a), &text, err);

    if (!st)
        st = tokenizer_from_json(str_cstr(&text), text.len, "the byte tokenizer", tokenizer, err);
    if (!st)
        st = new_config(a, *tokenizer, &c, err);
    if (!st)
        st = app_engine_options(a, "new", folder, &eo, err);
    if (!st)
        st = weights_init(eo.backend, arch_find(c.architecture), &c,
                          option_seed(a->options, OPT_SEED), weights, err);
    if (!st)
        weights_set_kv_dtype(*weights, eo.kv_dtype);
    str_deinit(&text);
    return st;
}

static enum status from_model(struct app *a, const char *model, struct tokenizer **tokenizer,
                              struct weights **weights, struct error *err)
{
    struct engine_options eo;
    struct model_config c;
    struct tensor_file *tensors = NULL;
    struct model_source *files = NULL;
    char folder[1024];
    enum status st = app_model_files(a, model, &files, err);

    if (!st)
        st = model_source_config(files, &c, err);
    if (!st)
        st = app_tokenizer(a, model, tokenizer, err);
    if (!st)
        st = app_engine_options(a, model, folder, &eo, err);
    if (!st)
        rope_set_context(&c, eo.context);
    if (!st && !arch_find(c.architecture))
        st = error_set(err, STATUS_UNSUPPORTED, "%s: architecture %s is not supported", model,
                       c.architecture);
    if (!st)
        st = arch_check(arch_find(c.architecture), &c, eo.backend, err);
    if (!st)
        st = model_source_tensors(files, &tensors, err);
    if (!st)
        st = weights_load(eo.backend, arch_find(c.architecture), &c, tensors, DTYPE_F32, weights,
                          err);
    if (!st)
        weights_set_kv_dtype(*weights, eo.kv_dtype);
    model_source_close(files);
    return st;
}

enum status app_new_model(struct app *a, const char *model, struct tokenizer **tokenizer,
                          struct weights **weights, struct error *err)
{
    return strcmp(model, "new") == 0 ? from_nothing(a, tokenizer, weights, err)
                                     : from_model(a, model, tokenizer, weights, err);
}

/* The model card. */
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
    else if (option_is_set(a->options, OPT_FROM_RUNS))
        str_puts(out, "\nData: recorded runs, by their token ids.\n");
    else if (app_training_chats(a))
        str_puts(out, "\nData: conversations, rendered by its chat template.\n");
}

static enum status new_files(const struct app *a, const struct weights *w, struct str *texts,
                             struct error *err)
{
    bool chat = app_training_chats(a);
    struct tokenizer_config_text t = {
        .bos_token = chat ? NULL : "<|bos|>",
        .eos_token = chat ? "<|im_end|>" : "<|end|>",
        .pad_token = chat ? "<|endoftext|>" : "<|pad|>",
        .model_max_length = weights_config(w)->max_position_embeddings};

    tokenizer_write_config(&t, &texts[1]);
    return byte_tokenizer_text(chat, &texts[0], err);
}

enum status app_model_texts(struct app *a, const char *model, struct tokenizer_config *out,
                            struct error *err)
{
    struct model_source *files = NULL;
    enum status st;

    memset(out, 0, sizeof(*out));
    if (strcmp(model, "new") == 0) {
        out->eos_token = xstrdup("<|im_end|>");
        return STATUS_OK;
    }
    st = app_model_files(a, model, &files, err);
    if (!st)
        st = model_source_texts(files, out, err);
    model_source_close(files);
    return st;
}

/* A model trained with the default template gets it in its folder, so that other programs render
 * conversations as in training. */
static enum status add_default_template(struct app *a, const char *model, struct str *template,
                                        struct error *err)
{
    struct tokenizer_config texts = {0};
    enum status st = STATUS_OK;

    if (!app_training_chats(a) || template->len > 0)
        return STATUS_OK;
    st = app_model_texts(a, model, &texts, err);
    if (!st && !texts.chat_template)
        str_puts(template, chat_template_default());
    tokenizer_config_deinit(&texts);
    return st;
}

#define N_FILES 4

/* A GGUF has no files: those of a folder are made from it. */
static enum status gguf_files(struct model_source *files, struct str *texts, struct error *err)
{
    struct tokenizer_config c = {0};
    struct model_config config;
    char *text = NULL;
    size_t n = 0;
    enum status st = model_source_tokenizer_text(files, &text, &n, err);

    if (!st)
        st = model_source_config(files, &config, err);
    if (!st)
        st = model_source_texts(files, &c, err);
    if (!st) {
        str_append(&texts[0], text, n);
        const struct tokenizer_config_text own = {
            .bos_token = c.bos_token,
            .eos_token = c.eos_token,
            .pad_token = c.pad_token,
            .model_max_length = config.max_position_embeddings};

        tokenizer_write_config(&own, &texts[1]);
        if (c.chat_template)
            str_puts(&texts[2], c.chat_template);
    }
    tokenizer_config_deinit(&c);
    free(text);
    return st;
}

/* The tokenizer files of the start model; only tokenizer.json is required. */
static enum status old_files(struct app *a, const char *model, const char *const *names,
                             struct str *texts, struct error *err)
{
    struct model_source *files = NULL;
    enum status opened = app_model_files(a, model, &files, err);

    if (!opened && model_source_gguf(files)) {
        opened = gguf_files(files, texts, err);
        model_source_close(files);
        return opened;
    }
    model_source_close(files);
    if (opened)
        return opened;
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
    enum status st = strcmp(model, "new") == 0 ? new_files(a, weights, texts, err)
                                               : old_files(a, model, names, texts, err);

    if (!st)
        st = add_default_template(a, model, &texts[2], err);
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
