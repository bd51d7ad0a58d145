/* plan_files.c - the files of a blueprint, all from one folder tree.
 *
 * Every file is read once and kept. The run stores the texts, and resume reads them from the store.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/utf8.h"

#define MAX_FILES       64
#define MAX_FILE_BYTES  ((size_t)256 << 10)
#define MAX_TOTAL_BYTES ((size_t)1 << 20)
#define EFFECTIVE       "blueprint-effective/1"

struct plan_files {
    char *folder;  /* real path; NULL in records of 0.1 */
    bool recorded; /* nothing is read: only what is in texts */
    char *given;   /* the folder as the user named it, with '/', or "" */
    char *root;    /* the root file's name */
    struct json *texts;
    size_t total;
};

void plan_files_free(struct plan_files *f)
{
    if (!f)
        return;
    jv_unref(f->texts);
    free(f->root);
    free(f->given);
    free(f->folder);
    free(f);
}

enum status plan_files_open(const char *path, struct plan_files **out, const char **root,
                            struct error *err)
{
    const char *slash = strrchr(path, '/');
    struct plan_files *f;
    char *real;

    real = realpath(path, NULL);
    if (!real)
        return error_errno(err, errno, "cannot open blueprint %s", path);
    f = xcalloc(1, sizeof(*f));
    f->texts = jv_object();
    f->given = xstrndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    f->root = xstrdup(strrchr(real, '/') + 1);
    *strrchr(real, '/') = '\0';
    f->folder = real;
    *out = f;
    *root = f->root;
    return STATUS_OK;
}

struct plan_files *plan_files_from_text(const char *name, const char *text, const char *folder)
{
    struct plan_files *f = xcalloc(1, sizeof(*f));
    char *real = realpath(folder, NULL);

    f->texts = jv_object();
    f->given = xstrdup("");
    f->root = xstrdup(name);
    f->folder = real ? real : xstrdup(folder);
    f->total = strlen(text);
    jv_set_string(f->texts, name, text);
    return f;
}

enum status plan_files_from_effective(const struct json *effective, struct plan_files **out,
                                      const char **root, struct error *err)
{
    const char *schema = jv_get_string(jv_get(effective, "schema"), "");
    const char *name = jv_get_string(jv_get(effective, "blueprint"), NULL);
    const char *folder = jv_get_string(jv_get(effective, "folder"), NULL);
    struct json *texts = jv_get(effective, "files");
    struct plan_files *f;

    if (strcmp(schema, EFFECTIVE) != 0 || !name || jv_kind(texts) != JV_OBJECT)
        return error_set(err, STATUS_CONFIG, "not the effective configuration of a blueprint (%s)",
                         EFFECTIVE);
    f = xcalloc(1, sizeof(*f));
    f->texts = jv_ref(texts);
    f->recorded = true;
    if (folder)
        f->folder = xstrdup(folder);
    f->given = xstrdup("");
    f->root = xstrdup(name);
    *out = f;
    *root = f->root;
    return STATUS_OK;
}

/* The real path of a name. It must be in the folder after links are resolved. */
static enum status locate(const struct plan_files *f, const char *name, char **out,
                          struct error *err)
{
    struct str joined;
    size_t n = strlen(f->folder);
    char *real;

    str_init(&joined, PATH_MAX);
    str_printf(&joined, "%s/%s", f->folder, name);
    real = str_ok(&joined) ? realpath(str_cstr(&joined), NULL) : NULL;
    str_deinit(&joined);
    if (!real)
        return error_errno(err, errno, "cannot open %s", name);
    if (strncmp(real, f->folder, n) != 0 || (real[n] != '/' && n > 1)) {
        free(real);
        return error_set(err, STATUS_CONFIG, "%s is outside the folder of the blueprint", name);
    }
    *out = real;
    return STATUS_OK;
}

static enum status check_text(const struct plan_files *f, const char *name, const char *bytes,
                              size_t n, struct error *err)
{
    size_t is_text = utf8_text_prefix(bytes, n);
    struct str display = STR_INIT;
    long line, column;

    if (is_text == n)
        return STATUS_OK;
    utf8_place(bytes, is_text, &line, &column);
    plan_files_display(f, name, &display);
    error_at(err, STATUS_CONFIG, str_cstr(&display), line, column, "not UTF-8 text");
    str_deinit(&display);
    return STATUS_CONFIG;
}

static enum status read_text(struct plan_files *f, const char *name, struct error *err)
{
    char *path = NULL;
    char *bytes = NULL;
    size_t n = 0;
    enum status st;

    if (f->recorded)
        return error_set(err, STATUS_CONFIG, "%s is not among the files of this run", name);
    if (jv_size(f->texts) == MAX_FILES)
        return error_set(err, STATUS_LIMIT, "a blueprint may have at most %d files", MAX_FILES);
    st = locate(f, name, &path, err);
    if (!st)
        st = file_read(path, MAX_FILE_BYTES, &bytes, &n, err);
    if (!st)
        st = check_text(f, name, bytes, n, err);
    if (!st && n > MAX_TOTAL_BYTES - f->total)
        st = error_set(err, STATUS_LIMIT, "the files of a blueprint are larger than %zu bytes",
                       MAX_TOTAL_BYTES);
    if (!st) {
        f->total += n;
        jv_set_adopt(f->texts, name, jv_string_n(bytes, n));
    }
    free(bytes);
    free(path);
    return st;
}

enum status plan_files_text(struct plan_files *f, const char *name, const char **text,
                            struct error *err)
{
    enum status st = STATUS_OK;

    if (!jv_get(f->texts, name))
        st = read_text(f, name, err);
    if (!st)
        *text = jv_get_string(jv_get(f->texts, name), "");
    return st;
}

/* Resolves "." and "..": -1 if the result is outside the folder. */
static int normalise(char *path)
{
    char *part[128];
    size_t n = 0;
    char *rest = path;
    char *at;
    struct str out;

    while ((at = strsep(&rest, "/")) != NULL) {
        if (*at == '\0' || strcmp(at, ".") == 0)
            continue;
        if (strcmp(at, "..") == 0) {
            if (n == 0)
                return -1;
            n--;
        } else if (n == ARRAY_LEN(part)) {
            return -1;
        } else {
            part[n++] = at;
        }
    }
    out = STR_INIT;
    for (size_t i = 0; i < n; i++)
        str_printf(&out, "%s%s", i ? "/" : "", part[i]);
    memcpy(path, str_cstr(&out), out.len + 1); /* never longer than it was */
    str_deinit(&out);
    return n ? 0 : -1;
}

enum status plan_files_resolve(const char *from, const char *reference, struct arena *arena,
                               const char **name, struct error *err)
{
    const char *slash = strrchr(from, '/');
    char *joined;

    if (*reference == '/')
        return error_set(err, STATUS_CONFIG,
                         "file:// takes a path relative to the folder of the blueprint, got %.80s",
                         reference);
    if (strlen(reference) > 1024)
        return error_set(err, STATUS_LIMIT, "the name of a file is longer than 1024 bytes");
    joined = arena_printf(arena, "%.*s%s", slash ? (int)(slash - from) + 1 : 0, from, reference);
    if (normalise(joined))
        return error_set(err, STATUS_CONFIG, "%.80s is outside the folder of the blueprint",
                         *reference ? reference : "file://");
    *name = joined;
    return STATUS_OK;
}

const char *plan_files_folder(const struct plan_files *f, const char *name, struct arena *arena)
{
    const char *slash = strrchr(name, '/');

    if (!f->folder || !slash)
        return f->folder ? arena_strdup(arena, f->folder) : NULL;
    return arena_printf(arena, "%s/%.*s", f->folder, (int)(slash - name), name);
}

void plan_files_display(const struct plan_files *f, const char *name, struct str *out)
{
    str_puts(out, f->given);
    str_puts(out, name);
}

struct json *plan_files_effective(const struct plan_files *f, const char *root)
{
    struct json *v = jv_object();

    jv_set_string(v, "schema", EFFECTIVE);
    jv_set_string(v, "blueprint", root);
    if (f->folder)
        jv_set_string(v, "folder", f->folder);
    jv_set_adopt(v, "files", jv_ref(f->texts));
    return v;
}
