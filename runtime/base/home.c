/* home.c - HOME, else the password file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/home.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_MAX ((size_t)16 << 10) /* of the password file: names and paths of one user */

enum status home_folder(char *out, size_t n, struct error *err)
{
    const char *home = getenv("HOME");
    struct passwd entry, *found = NULL;
    char text[ENTRY_MAX];

    if (!home || !*home) {
        if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) || !found ||
            found->pw_dir[0] != '/')
            return error_set(err, STATUS_NOT_FOUND,
                             "HOME is not set, and the password file has no home folder for user "
                             "%lu",
                             (unsigned long)getuid());
        home = found->pw_dir;
    }
    if (strlen(home) >= n)
        return error_set(err, STATUS_LIMIT, "the path of the home folder is too long");
    (void)snprintf(out, n, "%s", home);
    return STATUS_OK;
}
