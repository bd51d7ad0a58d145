/* cpu_table.c - the op table of one instruction set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_host.h"
#include "kernels/cpu/cpu_ops.h"

const struct backend CPU_OP(backend) = {
    .abi = BACKEND_ABI,
    .size_bytes = sizeof(struct backend),
    .name = CPU_NAME,
    .exact = true,
    .host_memory = true,
    .alloc = cpu_alloc,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .copy = cpu_copy,
    .zero = cpu_zero,
    .sync = cpu_sync,
    .panels_bytes = cpu_panels_bytes,
    .pack = cpu_pack,
    .quantised_bytes = cpu_quantised_bytes,
    .kv_half_bytes = cpu_kv_half_bytes,
#define OP(id, name, parameters) .name = CPU_OP(name),
#include "kernels/ops.def"
#undef OP
    .peak_flops = cpu_peak_flops,
};
