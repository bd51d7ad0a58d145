/* checkpoint_folder.c - see checkpoint_folder.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/checkpoint_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/file_open.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"

#define PREFIX "step-"

const char *const checkpoint_file[CHECKPOINT_FILES] = {"master.safetensors", "adam_m.safetensors",
                                                       "adam_v.safetensors", CHECKPOINT_STATE};

void checkpoint_path(struct str *s, const char *out, int64_t update)
{
    str_clear(s);
    str_printf(s, "%s/checkpoints/" PREFIX "%010lld", out, (long long)update);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* step-0000000012 is 12; anything else is not a checkpoint. */
static bool parse_name(const char *name, int64_t *update)
{
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    name += strlen(PREFIX);
    if (strlen(name) != 10)
        return false;
    *update = 0;
    for (; *name; name++) {
        if (*name < '0' || *name > '9')
            return false;
        *update = 10 * *update + (*name - '0');
    }
    return true;
}

int64_t *checkpoint_list(const char *out, size_t *n)
{
    struct str path = STR_INIT;
    int64_t *list = NULL, update;
    struct dirent *entry;
    DIR *dir;

    *n = 0;
    str_printf(&path, "%s/checkpoints", out);
    dir = opendir(str_cstr(&path));
    str_deinit(&path);
    if (!dir)
        return NULL;
    while ((entry = readdir(dir)) != NULL) {
        if (!parse_name(entry->d_name, &update))
            continue;
        list = xrealloc(list, (*n + 1) * sizeof(*list));
        list[(*n)++] = update;
    }
    closedir(dir);
    if (*n)
        qsort(list, *n, sizeof(*list), ascending);
    return list;
}

static enum status hash_file(const char *path, struct sha256 *hash, int64_t *bytes,
                             struct error *err)
{
    enum { PIECE = 1 << 18 };
    struct hasher *h;
    char *piece;
    ssize_t n;
    int e, fd = -1;
    enum status st = file_open(path, O_RDONLY, 0, &fd, NULL, err);

    if (st)
        return st;
    h = hasher_new();
    piece = xmalloc(PIECE);
    *bytes = 0;
    while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0) {
            hasher_add(h, piece, (size_t)n);
            *bytes += n;
        }
    }
    e = n < 0 ? errno : 0;
    close(fd);
    free(piece);
    *hash = hasher_finish(h);
    return e ? error_errno(err, e, "reading %s", path) : STATUS_OK;
}

enum status checkpoint_write_manifest(const struct seams *seams, const char *dir, struct error *err)
{
    struct json *doc = jv_object(), *files = jv_object();
    struct str path = STR_INIT, text = STR_INIT;
    enum status st = STATUS_OK;

    jv_set_int(doc, "format", 1);
    for (int i = 0; i < CHECKPOINT_FILES && !st; i++) {
        struct json *file = jv_object();
        struct sha256 hash = {{0}};
        int64_t bytes = 0;
        char hex[65];

        str_clear(&path);
        str_printf(&path, "%s/%s", dir, checkpoint_file[i]);
        st = hash_file(str_cstr(&path), &hash, &bytes, err);
        sha256_hex(&hash, hex);
        jv_set_string(file, "sha256", hex);
        jv_set_int(file, "bytes", bytes);
        jv_set_adopt(files, checkpoint_file[i], file);
    }
    jv_set_adopt(doc, "files", files);
    jv_write(doc, 2, &text);
    str_putc(&text, '\n');
    str_clear(&path);
    str_printf(&path, "%s/%s", dir, CHECKPOINT_MANIFEST);
    if (!st)
        st = file_write_atomic(seams, str_cstr(&path), str_cstr(&text), text.len, err);
    jv_unref(doc);
    str_deinit(&path);
    str_deinit(&text);
    return st;
}

static enum status verify_file(const char *dir, const char *name, const struct json *entry,
                               struct error *err)
{
    struct str path = STR_INIT;
    struct sha256 hash;
    int64_t bytes;
    char hex[65];
    enum status st;

    str_printf(&path, "%s/%s", dir, name);
    if (jv_kind(entry) != JV_OBJECT) {
        st = error_at(err, STATUS_CORRUPT, str_cstr(&path), 0, 0, "is not in the manifest");
        goto out;
    }
    st = hash_file(str_cstr(&path), &hash, &bytes, err);
    if (st == STATUS_NOT_FOUND)
        st = error_at(err, STATUS_CORRUPT, str_cstr(&path), 0, 0, "is missing");
    if (st)
        goto out;
    sha256_hex(&hash, hex);
    if (bytes != jv_get_int(jv_get(entry, "bytes"), -1))
        st = error_at(err, STATUS_CORRUPT, str_cstr(&path), 0, 0,
                      "has %lld bytes, but the manifest says %lld", (long long)bytes,
                      (long long)jv_get_int(jv_get(entry, "bytes"), -1));
    else if (strcmp(hex, jv_get_string(jv_get(entry, "sha256"), "")) != 0)
        st = error_at(err, STATUS_CORRUPT, str_cstr(&path), 0, 0,
                      "is damaged: its SHA-256 differs from the manifest");
out:
    str_deinit(&path);
    return st;
}

static enum status read_manifest(const char *dir, struct json **out, struct error *err)
{
    struct str path = STR_INIT;
    struct json *doc = NULL;
    enum status st;

    str_printf(&path, "%s/%s", dir, CHECKPOINT_MANIFEST);
    st = jv_parse_file(str_cstr(&path), CHECKPOINT_MAX_STATE, &doc, err);
    if (st == STATUS_INVALID || st == STATUS_NOT_FOUND || st == STATUS_LIMIT)
        st = error_at(err, STATUS_CORRUPT, str_cstr(&path), 0, 0,
                      "the checkpoint's manifest is missing or damaged");
    else if (!st && jv_get_int(jv_get(doc, "format"), 0) != 1)
        st = error_at(err, STATUS_CORRUPT, str_cstr(&path), 0, 0,
                      "the checkpoint's manifest is damaged or of another version");
    str_deinit(&path);
    if (st)
        jv_unref(doc);
    else
        *out = doc;
    return st;
}

static const struct json *entry_of(const struct json *manifest, const char *file)
{
    return jv_get(jv_get(manifest, "files"), file);
}

enum status checkpoint_verify(const char *dir, struct error *err)
{
    struct json *doc = NULL;
    enum status st = read_manifest(dir, &doc, err);

    for (int i = 0; i < CHECKPOINT_FILES && !st; i++)
        st = verify_file(dir, checkpoint_file[i], entry_of(doc, checkpoint_file[i]), err);
    jv_unref(doc);
    return st;
}

enum status checkpoint_state_json(const char *out, int64_t update, struct json **doc,
                                  struct error *err)
{
    struct str path = STR_INIT;
    struct json *manifest = NULL;
    enum status st;

    checkpoint_path(&path, out, update);
    st = read_manifest(str_cstr(&path), &manifest, err);
    if (!st)
        st = verify_file(str_cstr(&path), CHECKPOINT_STATE, entry_of(manifest, CHECKPOINT_STATE),
                         err);
    str_puts(&path, "/" CHECKPOINT_STATE);
    if (!st)
        st = jv_parse_file(str_cstr(&path), CHECKPOINT_MAX_STATE, doc, err);
    jv_unref(manifest);
    str_deinit(&path);
    return st;
}

void folder_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    if (!d)
        return;
    while ((entry = readdir(d)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
    rmdir(dir);
}

enum status folder_sync(const struct seams *seams, const char *dir, struct error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int e = fd < 0 ? errno : seams->file.sync(seams->file.ctx, fd);

    if (fd >= 0)
        close(fd);
    return e ? error_errno(err, e, "syncing %s", dir) : STATUS_OK;
}
