/* bench_kernels_peak.c - FMA peak and read bandwidth.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/bench/bench_kernels_peak.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/cpu/cpu_backend.h"

enum {
    FMA_ROUNDS = 20000,
    FMA_CHAINS = 16,
    READ_FLOATS = 32 * 1024 * 1024, /* 128 MiB a thread: beyond any cache */
    SAMPLES = 12
};

double seconds_now(const struct pool *pool)
{
    struct timespec t;
    clock_gettime(pool ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct peak_job {
    const float *data;
    float sink[64];
    enum cpu_isa isa;
};

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f"))) static float fma_avx512(void)
{
    __m512 acc[FMA_CHAINS], x = _mm512_set1_ps(0.5f);
    for (int i = 0; i < FMA_CHAINS; i++)
        acc[i] = _mm512_set1_ps((float)i);
    for (int r = 0; r < FMA_ROUNDS; r++)
#pragma GCC unroll 16
        for (int i = 0; i < FMA_CHAINS; i++)
            acc[i] = _mm512_fmadd_ps(acc[i], x, x);
    for (int i = 1; i < FMA_CHAINS; i++)
        acc[0] = _mm512_add_ps(acc[0], acc[i]);
    return _mm512_cvtss_f32(acc[0]);
}

__attribute__((target("avx2,fma"))) static float fma_avx2(void)
{
    __m256 acc[FMA_CHAINS / 2 + 4], x = _mm256_set1_ps(0.5f);
    const int n = FMA_CHAINS / 2 + 4; /* twelve of sixteen registers */
    for (int i = 0; i < n; i++)
        acc[i] = _mm256_set1_ps((float)i);
    for (int r = 0; r < FMA_ROUNDS; r++)
#pragma GCC unroll 16
        for (int i = 0; i < n; i++)
            acc[i] = _mm256_fmadd_ps(acc[i], x, x);
    for (int i = 1; i < n; i++)
        acc[0] = _mm256_add_ps(acc[0], acc[i]);
    return _mm256_cvtss_f32(acc[0]);
}

__attribute__((target("avx2"))) static float read_avx2(const float *p, int64_t n)
{
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (int64_t i = 0; i < n; i += 32) { /* xor: one load an instruction, no chain to wait for */
        a = _mm256_xor_si256(a, _mm256_loadu_si256((const __m256i_u *)(p + i)));
        b = _mm256_xor_si256(b, _mm256_loadu_si256((const __m256i_u *)(p + i + 8)));
        c = _mm256_xor_si256(c, _mm256_loadu_si256((const __m256i_u *)(p + i + 16)));
        d = _mm256_xor_si256(d, _mm256_loadu_si256((const __m256i_u *)(p + i + 24)));
    }
    a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
    return (float)_mm256_extract_epi32(a, 0);
}
#endif

static double flops_of(enum cpu_isa isa)
{
    double lanes = isa == CPU_ISA_AVX512 ? 16.0 * FMA_CHAINS : 8.0 * (FMA_CHAINS / 2 + 4);
    return isa == CPU_ISA_PLAIN ? 0.0 : 2.0 * lanes * FMA_ROUNDS;
}

static void fma_task(void *ctx, int32_t task, int32_t worker)
{
    struct peak_job *j = ctx;
    (void)worker;
#if defined(__x86_64__)
    if (j->isa != CPU_ISA_PLAIN)
        j->sink[task % 64] = j->isa == CPU_ISA_AVX512 ? fma_avx512() : fma_avx2();
#else
    (void)task;
    (void)j;
#endif
}

static void read_task(void *ctx, int32_t task, int32_t worker)
{
    struct peak_job *j = ctx;
    const float *p = j->data + (int64_t)task * READ_FLOATS;
    float sum = 0.0f;
    (void)worker;
#if defined(__x86_64__)
    if (j->isa != CPU_ISA_PLAIN) {
        j->sink[task % 64] = read_avx2(p, READ_FLOATS);
        return;
    }
#endif
    for (int64_t i = 0; i < READ_FLOATS; i++)
        sum += p[i];
    j->sink[task % 64] = sum;
}

struct peak peak_measure(struct pool *pool)
{
    int32_t n = pool_n_threads(pool);
    size_t bytes = (size_t)n * READ_FLOATS * sizeof(float);
    float *data = malloc(bytes);
    struct peak_job j = {.data = data, .isa = cpu_isa_best()};
    struct peak best = {0.0, 0.0};

    for (int s = 0; s < SAMPLES; s++) {
        double t = seconds_now(pool), rate;
        pool_run(pool, n, fma_task, &j);
        rate = flops_of(j.isa) * n / (seconds_now(pool) - t) * 1e-9;
        best.gflops = rate > best.gflops ? rate : best.gflops;
    }
    if (!data)
        return best;
    memset(data, 1, bytes);
    for (int s = 0; s < SAMPLES; s++) {
        double t = seconds_now(pool), rate;
        pool_run(pool, n, read_task, &j);
        rate = (double)bytes / (seconds_now(pool) - t) * 1e-9;
        best.gbytes = rate > best.gbytes ? rate : best.gbytes;
    }
    free(data);
    return best;
}
