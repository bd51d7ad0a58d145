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
    .embed = CPU_OP(embed),
    .matmul = CPU_OP(matmul),
    .quantised_bytes = cpu_quantised_bytes,
    .quantise_rows = CPU_OP(quantise_rows),
    .matmul_q = CPU_OP(matmul_q),
    .rmsnorm = CPU_OP(rmsnorm),
    .rope = CPU_OP(rope),
    .kv_write = cpu_kv_write,
    .attention = CPU_OP(attention),
    .swiglu = CPU_OP(swiglu),
    .logsumexp = CPU_OP(logsumexp),
    .embed_back = CPU_OP(embed_back),
    .matmul_dx = CPU_OP(matmul_dx),
    .matmul_dw = CPU_OP(matmul_dw),
    .rmsnorm_back = CPU_OP(rmsnorm_back),
    .rope_back = CPU_OP(rope_back),
    .attention_back = CPU_OP(attention_back),
    .kv_gather = cpu_kv_gather,
    .swiglu_back = CPU_OP(swiglu_back),
    .softmax_grad = CPU_OP(softmax_grad),
    .add = CPU_OP(add),
    .sum_squares = CPU_OP(sum_squares),
    .adamw = CPU_OP(adamw),
    .logsumexp_part = CPU_OP(logsumexp_part),
    .logsumexp_end = cpu_logsumexp_end,
    .peak_flops = cpu_peak_flops,
};
