/* bench_kernels.c - GFLOP/s and GB/s of the CPU kernels, compared with the peak of the machine
 * and with OpenBLAS.
 *
 *   bench_kernels [--threads N] [--isa plain|avx2|avx512] [--rounds N] [--only TEXT] [--json]
 *
 * Each case runs in many short samples, ours and OpenBLAS in turn, and the shortest of each is the
 * result: other work on the machine can only make samples longer. OpenBLAS gets W both as in
 * checkpoints and transposed in advance.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "tests/bench/bench_kernels_blas.h"
#include "tests/bench/bench_kernels_case.h"
#include "tests/bench/bench_kernels_peak.h"

struct options {
    int threads, rounds;
    enum cpu_isa isa;
    const char *only;
    bool json;
};

static bool parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        if (strcmp(argv[i], "--threads") == 0)
            o->threads = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0)
            o->rounds = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--only") == 0)
            o->only = value;
        else if (strcmp(argv[i], "--isa") == 0)
            for (int isa = 0; isa < CPU_ISA_N; isa++)
                o->isa =
                    strcmp(value, cpu_isa_name((enum cpu_isa)isa)) ? o->isa : (enum cpu_isa)isa;
        else
            return false;
        i++;
    }
    return o->threads >= 1 && o->threads <= 64 && o->rounds >= 1 && o->isa <= cpu_isa_best();
}

/* Seconds per call, the minimum over all samples. */
struct timing {
    double ours;
    double blas;   /* W as in a checkpoint, y = x W^T */
    double turned; /* W transposed in advance */
};

typedef void (*run_fn)(struct bench_case *c);

static double sample(struct bench_case *c, run_fn fn, int repeats)
{
    const struct pool *pool = c->env->lane.pool;
    double t = seconds_now(pool);
    for (int i = 0; i < repeats; i++)
        fn(c);
    return (seconds_now(pool) - t) / repeats;
}

/* The number of calls for a sample of about a millisecond. */
static int repeats_for(struct bench_case *c, run_fn fn)
{
    double once;
    fn(c);
    once = sample(c, fn, 1);
    return once > 1e-3 ? 1 : (int)(1e-3 / (once + 1e-8)) + 1;
}

static void keep_least(double *least, double t)
{
    *least = *least == 0.0 || t < *least ? t : *least;
}

static struct timing measure(struct bench_case *c, int rounds)
{
    struct timing t = {0.0, 0.0, 0.0};
    int ours = repeats_for(c, bench_case_run);
    int blas = bench_case_has_blas(c) ? repeats_for(c, bench_case_blas) : 0;
    double begin = seconds_now(c->env->lane.pool);

    for (int i = 0; i < rounds && (i < 3 || seconds_now(c->env->lane.pool) - begin < 3.0); i++) {
        keep_least(&t.ours, sample(c, bench_case_run, ours));
        if (!blas)
            continue;
        keep_least(&t.blas, sample(c, bench_case_blas, blas));
        keep_least(&t.turned, sample(c, bench_case_blas_turned, blas));
    }
    return t;
}

static void print_case(const struct options *o, const struct bench_case *c, struct timing t,
                       struct peak peak)
{
    double gflops = c->flops / t.ours * 1e-9, gbytes = c->bytes / t.ours * 1e-9;

    if (o->json) {
        printf("{\"case\": \"%s\", \"us\": %.3f, \"gflops\": %.2f, \"gbytes\": %.2f, "
               "\"of_peak\": %.3f, \"over_blas\": %.3f, \"over_blas_turned\": %.3f}\n",
               c->name, t.ours * 1e6, gflops, gbytes, gflops / peak.gflops, t.blas / t.ours,
               t.turned / t.ours);
        return;
    }
    printf("%-38s %10.2f %8.1f %5.0f%% %7.1f", c->name, t.ours * 1e6, gflops,
           100.0 * gflops / peak.gflops, gbytes);
    if (t.blas > 0.0)
        printf(" %8.1f %6.2fx %8.1f %6.2fx", c->flops / t.blas * 1e-9, t.blas / t.ours,
               c->flops / t.turned * 1e-9, t.turned / t.ours);
    printf("\n");
    fflush(stdout);
}

static void keep_peak(struct peak *best, struct peak p)
{
    best->gflops = p.gflops > best->gflops ? p.gflops : best->gflops;
    best->gbytes = p.gbytes > best->gbytes ? p.gbytes : best->gbytes;
}

static void run_cases(const struct options *o, struct bench_env *env, struct peak peak)
{
    if (!o->json)
        printf("%-38s %10s %8s %6s %7s %8s %7s %8s %7s\n", "case", "us", "GFLOP/s", "peak", "GB/s",
               "OpenBLAS", "ratio", "W turned", "ratio");
    for (int i = 0; i < bench_case_count(); i++) {
        struct bench_case c;
        if (o->only && !strstr(bench_case_name(i), o->only))
            continue;
        bench_case_open(&c, i, env);
        print_case(o, &c, measure(&c, o->rounds), peak);
        bench_case_close(&c);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.threads = 1, .rounds = 200, .isa = cpu_isa_best()};
    struct bench_env env = {0};
    struct peak peak;

    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: bench_kernels [--threads N] [--isa plain|avx2|avx512] "
                        "[--rounds N] [--only TEXT] [--json]\n");
        return 2;
    }
    blas_set_core(argv);
    env.backend = cpu_backend(o.isa);
    env.blas = blas_open(o.threads);
    if (o.threads > 1 && pool_new(o.threads, &env.lane.pool, NULL) != STATUS_OK)
        return 1;
    peak = peak_measure(env.backend, &env.lane);
    keep_peak(&peak, peak_measure(env.backend, &env.lane));
    printf(o.json
               ? "{\"backend\": \"%s\", \"threads\": %d, \"peak_gflops\": %.1f, "
                 "\"read_gbytes\": %.1f, \"openblas\": \"%s\"}\n"
               : "%s, %d thread(s); FMA peak %.1f GFLOP/s, memory read %.1f GB/s; OpenBLAS: %s\n",
           env.backend->name, o.threads, peak.gflops, peak.gbytes, env.blas.core);
    run_cases(&o, &env, peak);
    if (!o.json) {
        keep_peak(&peak, peak_measure(env.backend, &env.lane));
        printf("at the end: FMA peak %.1f GFLOP/s, memory read %.1f GB/s\n", peak.gflops,
               peak.gbytes);
    }
    pool_free(env.lane.pool);
    return 0;
}
