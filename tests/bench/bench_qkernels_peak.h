/* bench_qkernels_peak.h - the peak of byte dot products.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_BENCH_QKERNELS_PEAK_H
#define TROUPE_TESTS_BENCH_QKERNELS_PEAK_H

/* Operations (a multiplication and an addition are two) a second of one thread, from registers, by
 * CPU time: vpdpbusd of 512 bits, or 0 where the CPU has no VNNI. The best of short samples. */
double bench_dot_peak(void);

#endif
