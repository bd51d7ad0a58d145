/* temp_dir.h - a folder of its own for a test, and files in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_TEMP_DIR_H
#define TROUPE_TESTS_TEMP_DIR_H

#include <ftw.h>

#include "runtime/base/str.h"
#include "tests/support/check.h"

static inline void temp_dir(char path[64])
{
    (void)snprintf(path, 64, "/tmp/troupe-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static inline int temp_dir_remove_one(const char *path, const struct stat *st, int kind,
                                      struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* With all that is below. */
static inline void temp_dir_remove(const char *path)
{
    (void)nftw(path, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes the file, or writes it again. */
static inline void temp_put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void temp_dir_put(const char *dir, const char *name, const void *bytes, size_t n)
{
    struct str path = STR_INIT;

    str_printf(&path, "%s/%s", dir, name);
    temp_put(str_cstr(&path), bytes, n);
    str_deinit(&path);
}

#endif
