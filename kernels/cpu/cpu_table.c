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
    .alloc = cpu_alloc,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .panels_bytes = cpu_panels_bytes,
    .pack = cpu_pack,
    .quantised_bytes = cpu_quantised_bytes,
#define OP(id, name, parameters) .name = CPU_OP(name),
#include "kernels/ops.def"
#undef OP
    .peak_flops = cpu_peak_flops,
};
