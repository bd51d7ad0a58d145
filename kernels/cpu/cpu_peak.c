/* cpu_peak.c - the FMA peak, measured: independent chains in registers, the widest that this CPU
 * has. SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_host.h"

#include <math.h>
#include <string.h>

#include "runtime/base/seams.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHAINS = 12, ROUNDS = 20000, REPEATS = 8 };

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float chains_512(void)
{
    __m512 a[CHAINS], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
    float out[16], sum = 0;

    for (int i = 0; i < CHAINS; i++)
        a[i] = _mm512_set1_ps((float)i);
    for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            a[i] = _mm512_fmadd_ps(a[i], x, y);
    }
    for (int i = 0; i < CHAINS; i++) {
        _mm512_storeu_ps(out, a[i]);
        sum += out[0];
    }
    return sum;
}

__attribute__((target("avx2,fma"))) static float chains_256(void)
{
    __m256 a[CHAINS], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
    float out[8], sum = 0;

    for (int i = 0; i < CHAINS; i++)
        a[i] = _mm256_set1_ps((float)i);
    for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            a[i] = _mm256_fmadd_ps(a[i], x, y);
    }
    for (int i = 0; i < CHAINS; i++) {
        _mm256_storeu_ps(out, a[i]);
        sum += out[0];
    }
    return sum;
}
#endif

static float chains_1(void)
{
    float a[CHAINS], sum = 0;

    for (int i = 0; i < CHAINS; i++)
        a[i] = (float)i;
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < CHAINS; i++)
            a[i] = fmaf(a[i], 0.999f, 0.001f);
    for (int i = 0; i < CHAINS; i++)
        sum += a[i];
    return sum;
}

struct peak_job {
    float (*run)(void);
    int lanes;
    double flops[256];
};

static void measure(void *ctx, int32_t task, int32_t worker)
{
    struct peak_job *j = ctx;
    volatile float keep = 0;
    double best = 0;

    (void)worker;
    for (int i = 0; i < REPEATS; i++) {
        int64_t from = seams_mono_us(seams_real()), took;

        keep = keep + j->run();
        took = seams_mono_us(seams_real()) - from;
        if (took > 0)
            best = fmax(best, 2.0 * j->lanes * CHAINS * ROUNDS / (double)took * 1e6);
    }
    j->flops[task] = best;
}

double cpu_peak_flops(const struct lane *l)
{
    struct peak_job j = {.run = chains_1, .lanes = 1};
    int32_t n = pool_n_threads(l->pool) < 256 ? pool_n_threads(l->pool) : 256;
    double sum = 0;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        j.run = chains_512;
        j.lanes = 16;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        j.run = chains_256;
        j.lanes = 8;
    }
#endif
    pool_run(l->pool, n, measure, &j);
    for (int32_t i = 0; i < n; i++)
        sum += j.flops[i];
    return sum;
}
