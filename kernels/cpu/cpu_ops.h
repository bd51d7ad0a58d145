/* cpu_ops.h - the ops of one instruction set. Every cpu_*.c that includes this file is compiled
 * once for each set (see CMakeLists.txt), and CPU_OP gives the set's names.
 *
 * Contracts are in kernels/ops.def.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_OPS_H
#define TROUPE_KERNELS_CPU_CPU_OPS_H

#include "kernels/backend.h"
#include "kernels/cpu/cpu_layout.h"
#include "kernels/cpu/cpu_parallel.h"
#include "kernels/cpu/v16.h"

#if defined(CPU_BUILD_VNNI) /* a part of AVX-512: cpu_qtile.c alone */
#define CPU_OP(name) cpu_vnni_##name
#elif defined(CPU_BUILD_AVX512)
#define CPU_OP(name) cpu_avx512_##name
#define CPU_NAME     "cpu-avx512"
#elif defined(CPU_BUILD_AVX2)
#define CPU_OP(name) cpu_avx2_##name
#define CPU_NAME     "cpu-avx2"
#else
#define CPU_OP(name) cpu_plain_##name
#define CPU_NAME     "cpu-plain"
#endif

extern const struct backend CPU_OP(backend);

#define OP(id, name, parameters) void CPU_OP(name) parameters;
#include "kernels/ops.def"
#undef OP

#endif
