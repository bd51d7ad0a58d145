/* blueprint_dir.c - see blueprint_dir.h. The name of the folder is in the environment, since tests
 * keep no state of their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/blueprints/blueprint_dir.h"
#include "tests/support/temp_dir.h"

#include <sys/stat.h>

#define FOLDER "TROUPE_TEST_BLUEPRINT_DIR"
#define PATH   "TROUPE_TEST_BLUEPRINT_PATH"

const char *blueprint_dir_make(void)
{
    char folder[64];

    temp_dir(folder);
    setenv(FOLDER, folder, 1);
    return getenv(FOLDER);
}

void blueprint_dir_remove(void)
{
    temp_dir_remove(getenv(FOLDER));
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

    blueprint_dir_path(name, &path);
    slash = strrchr(path.data, '/');
    *slash = '\0';
    mkdir(path.data, 0700);
    *slash = '/';
    temp_put(path.data, text, n);
    setenv(PATH, path.data, 1);
    str_deinit(&path);
    return getenv(PATH);
}
