/* app_training.c - see app_training.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_training.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/fixed_options.h"
#include "runtime/app/app_args.h"
#include "runtime/app/app_model.h"
#include "runtime/base/text.h"

static void path_of(const char *dir, struct str *out)
{
    str_printf(out, "%s/train.json", dir);
}

enum status app_training_write(const struct app *a, const char *out, struct error *err)
{
    static const enum option_id without[] = {OPT_RESUME, OPT_OUT, OPT_END};
    struct str path = STR_INIT;
    enum status st;

    path_of(out, &path);
    st = dir_make(out, err);
    if (!st)
        st = app_args_write(a, without, str_cstr(&path), err);
    str_deinit(&path);
    return st;
}

enum status app_training_read(const struct app *a, const char *dir, const char *command,
                              struct app *then, bool *found, struct error *err)
{
    static const enum option_id here[] = {OPT_THREADS, OPT_CPU_ISA, OPT_DEVICE, OPT_KV_MEMORY,
                                          OPT_END};
    const struct command_spec *begun = NULL;
    struct options *options = NULL;
    struct str path = STR_INIT;
    enum status st = STATUS_OK;

    *then = *a;
    path_of(dir, &path);
    *found = file_exists(str_cstr(&path));
    if (*found)
        st = app_args_read(a, str_cstr(&path), here, &options, &begun, err);
    str_deinit(&path);
    if (st || !*found)
        return st;
    then->options = options;
    then->command = begun;
    if (begun && strcmp(begun->name, command) == 0)
        return STATUS_OK;
    app_training_close(a, then);
    return error_set(err, STATUS_USAGE, "the training in %s was not started by `troupe %s`", dir,
                     command);
}

/* Does the folder hold a training? Its options must not be overwritten. */
static bool is_begun(const char *out)
{
    struct str path = STR_INIT;
    bool begun;

    str_printf(&path, "%s/checkpoints", out);
    begun = file_exists(str_cstr(&path));
    str_deinit(&path);
    return begun;
}

static bool has_options(const char *out)
{
    struct str path = STR_INIT;
    bool found;

    path_of(out, &path);
    found = file_exists(str_cstr(&path));
    str_deinit(&path);
    return found;
}

int app_training_failed(struct app *a, enum status st, struct error *err)
{
    const char *out = option_text(a->options, OPT_OUT);
    struct str word = STR_INIT;
    int code;

    if (st == STATUS_CANCELLED && is_begun(out)) {
        text_put_shell_word(out, &word);
        error_hint(err, "`troupe %s --resume --out %s` continues the training", a->command->name,
                   str_cstr(&word));
    }
    str_deinit(&word);
    code = app_fail(a, err);
    if (st == STATUS_CORRUPT)
        return EXIT_CONFIG; /* the folder cannot be used */
    return st == STATUS_CANCELLED ? EXIT_INTERRUPTED : code;
}

/* --lr-schedule continue. */
static bool continues(const struct app *a)
{
    return strcmp(option_text(a->options, OPT_LR_SCHEDULE), "continue") == 0;
}

enum status app_training_open(const struct app *a, struct app *then, bool *from_folder,
                              struct error *err)
{
    const char *out = option_text(a->options, OPT_OUT);
    enum status st;

    *from_folder = false;
    if (!out)
        return error_set(err, STATUS_USAGE, "--out DIR is required: the folder to write");
    if (option_flag(a->options, OPT_RESUME) && !is_begun(out) && !has_options(out))
        return error_set(err, STATUS_USAGE, "%s contains no training", out);
    if (option_flag(a->options, OPT_RESUME)) {
        st = fixed_check_newest(out, err);
        return st ? st : app_training_read(a, out, a->command->name, then, from_folder, err);
    }
    if (continues(a)) {
        (void)error_set(err, STATUS_USAGE, "--lr-schedule continue needs --resume");
        return STATUS_USAGE;
    }
    if (!is_begun(out))
        return STATUS_OK;
    (void)error_set(err, STATUS_USAGE, "%s already contains a training", out);
    error_hint(err, "continue it with --resume, or give another folder");
    return STATUS_USAGE;
}

void app_training_close(const struct app *a, struct app *then)
{
    if (then->options && then->options != a->options)
        options_free((struct options *)(uintptr_t)then->options);
    then->options = NULL;
}

enum status app_training_model(const struct app *a, bool from_folder, const char **out,
                               struct error *err)
{
    const char *name = app_model_name(a, NULL, from_folder ? "embedded" : NULL);

    if (!name) {
        (void)error_set(err, STATUS_USAGE,
                        "--model is required: the model that training starts from");
        error_hint(
            err,
            strcmp(a->command->name, "train sft") == 0
                ? "a model is embedded, a folder, a GGUF file, hf:ORG/NAME, or new (random weights)"
                : "a model is embedded, a folder, a GGUF file or hf:ORG/NAME");
        return STATUS_USAGE;
    }
    *out = name;
    return STATUS_OK;
}

/* 0.1.0 recorded the data of conversations but no tokenizer. */
static bool begun_without_tokenizer(const struct app *a)
{
    const char *out = option_text(a->options, OPT_OUT);
    char *data = fixed_recorded(out, "data"), *tokenizer = fixed_recorded(out, "tokenizer");
    bool without = data && !tokenizer;

    free(data);
    free(tokenizer);
    return without;
}

bool app_training_chats(const struct app *a)
{
    return option_is_set(a->options, OPT_DATA) &&
           !(option_flag(a->options, OPT_RESUME) && begun_without_tokenizer(a));
}

struct learning app_learning(const struct app *a)
{
    const struct options *o = a->options;

    return (struct learning){.step = {.lr = option_number(o, OPT_LR),
                                      .beta1 = option_number(o, OPT_BETA1),
                                      .beta2 = option_number(o, OPT_BETA2),
                                      .eps = 1e-8,
                                      .weight_decay = option_number(o, OPT_WEIGHT_DECAY),
                                      .clip = option_number(o, OPT_CLIP)},
                             .lr_min = option_number(o, OPT_LR_MIN),
                             .warmup = option_int(o, OPT_WARMUP),
                             .continues = continues(a)};
}

void app_training_warn(const struct app *a)
{
    long long updates = option_int(a->options, OPT_UPDATES);
    long long warmup = option_int(a->options, OPT_WARMUP);

    if (updates < warmup && !continues(a))
        log_write(a->log, LOG_WARN,
                  "--updates %lld is less than --warmup %lld: the learning rate never reaches --lr",
                  updates, warmup);
}
