/* model_source.c - the three makers of model_source.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/model_source.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/formats/gguf_config.h"
#include "models/formats/gguf_tensors.h"
#include "models/formats/gguf_tokenizer.h"
#include "models/formats/safetensors.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"

struct source_ops {
    enum status (*config)(struct model_source *s, struct model_config *out, struct error *err);
    enum status (*tokenizer_text)(struct model_source *s, char **out, size_t *n, struct error *err);
    enum status (*texts)(struct model_source *s, struct tokenizer_config *out, struct error *err);
    enum status (*tensors)(struct model_source *s, struct tensor_file **out, struct error *err);
};

struct model_source {
    const struct source_ops *ops;
    char *name;                                         /* the path */
    const struct embedded_file *(*embedded)(int32_t i); /* or NULL */
    struct gguf *gguf;                                  /* or NULL */
};

static struct model_source *source_new(const struct source_ops *ops, const char *name)
{
    struct model_source *s = xcalloc(1, sizeof(*s));

    s->ops = ops;
    s->name = xstrdup(name);
    return s;
}

/* ---- a folder */

static enum status folder_config(struct model_source *s, struct model_config *out,
                                 struct error *err)
{
    return model_config_load_dir(s->name, out, err);
}

static enum status folder_tokenizer(struct model_source *s, char **out, size_t *n,
                                    struct error *err)
{
    struct str path = STR_INIT;
    enum status st;

    str_printf(&path, "%s/tokenizer.json", s->name);
    st = file_read(str_cstr(&path), TOKENIZER_MAX_FILE, out, n, err);
    str_deinit(&path);
    return st;
}

static enum status folder_texts(struct model_source *s, struct tokenizer_config *out,
                                struct error *err)
{
    return tokenizer_config_load_dir(s->name, out, err);
}

static enum status folder_tensors(struct model_source *s, struct tensor_file **out,
                                  struct error *err)
{
    return safetensors_open_dir(s->name, out, err);
}

static const struct source_ops folder_ops = {folder_config, folder_tokenizer, folder_texts,
                                             folder_tensors};

/* ---- inside the program */

/* NULL: not in the program. */
static const struct embedded_file *find_embedded(const struct model_source *s, const char *name)
{
    const struct embedded_file *f;

    for (int32_t i = 0; (f = s->embedded(i)); i++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static enum status require_embedded(const struct model_source *s, const char *name,
                                    const struct embedded_file **out, struct error *err)
{
    *out = find_embedded(s, name);
    if (*out)
        return STATUS_OK;
    return error_set(err, STATUS_NOT_FOUND, "this program has no embedded model (no %s in it)",
                     name);
}

static enum status embedded_config(struct model_source *s, struct model_config *out,
                                   struct error *err)
{
    struct model_config c;
    const struct embedded_file *f;
    enum status st = require_embedded(s, "config.json", &f, err);

    if (st)
        return st;
    st = model_config_parse(f->bytes, f->n, "embedded config.json", &c, err);
    f = find_embedded(s, "generation_config.json");
    if (!st && f)
        st = model_config_parse_generation(f->bytes, f->n, "embedded generation_config.json", &c,
                                           err);
    if (!st)
        *out = c;
    return st;
}

static enum status embedded_tokenizer(struct model_source *s, char **out, size_t *n,
                                      struct error *err)
{
    const struct embedded_file *f;
    enum status st = require_embedded(s, "tokenizer.json", &f, err);

    if (st)
        return st;
    *out = xstrndup(f->bytes, f->n);
    *n = f->n;
    return STATUS_OK;
}

static enum status embedded_texts(struct model_source *s, struct tokenizer_config *out,
                                  struct error *err)
{
    const struct embedded_file *f = find_embedded(s, "tokenizer_config.json");

    if (f)
        return tokenizer_config_parse(f->bytes, f->n, "embedded tokenizer_config.json", out, err);
    *out = (struct tokenizer_config){0};
    return STATUS_OK;
}

static enum status embedded_tensors(struct model_source *s, struct tensor_file **out,
                                    struct error *err)
{
    const struct embedded_file *f;
    enum status st = require_embedded(s, "model.safetensors", &f, err);

    if (!st)
        st = safetensors_from_memory("embedded model.safetensors", f->bytes, f->n, out, err);
    return st;
}

static const struct source_ops embedded_ops = {embedded_config, embedded_tokenizer, embedded_texts,
                                               embedded_tensors};

enum status model_source_embedded(const struct embedded_file *(*embedded)(int32_t i),
                                  struct model_source **out, struct error *err)
{
    if (!embedded)
        return error_set(err, STATUS_NOT_FOUND, "this program has no embedded model");
    *out = source_new(&embedded_ops, "embedded");
    (*out)->embedded = embedded;
    return STATUS_OK;
}

/* ---- a GGUF */

static enum status of_gguf_config(struct model_source *s, struct model_config *out,
                                  struct error *err)
{
    return gguf_config(s->gguf, out, err);
}

static enum status of_gguf_tokenizer(struct model_source *s, char **out, size_t *n,
                                     struct error *err)
{
    struct str text;
    enum status st;

    str_init(&text, TOKENIZER_MAX_FILE + 1);
    st = gguf_tokenizer_text(s->gguf, &text, err);
    if (st == STATUS_OK) {
        *n = text.len;
        *out = str_take(&text);
    }
    str_deinit(&text);
    return st;
}

static enum status of_gguf_texts(struct model_source *s, struct tokenizer_config *out,
                                 struct error *err)
{
    return gguf_tokenizer_texts(s->gguf, out, err);
}

static enum status of_gguf_tensors(struct model_source *s, struct tensor_file **out,
                                   struct error *err)
{
    struct model_config c;
    enum status st = gguf_config(s->gguf, &c, err);

    return st ? st : gguf_tensors(s->gguf, &c, out, err);
}

static const struct source_ops gguf_ops = {of_gguf_config, of_gguf_tokenizer, of_gguf_texts,
                                           of_gguf_tensors};

static enum status open_gguf(const char *path, struct model_source **out, struct error *err)
{
    struct gguf *g;
    enum status st = gguf_open(path, &g, err);

    if (st)
        return st;
    *out = source_new(&gguf_ops, path);
    (*out)->gguf = g;
    return STATUS_OK;
}

bool model_source_is_gguf(const char *name)
{
    const size_t n = strlen(name), suffix = strlen(".gguf");
    const char *part = n > 20 ? name + n - 20 : ""; /* -00001-of-00001.gguf */

    if (n <= suffix || strcmp(name + n - suffix, ".gguf") != 0)
        return false;
    return !(part[0] == '-' && strncmp(part + 6, "-of-", 4) == 0 &&
             strncmp(part, "-00001", 6) != 0);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

#define MAX_LISTED 8

/* The names of the GGUFs of a folder, at most MAX_LISTED, sorted; returns how many there are. */
static size_t list_ggufs(const char *dir, char *name[MAX_LISTED])
{
    DIR *d = opendir(dir);
    size_t n = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        if (!model_source_is_gguf(e->d_name))
            continue;
        if (n < MAX_LISTED)
            name[n] = xstrdup(e->d_name);
        n++;
    }
    if (d)
        closedir(d);
    qsort(name, n < MAX_LISTED ? n : MAX_LISTED, sizeof(*name), by_text);
    return n;
}

static enum status several(const char *dir, char *const *name, size_t n, struct error *err)
{
    struct str list = STR_INIT;

    for (size_t i = 0; i < n && i < MAX_LISTED; i++)
        str_printf(&list, "%s%s", i ? ", " : "", name[i]);
    (void)error_set(err, STATUS_INVALID, "%s has %zu GGUF files: %s%s", dir, n, str_cstr(&list),
                    n > MAX_LISTED ? ", ..." : "");
    error_hint(err, "give one of them as the model");
    str_deinit(&list);
    return STATUS_INVALID;
}

/* One GGUF is the model of a folder without config.json. */
static enum status open_folder(const char *dir, struct model_source **out, struct error *err)
{
    struct str path = STR_INIT;
    char *name[MAX_LISTED];
    size_t n = 0;
    enum status st = STATUS_OK;

    str_printf(&path, "%s/config.json", dir);
    if (!file_exists(str_cstr(&path)))
        n = list_ggufs(dir, name);
    if (n == 1) {
        str_clear(&path);
        str_printf(&path, "%s/%s", dir, name[0]);
        st = open_gguf(str_cstr(&path), out, err);
    } else if (n > 1) {
        st = several(dir, name, n, err);
    } else {
        *out = source_new(&folder_ops, dir);
    }
    for (size_t i = 0; i < n && i < MAX_LISTED; i++)
        free(name[i]);
    str_deinit(&path);
    return st;
}

enum status model_source_open(const char *path, struct model_source **out, struct error *err)
{
    struct stat s;

    if (stat(path, &s) == 0 && S_ISREG(s.st_mode))
        return open_gguf(path, out, err);
    return open_folder(path, out, err);
}

void model_source_close(struct model_source *s)
{
    if (!s)
        return;
    gguf_unref(s->gguf);
    free(s->name);
    free(s);
}

const char *model_source_name(const struct model_source *s)
{
    return s->name;
}

struct gguf *model_source_gguf(const struct model_source *s)
{
    return s->gguf;
}

enum status model_source_config(struct model_source *s, struct model_config *out, struct error *err)
{
    return s->ops->config(s, out, err);
}

enum status model_source_tokenizer_text(struct model_source *s, char **out, size_t *n,
                                        struct error *err)
{
    return s->ops->tokenizer_text(s, out, n, err);
}

enum status model_source_tokenizer(struct model_source *s, struct tokenizer **out,
                                   struct error *err)
{
    struct str name = STR_INIT;
    struct error why = ERROR_INIT;
    char *text = NULL;
    size_t n = 0;
    enum status st =
        s->gguf ? gguf_tokenizer(s->gguf, out, &why) : s->ops->tokenizer_text(s, &text, &n, &why);

    if (st == STATUS_NOT_FOUND) {
        *out = NULL;
        return STATUS_OK;
    }
    str_printf(&name, "%s/tokenizer.json", s->name);
    if (!st && !s->gguf)
        st = tokenizer_from_json(text, n, str_cstr(&name), out, &why);
    if (st && err)
        *err = why;
    free(text);
    str_deinit(&name);
    return st;
}

enum status model_source_texts(struct model_source *s, struct tokenizer_config *out,
                               struct error *err)
{
    return s->ops->texts(s, out, err);
}

enum status model_source_tensors(struct model_source *s, struct tensor_file **out,
                                 struct error *err)
{
    return s->ops->tensors(s, out, err);
}
