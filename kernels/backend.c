/* backend.c - names of the ops, and which of them a backend has.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/backend.h"

const char *backend_op_name(enum backend_op op)
{
    static const char *const names[BACKEND_OP_N] = {
#define OP(id, name, parameters) [BACKEND_OP_##id] = #name,
#include "kernels/ops.def"
#undef OP
    };

    return names[op];
}

_Static_assert(BACKEND_OP_N <= 64, "op_set has a bit for each op");

static op_set ops_of(const struct backend *b)
{
    op_set has = 0;

#define OP(id, name, parameters) has |= b->name ? OP_BIT(id) : 0;
#include "kernels/ops.def"
#undef OP
    return has;
}

enum status backend_require(const struct backend *b, op_set ops, const char *what,
                            struct error *err)
{
    op_set missing = ops & ~ops_of(b);

    for (int i = 0; i < BACKEND_OP_N; i++)
        if (missing >> i & 1)
            return error_set(err, STATUS_UNSUPPORTED, "backend %s has no op \"%s\", which %s needs",
                             b->name, backend_op_name((enum backend_op)i), what);
    return STATUS_OK;
}

const void *backend_view(const struct backend *b, const struct lane *l, const void *from,
                         void *space, size_t bytes)
{
    if (b->host_memory)
        return from;
    b->download(l, space, from, bytes);
    return space;
}
