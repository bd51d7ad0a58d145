/* bench_qkernels_peak.c - the peak of byte dot products.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/bench/bench_qkernels_peak.h"

#include "kernels/cpu/cpu_backend.h"
#include "tests/bench/bench_kernels_peak.h"

enum { CHAINS = 16, ROUNDS = 20000, SAMPLES = 40 };

#if defined(__x86_64__)
#define DOT(i)  "vpdpbusd %%zmm17, %%zmm16, %%zmm" #i "\n\t"
#define ZERO(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n\t"

/* Written out, since a compiler may move registers between the instructions. */
__attribute__((target("avx512f"))) static void chains(long rounds)
{
    __asm__ volatile(
        ZERO(0) ZERO(1) ZERO(2) ZERO(3) ZERO(4) ZERO(5) ZERO(6) ZERO(7) ZERO(8) ZERO(9) ZERO(10)
            ZERO(11) ZERO(12) ZERO(13) ZERO(14) ZERO(15) ZERO(16) ZERO(17) "1:\n\t" DOT(0) DOT(1)
                DOT(2) DOT(3) DOT(4) DOT(5) DOT(6) DOT(7) DOT(8) DOT(9) DOT(10) DOT(11) DOT(12)
                    DOT(13) DOT(14) DOT(15) "dec %0\n\tjnz 1b\n\tvzeroupper"
        : "+r"(rounds)
        :
        : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
          "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17");
}
#endif

double bench_dot_peak(void)
{
    double best = 0.0;

#if defined(__x86_64__)
    for (int i = 0; i < SAMPLES && cpu_has_vnni(); i++) {
        double t = seconds_now(NULL), rate;
        chains(ROUNDS);
        rate = 2.0 * 64 * CHAINS * ROUNDS / (seconds_now(NULL) - t);
        best = rate > best ? rate : best;
    }
#endif
    return best;
}
