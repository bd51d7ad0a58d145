/* reference.c - the table of references, over host memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/reference/reference.h"

#include <string.h>

#include "runtime/base/memory.h"

static void *host_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return mem_aligned_alloc(bytes ? bytes : 1, 1);
}

static void host_release(void *ctx, void *p)
{
    (void)ctx;
    mem_aligned_free(p);
}

static void host_copy(const struct lane *l, void *dst, const void *src, size_t bytes)
{
    (void)l;
    memcpy(dst, src, bytes);
}

static void host_zero(const struct lane *l, void *dst, size_t bytes)
{
    (void)l;
    memset(dst, 0, bytes);
}

static enum status host_sync(const struct lane *l, struct error *err)
{
    (void)l;
    (void)err;
    return STATUS_OK;
}

const struct backend *reference_backend(void)
{
    static const struct backend table = {
        .abi = BACKEND_ABI,
        .size_bytes = sizeof(struct backend),
        .name = "reference",
        .host_memory = true,
        .alloc = host_alloc,
        .release = host_release,
        .upload = host_copy,
        .download = host_copy,
        .copy = host_copy,
        .zero = host_zero,
        .sync = host_sync,
        .panels_bytes = reference_panels_bytes,
        .pack = reference_pack,
        .quantised_bytes = reference_quantised_bytes,
        .kv_half_bytes = reference_kv_half_bytes,
#define OP(id, name, parameters) .name = reference_##name,
#include "kernels/ops.def"
#undef OP
    };

    return &table;
}
