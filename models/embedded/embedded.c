/* embedded.c - the model inside the binary, as a table of its files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "models/engine/engine.h"

#define E(n) extern const char embedded_##n[], embedded_end_##n[];
#include "generated/embedded_files.def"
#undef E

static const struct {
    const char *name, *begin, *end;
} files[] = {
#define T(name, n) {name, embedded_##n, embedded_end_##n},
#include "generated/embedded_files.def"
#undef T
    {NULL, NULL, NULL},
};

/* The table's sizes are differences of two symbols, which C does not take as constants: so the
 * entry is made for each call, in the calling thread's own place. */
const struct embedded_file *embedded_file_at(int32_t i)
{
    static _Thread_local struct embedded_file out[8];

    if (i < 0 || (size_t)i >= sizeof(files) / sizeof(files[0]) - 1 || i >= 8)
        return NULL;
    out[i].name = files[i].name;
    out[i].bytes = files[i].begin;
    out[i].n = (size_t)(files[i].end - files[i].begin);
    return &out[i];
}
