/* bench_kernels_peak.c - measures read bandwidth and the FMA peak.
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
    READ_FLOATS = 32 * 1024 * 1024, /* 128 MiB per thread: larger than any cache */
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
    bool vectors;
};

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static float read_avx2(const float *p, int64_t n)
{
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (int64_t i = 0; i < n;
         i += 32) { /* xor: one load per instruction, without a dependency chain */
        a = _mm256_xor_si256(a, _mm256_loadu_si256((const __m256i_u *)(p + i)));
        b = _mm256_xor_si256(b, _mm256_loadu_si256((const __m256i_u *)(p + i + 8)));
        c = _mm256_xor_si256(c, _mm256_loadu_si256((const __m256i_u *)(p + i + 16)));
        d = _mm256_xor_si256(d, _mm256_loadu_si256((const __m256i_u *)(p + i + 24)));
    }
    a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
    return (float)_mm256_extract_epi32(a, 0);
}
#endif

static void read_task(void *ctx, int32_t task, int32_t worker)
{
    struct peak_job *j = ctx;
    const float *p = j->data + (int64_t)task * READ_FLOATS;
    float sum = 0.0f;
    (void)worker;
#if defined(__x86_64__)
    if (j->vectors) {
        j->sink[task % 64] = read_avx2(p, READ_FLOATS);
        return;
    }
#endif
    for (int64_t i = 0; i < READ_FLOATS; i++)
        sum += p[i];
    j->sink[task % 64] = sum;
}

struct peak peak_measure(const struct backend *b, const struct lane *l)
{
    int32_t n = pool_n_threads(l->pool);
    size_t bytes = (size_t)n * READ_FLOATS * sizeof(float);
    float *data = malloc(bytes);
    struct peak_job j = {.data = data, .vectors = cpu_isa_best() != CPU_ISA_PLAIN};
    struct peak best = {b->peak_flops(l) * 1e-9, 0.0};

    if (!data)
        return best;
    memset(data, 1, bytes);
    for (int s = 0; s < SAMPLES; s++) {
        double t = seconds_now(l->pool), rate;
        pool_run(l->pool, n, read_task, &j);
        rate = (double)bytes / (seconds_now(l->pool) - t) * 1e-9;
        best.gbytes = rate > best.gbytes ? rate : best.gbytes;
    }
    free(data);
    return best;
}
