/* blueprint_dir.c - see blueprint_dir.h. The name of the folder is in the environment, since tests
 * keep no state of their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/blueprints/blueprint_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "TROUPE_TEST_BLUEPRINT_DIR"
#define PATH   "TROUPE_TEST_BLUEPRINT_PATH"

const char *blueprint_dir_make(void)
{
    char folder[] = "/tmp/troupe-blueprint-XXXXXX";

    if (!mkdtemp(folder))
        abort();
    setenv(FOLDER, folder, 1);
    return getenv(FOLDER);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void blueprint_dir_remove(void)
{
    nftw(getenv(FOLDER), remove_one, 16, FTW_DEPTH | FTW_PHYS);
    unsetenv(FOLDER);
}

void blueprint_dir_path(const char *name, struct str *out)
{
    str_clear(out);
    str_printf(out, "%s/%s", getenv(FOLDER), name);
}

const char *blueprint_dir_write(const char *name, const char *text, size_t n)
{
    struct str path = STR_INIT;
    char *slash;
    FILE *f;

    blueprint_dir_path(name, &path);
    slash = strrchr(path.data, '/');
    *slash = '\0';
    mkdir(path.data, 0700);
    *slash = '/';
    f = fopen(path.data, "w");
    if (!f || fwrite(text, 1, n, f) != n || fclose(f))
        abort();
    setenv(PATH, path.data, 1);
    str_deinit(&path);
    return getenv(PATH);
}
