/* model_file.c - see model_file.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/model_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/script/script_model.h"
#include "runtime/api/known_model.h"
#include "runtime/base/home.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/text.h"

#define CONFIG_MAX ((size_t)1 << 20)

static enum status hf_cache(char *out, size_t n, struct error *err)
{
    const char *hub = getenv("HF_HUB_CACHE"), *hf = getenv("HF_HOME");
    char home[440];
    enum status st = STATUS_OK;

    if (hub && *hub)
        snprintf(out, n, "%s", hub);
    else if (hf && *hf)
        snprintf(out, n, "%s/hub", hf);
    else if ((st = home_folder(home, sizeof(home), err)) == STATUS_OK)
        snprintf(out, n, "%s/.cache/huggingface/hub", home);
    return st;
}

static enum status find_hf(const char *name, char out[MODEL_FOLDER_MAX], struct error *err);

static bool has(const char *folder, const char *name)
{
    char path[MODEL_FOLDER_MAX + 32];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return file_exists(path);
}

/* An entry with config.json is one model; else each of its GGUF files is one. */
static void each_of_entry(const char *name, void (*each)(void *ctx, const char *name), void *ctx)
{
    char folder[MODEL_FOLDER_MAX], file[600];
    struct error ignored = ERROR_INIT;
    bool found = false;
    DIR *d = NULL;

    if (find_hf(name + 3, folder, &ignored) == STATUS_OK && !has(folder, "config.json"))
        d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!model_source_is_gguf(e->d_name))
            continue;
        snprintf(file, sizeof(file), "%s/%s", name, e->d_name);
        each(ctx, file);
        found = true;
    }
    if (d)
        closedir(d);
    if (!found)
        each(ctx, name);
}

void model_known_each(void (*each)(void *ctx, const char *name), void *ctx)
{
    const struct known_model *m;

    for (int32_t i = 0; (m = known_model_at(i)) != NULL; i++)
        if (known_model_is_here(m))
            each(ctx, m->name);
}

/* Entries models--ORG--NAME. */
void model_cache_each(void (*each)(void *ctx, const char *name), void *ctx)
{
    char base[512];
    struct error no_home = ERROR_INIT;
    DIR *d = hf_cache(base, sizeof(base), &no_home) ? NULL : opendir(base);

    for (struct dirent *e; d && (e = readdir(d));) {
        char name[300];
        const char *sep =
            strncmp(e->d_name, "models--", 8) == 0 ? strstr(e->d_name + 8, "--") : NULL;
        if (!sep)
            continue;
        snprintf(name, sizeof(name), "hf:%.*s/%s", (int)(sep - e->d_name - 8), e->d_name + 8,
                 sep + 2);
        each_of_entry(name, each, ctx);
    }
    if (d)
        closedir(d);
}

/* hf:ORG/NAME[/FILE] in the local cache: hub/models--ORG--NAME/snapshots/REV. Nothing is
 * downloaded. */
static enum status find_hf(const char *name, char out[MODEL_FOLDER_MAX], struct error *err)
{
    const char *slash = strchr(name, '/'), *file = slash ? strchr(slash + 1, '/') : NULL;
    const int n_name = !slash ? 0 : file ? (int)(file - slash - 1) : (int)strlen(slash + 1);
    char base[512], *rev = NULL;
    size_t n = 0;
    enum status st;

    if (!slash || (file && (strchr(file + 1, '/') || !model_source_is_gguf(file + 1))))
        return error_set(err, STATUS_USAGE, "hf:%s: expected hf:ORG/NAME or hf:ORG/NAME/FILE.gguf",
                         name);
    st = hf_cache(base, sizeof(base), err);
    if (st)
        return st;
    snprintf(out, MODEL_FOLDER_MAX, "%s/models--%.*s--%.*s/refs/main", base, (int)(slash - name),
             name, n_name, slash + 1);
    st = file_read(out, 256, &rev, &n, err);
    if (st) {
        error_note(err, "hf:%s is not in the local cache", name);
        error_hint(err, "troupe does not download it; fetch it with your usual tool first");
        return st;
    }
    rev[strcspn(rev, "\r\n \t")] = 0;
    snprintf(out, MODEL_FOLDER_MAX, "%s/models--%.*s--%.*s/snapshots/%s%s", base,
             (int)(slash - name), name, n_name, slash + 1, rev, file ? file : "");
    free(rev);
    return STATUS_OK;
}

/* The name may be the output folder of `train`, whose model is in OUT/model. */
static void enter_output(char folder[MODEL_FOLDER_MAX])
{
    char inside[1100];

    snprintf(inside, sizeof(inside), "%s/config.json", folder);
    if (file_exists(inside))
        return;
    snprintf(inside, sizeof(inside), "%s/model/config.json", folder);
    if (file_exists(inside) && strlen(folder) + sizeof("/model") <= MODEL_FOLDER_MAX)
        memcpy(folder + strlen(folder), "/model", sizeof("/model"));
}

/* A folder that `train` writes and that has no model yet. */
static enum status unfinished(const char *folder, struct error *err)
{
    struct json *doc = NULL;
    struct error ignored = ERROR_INIT;
    struct str out = STR_INIT;
    char path[MODEL_FOLDER_MAX + 32];

    snprintf(path, sizeof(path), "%s/train.json", folder);
    if (jv_parse_file(path, CONFIG_MAX, &doc, &ignored))
        doc = NULL; /* one of 0.1 has none */
    (void)error_set(err, STATUS_NOT_FOUND,
                    "the training in %s is not finished: it has no model yet", folder);
    text_put_shell_word(folder, &out);
    error_hint(err, "`troupe %s --resume --out %s` continues it",
               jv_get_string(jv_get(doc, "command"), "train sft|grpo"), str_cstr(&out));
    str_deinit(&out);
    jv_unref(doc);
    return STATUS_NOT_FOUND;
}

static enum status check_is_there(const char *folder, struct error *err)
{
    struct stat s;

    if (stat(folder, &s) != 0) {
        (void)error_set(err, STATUS_NOT_FOUND, "there is no folder or file %s", folder);
        error_hint(err, "a model is embedded, a folder, a GGUF file, hf:ORG/NAME or script:FILE");
        return STATUS_NOT_FOUND;
    }
    if (S_ISREG(s.st_mode))
        return STATUS_OK; /* its bytes say whether it is a GGUF */
    if (!S_ISDIR(s.st_mode)) {
        (void)error_set(err, STATUS_INVALID, "%s is neither a folder nor a file", folder);
        error_hint(err, "a model is embedded, a folder, a GGUF file, hf:ORG/NAME or script:FILE");
        return STATUS_INVALID;
    }
    if (!has(folder, "config.json") && has(folder, "checkpoints"))
        return unfinished(folder, err);
    return STATUS_OK;
}

static enum status find_known(const struct known_model *m, char out[MODEL_FOLDER_MAX],
                              struct error *err)
{
    struct str path = STR_INIT;
    enum status st = known_model_path(m, &path, err);

    if (!st && !file_exists(str_cstr(&path)))
        st = known_model_is_missing(m, err);
    if (!st && path.len >= MODEL_FOLDER_MAX)
        st = error_set(err, STATUS_INVALID, "the path of the user's data folder is too long");
    if (!st)
        snprintf(out, MODEL_FOLDER_MAX, "%s", str_cstr(&path));
    str_deinit(&path);
    return st;
}

enum status model_folder(const char *name, char out[MODEL_FOLDER_MAX], struct error *err)
{
    if (strncmp(name, "hf:", 3) == 0)
        return find_hf(name + 3, out, err);
    if (strncmp(name, "script:", 7) == 0) {
        (void)error_set(err, STATUS_USAGE, "%s has no weights: it gives replies from a file", name);
        error_hint(err, "here a model is embedded, a folder or hf:ORG/NAME");
        return STATUS_USAGE;
    }
    if (strlen(name) >= MODEL_FOLDER_MAX)
        return error_set(err, STATUS_USAGE, "the name of the model is too long");
    snprintf(out, MODEL_FOLDER_MAX, "%s", name);
    if (strcmp(name, "embedded") == 0 || strcmp(name, "new") == 0)
        return STATUS_OK;
    if (!file_exists(name) && known_model_find(name))
        return find_known(known_model_find(name), out, err);
    enter_output(out);
    return check_is_there(out, err);
}

static enum status embedded_file(const char *file, char **out, size_t *n, struct error *err)
{
    for (int32_t i = 0; embedded_file_at(i); i++) {
        const struct embedded_file *f = embedded_file_at(i);

        if (strcmp(f->name, file) != 0)
            continue;
        *out = xcalloc(1, f->n + 1);
        memcpy(*out, f->bytes, f->n);
        *n = f->n;
        return STATUS_OK;
    }
    return error_set(err, STATUS_NOT_FOUND, "the embedded model has no %s", file);
}

enum status model_files(const char *name, struct model_source **out, struct error *err)
{
    char folder[MODEL_FOLDER_MAX];
    enum status st;

    if (strcmp(name, "embedded") == 0)
        return model_source_embedded(embedded_file_at, out, err);
    st = model_folder(name, folder, err);
    return st ? st : model_source_open(folder, out, err);
}

enum status model_file(const char *name, const char *file, size_t max_bytes, char **out, size_t *n,
                       struct error *err)
{
    char folder[MODEL_FOLDER_MAX], path[MODEL_FOLDER_MAX + 128];
    enum status st;

    if (strcmp(name, "embedded") == 0)
        return embedded_file(file, out, n, err);
    st = model_folder(name, folder, err);
    if (st)
        return st;
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    return file_read(path, max_bytes, out, n, err);
}

static enum status check_script(const char *path, struct error *err)
{
    struct model *m;
    enum status st = script_model_open(path, &m, err);

    if (!st)
        m->ops->close(m);
    return st;
}

static enum status check_folder(const char *name, bool in_env, struct error *err)
{
    struct model_source *files = NULL;
    struct model_config config;
    enum status st = model_files(name, &files, err);

    if (!st)
        st = model_source_config(files, &config, err);
    if (!st && !in_env && strcmp(config.codec, "compact") == 0)
        st = model_chats_not(name, err);
    model_source_close(files);
    return st;
}

static enum status check_remote(const struct remote_specs *remote, const char *name,
                                struct error *err)
{
    struct remote_spec spec = {.url = NULL};
    enum status st =
        remote_specs_get(remote, name) ? STATUS_OK : remote_spec_from_name(name, &spec, err);

    remote_spec_deinit(&spec);
    return st;
}

bool model_has_price(const struct remote_specs *remote, const char *name)
{
    const struct remote_spec *spec = remote_specs_get(remote, name);

    return spec ? spec->price_input >= 0 && spec->price_output >= 0 : !remote_is_name(remote, name);
}

enum status model_check(const struct remote_specs *remote, const char *name, const char *base,
                        bool in_env, struct error *err)
{
    struct str whole = STR_INIT;
    enum status st = model_name_check(remote, name, base, err);

    if (st)
        return st;
    model_name_absolute(remote, name, base, &whole);
    name = str_cstr(&whole);
    if (strncmp(name, "script:", 7) == 0)
        st = check_script(name + 7, err);
    else if (remote_is_name(remote, name))
        st = check_remote(remote, name, err);
    else
        st = check_folder(name, in_env, err);
    str_deinit(&whole);
    return st;
}
