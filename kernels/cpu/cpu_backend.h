/* cpu_backend.h - the CPU's table of ops, one per instruction set, all with the same bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_BACKEND_H
#define TROUPE_KERNELS_CPU_CPU_BACKEND_H

#include "kernels/backend.h"

enum cpu_isa { CPU_ISA_PLAIN, CPU_ISA_AVX2, CPU_ISA_AVX512, CPU_ISA_N };

enum cpu_isa cpu_isa_best(void); /* the best set of this CPU and kernel */
bool cpu_has_vnni(void);         /* dot products of bytes; asked by ops of AVX-512 */
const char *cpu_isa_name(enum cpu_isa isa);
/* A static constant table; the CPU must support the isa. */
const struct backend *cpu_backend(enum cpu_isa isa);

#endif
