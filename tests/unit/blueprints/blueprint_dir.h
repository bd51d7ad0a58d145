/* blueprint_dir.h - a folder of its own for each test, with the blueprints in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BLUEPRINT_DIR_H
#define TROUPE_TESTS_BLUEPRINT_DIR_H

#include <stddef.h>

#include "runtime/base/str.h"

/* A new folder; the calling test removes it with blueprint_dir_remove. Lent until then. */
const char *blueprint_dir_make(void);
void blueprint_dir_remove(void);
/* Writes a file (NAME or SUB/NAME, whose folder is made) and gives its path; lent until the next
 * call with the same name or the end. */
const char *blueprint_dir_write(const char *name, const char *text, size_t n);
void blueprint_dir_path(const char *name, struct str *out);

#endif
