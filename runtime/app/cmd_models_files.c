/* cmd_models_files.c - models check and quantise: what reads all of a model's weights.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <sys/stat.h>

#include "models/formats/gguf_quantise.h"
#include "models/formats/model_check.h"
#include "runtime/app/app_model.h"
#include "runtime/app/app_tokenizer.h"

static enum status check_model(struct model_source *files, struct model_check *out,
                               int32_t *n_tokens, struct error *err)
{
    struct tensor_file *tensors = NULL;
    struct tokenizer *tokenizer = NULL;
    struct tokenizer_config texts = {0};
    struct model_config c;
    enum status st = model_source_config(files, &c, err);

    if (!st)
        st = model_source_tensors(files, &tensors, err);
    if (!st)
        st = model_check_tensors(&c, tensors, out, err);
    if (!st)
        st = model_source_tokenizer(files, &tokenizer, err);
    if (!st)
        st = model_source_texts(files, &texts, err);
    *n_tokens = tokenizer ? tokenizer_size(tokenizer) : 0;
    if (!st && *n_tokens > c.vocab_size)
        st = error_set(err, STATUS_INVALID,
                       "the tokenizer has %d ids, but the model's vocabulary has %d", *n_tokens,
                       c.vocab_size);
    tokenizer_config_deinit(&texts);
    tokenizer_free(tokenizer);
    tensor_file_close(tensors);
    return st;
}

static int check_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0);
    struct model_source *files = NULL;
    struct model_check sum;
    struct error err = ERROR_INIT;
    struct str out = STR_INIT;
    int32_t n_tokens = 0;
    int code;
    enum status st = app_model_files(a, name, &files, &err);

    if (!st)
        st = check_model(files, &sum, &n_tokens, &err);
    model_source_close(files);
    if (st)
        return app_fail(a, &err);
    if (a->json) {
        struct json *doc = app_document("model_check");

        jv_set_string(doc, "name", name);
        jv_set_int(doc, "tensors", sum.n_tensors);
        jv_set_int(doc, "values", sum.n_values);
        jv_set_int(doc, "bytes", sum.bytes);
        jv_set_int(doc, "tokens", n_tokens);
        return app_print_json(doc);
    }
    str_printf(&out, "%s: ok, %d tensors, %lld values in %lld bytes, %d tokens\n", name,
               sum.n_tensors, (long long)sum.n_values, (long long)sum.bytes, n_tokens);
    code = app_print(&out);
    str_deinit(&out);
    return code;
}

static const enum option_id check_options[] = {OPT_END};
const struct command_spec cmd_models_check = {
    "models check",
    "models",
    "M",
    "read all files of a model: shapes, values and the tokenizer",
    "Reads every weight and fails with the name of the first tensor that is missing, has another "
    "shape "
    "than the\nmodel's sizes ask for, is of a type that this build does not read, or contains a "
    "value "
    "that is not finite.",
    check_options,
    1,
    1,
    check_main};

/* ---- quantise */

static enum status check_out(const struct app *a, const char *out, struct error *err)
{
    struct stat s;

    if (!option_text(a->options, OPT_TO))
        return error_set(err, STATUS_USAGE, "--to is missing: one of " GGUF_RECIPES);
    if (!out)
        return error_set(err, STATUS_USAGE, "--out is missing: the file to write");
    if (stat(out, &s) != 0 || option_flag(a->options, OPT_FORCE))
        return STATUS_OK;
    (void)error_set(err, STATUS_USAGE, "%s exists already", out);
    error_hint(err, "--force replaces it");
    return STATUS_USAGE;
}

static int quantise_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0), *out = option_text(a->options, OPT_OUT);
    struct model_source *files = NULL;
    struct error err = ERROR_INIT;
    enum status st = check_out(a, out, &err);

    if (!st)
        st = app_model_files(a, name, &files, &err);
    if (!st)
        st = gguf_quantise(files, option_text(a->options, OPT_TO), out, a->seams, &err);
    model_source_close(files);
    if (st)
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO, "wrote %s", out);
    return app_print_done(a, "quantised", "file", out);
}

static const enum option_id quantise_options[] = {OPT_TO, OPT_OUT, OPT_FORCE, OPT_END};
const struct command_spec cmd_models_quantise = {
    "models quantise",
    "models",
    "M",
    "write a model as a GGUF file with smaller weights",
    "M is a folder or a GGUF file. A GGUF keeps its keys; of a folder the config, the tokenizer "
    "and "
    "the chat template\nbecome keys. Quantising a quantised model loses more than quantising the "
    "original.",
    quantise_options,
    1,
    1,
    quantise_main};
