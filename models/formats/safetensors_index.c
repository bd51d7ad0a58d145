/* safetensors_index.c - a folder: one file, or the shards that an index names.
 *
 * The index is {"weight_map": {tensor name: file name}}. It is as untrusted as the
 * files: its names may not leave the folder, and what it says must be so.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/formats/foreign_file.h"
#include "models/formats/safetensors_internal.h"
#include "runtime/base/memory.h"

#define MAX_INDEX_BYTES ((size_t)32 << 20)

/* A plain name of a file beside the index: nothing that leaves the folder. */
static bool is_shard_name(const char *name)
{
    const size_t n = strlen(name), suffix = strlen(".safetensors");

    return n > suffix && n < 256 && name[0] != '.' && strchr(name, '/') == NULL &&
           strcmp(name + n - suffix, ".safetensors") == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Distinct file names of the map, sorted; the strings stay the map's. */
static enum status list_shards(const char *path, const struct json *weight_map, const char **shard,
                               int32_t *n_shards, struct error *err)
{
    struct map *seen = map_new();
    const char *tensor;
    struct json *value;
    enum status st = STATUS_OK;

    *n_shards = 0;
    for (void *it = NULL; st == STATUS_OK && (it = jv_next(weight_map, it, &tensor, &value));) {
        const char *file = jv_get_string(value, "");

        if (!is_shard_name(file))
            st = error_set(err, STATUS_INVALID,
                           "%s: weight_map: \"%s\": \"%s\" is not the name of a .safetensors file "
                           "in the same folder",
                           path, tensor, file);
        else if (map_get(seen, file) == NULL && *n_shards == SAFETENSORS_MAX_SHARDS)
            st = error_set(err, STATUS_LIMIT, "%s: more than %d files", path,
                           SAFETENSORS_MAX_SHARDS);
        else if (map_put(seen, file, (void *)(uintptr_t)file) == NULL)
            shard[(*n_shards)++] = file;
    }
    map_free(seen, NULL);
    if (st == STATUS_OK && *n_shards == 0)
        st = error_set(err, STATUS_INVALID, "%s: weight_map is empty", path);
    if (st == STATUS_OK)
        qsort(shard, (size_t)*n_shards, sizeof(*shard), by_text);
    return st;
}

/* Every tensor must be in the file that the index gives for it. */
static enum status check_index(const char *path, const struct json *weight_map,
                               const struct tensor_file *set, struct error *err)
{
    const char *name;
    struct json *value;

    for (void *it = NULL; (it = jv_next(weight_map, it, &name, &value));) {
        const struct file_tensor *t = tensor_file_find(set, name);
        const char *file = jv_get_string(value, "");
        const char *slash = t ? strrchr(t->file, '/') : NULL;

        if (t == NULL)
            return error_set(err, STATUS_INVALID, "%s: tensor \"%s\" is not in %s", path, name,
                             file);
        if (strcmp(slash ? slash + 1 : t->file, file) != 0)
            return error_set(err, STATUS_INVALID, "%s: tensor \"%s\" is in %s, not in %s", path,
                             name, t->file, file);
    }
    return STATUS_OK;
}

static enum status open_shards(const char *dir, const char *path, const struct json *weight_map,
                               struct tensor_file **out, struct error *err)
{
    const char **shard = xcalloc(SAFETENSORS_MAX_SHARDS, sizeof(*shard));
    struct safetensors *set = NULL;
    struct str at = STR_INIT;
    int32_t n_shards;
    enum status st = list_shards(path, weight_map, shard, &n_shards, err);

    if (st)
        goto done;
    set = safetensors_new(n_shards);
    for (int32_t i = 0; i < n_shards && st == STATUS_OK; i++) {
        str_clear(&at);
        str_printf(&at, "%s/%s", dir, shard[i]);
        st = safetensors_map_file(&set->file[i], str_cstr(&at), err);
    }
    if (st == STATUS_OK)
        st = safetensors_read_files(set, err);
    if (st == STATUS_OK)
        st = check_index(path, weight_map, &set->base, err);
    if (st == STATUS_OK)
        *out = &set->base;
    else
        safetensors_free(set);
done:
    str_deinit(&at);
    free(shard);
    return st;
}

static enum status open_index(const char *dir, const char *path, struct tensor_file **out,
                              struct error *err)
{
    struct json *index = NULL;
    enum status st = jv_parse_file(path, MAX_INDEX_BYTES, &index, err);

    if (st)
        return st;
    if (jv_kind(jv_get(index, "weight_map")) != JV_OBJECT)
        st = error_set(err, STATUS_INVALID, "%s: \"weight_map\" is not an object", path);
    else if (jv_size(jv_get(index, "weight_map")) > TENSOR_FILE_MAX_TENSORS)
        st =
            error_set(err, STATUS_LIMIT, "%s: more than %d tensors", path, TENSOR_FILE_MAX_TENSORS);
    else
        st = open_shards(dir, path, jv_get(index, "weight_map"), out, err);
    jv_unref(index);
    return st;
}

enum status safetensors_open_dir(const char *dir, struct tensor_file **out, struct error *err)
{
    struct str single = STR_INIT, index = STR_INIT;
    enum status st;

    str_printf(&single, "%s/" SAFETENSORS_SINGLE, dir);
    str_printf(&index, "%s/" SAFETENSORS_INDEX, dir);
    if (file_exists(str_cstr(&single))) /* the order of transformers */
        st = safetensors_open_file(str_cstr(&single), out, err);
    else if (file_exists(str_cstr(&index)))
        st = open_index(dir, str_cstr(&index), out, err);
    else if ((st = foreign_folder_check(dir, err)) == STATUS_OK)
        st = error_set(err, STATUS_NOT_FOUND,
                       "%s contains neither " SAFETENSORS_SINGLE " nor " SAFETENSORS_INDEX, dir);
    str_deinit(&single);
    str_deinit(&index);
    return st;
}
