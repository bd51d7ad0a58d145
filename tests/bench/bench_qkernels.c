/* bench_qkernels.c - products with quantised weights: share of the peak of byte dot products, GB/s,
 * and tokens/s that the products alone of whole models allow.
 *
 *   bench_qkernels [--isa plain|avx2|avx512] [--rounds N] [--model TEXT] [--type TEXT] [--threads
 * N]
 *
 * One thread by CPU time, several by wall time. The shortest of --rounds samples of each; peak and
 * memory are measured before and after, and the best counts. R = 1, 8, 32 are decoding steps (head
 * of every row), 512 is a prompt (head of one row). The weights of each layer have memory of their
 * own, so a step reads the whole model. GB/s are bytes of panels.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "tests/bench/bench_kernels_peak.h"
#include "tests/bench/bench_qkernels_model.h"
#include "tests/bench/bench_qkernels_peak.h"

static const struct model_shape shapes[] = {
    {"SmolLM2-135M", 30, 576, 384, 1536, 49152},
    {"Qwen2.5-0.5B", 24, 896, 256, 4864, 151936},
    {"Qwen2.5-1.5B", 28, 1536, 512, 8960, 151936},
};
static const enum dtype types[] = {DTYPE_Q8_0, DTYPE_Q4_1, DTYPE_Q4_0, DTYPE_Q5_0,
                                   DTYPE_Q5_1, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K};
static const int32_t row_counts[] = {1, 8, 32, 512};

struct options {
    int rounds, threads;
    enum cpu_isa isa;
    const char *model, *type;
};

static bool parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--rounds") == 0)
            o->rounds = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--threads") == 0)
            o->threads = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--model") == 0)
            o->model = value;
        else if (strcmp(argv[i], "--type") == 0)
            o->type = value;
        else if (strcmp(argv[i], "--isa") == 0)
            for (int isa = 0; isa < CPU_ISA_N; isa++)
                o->isa =
                    strcmp(value, cpu_isa_name((enum cpu_isa)isa)) ? o->isa : (enum cpu_isa)isa;
        else
            return false;
    }
    return argc % 2 == 1 && o->rounds >= 1 && o->threads >= 1 && o->threads <= 64 &&
           o->isa <= cpu_isa_best();
}

struct machine {
    struct lane lane;
    double dot; /* operations a second of all threads */
    double read;
};

static void measure_machine(struct machine *m, const struct backend *b, int threads)
{
    double dot = bench_dot_peak() * threads, read = peak_measure(b, &m->lane).gbytes * 1e9;
    m->dot = dot > m->dot ? dot : m->dot;
    m->read = read > m->read ? read : m->read;
}

/* Seconds of a pass, the shortest. */
static double time_pass(struct bench_qmodel *q, const struct lane *l, int32_t R, int rounds)
{
    double least = 0.0;

    for (int i = 0; i < rounds; i++) {
        double t = seconds_now(l->pool);
        bench_qmodel_pass(q, l, R, R > 64 ? 1 : R);
        t = seconds_now(l->pool) - t;
        least = i == 0 || t < least ? t : least;
    }
    return least;
}

static double time_part(struct bench_qmodel *q, const struct lane *l, int part, int32_t R,
                        int rounds)
{
    double least = 0.0;

    bench_qmodel_round(q, l, part, R);
    for (int i = 0; i < rounds * 4; i++) {
        double t = seconds_now(l->pool);
        bench_qmodel_part(q, l, part, i % q->shape.n_layers, R);
        t = seconds_now(l->pool) - t;
        least = i == 0 || t < least ? t : least;
    }
    return least;
}

static void print_rates(const struct machine *m, double ops, double bytes, double seconds)
{
    printf(" %8.0f", ops / seconds * 1e-9);
    if (m->dot > 0.0)
        printf(" %5.1f%%", 100.0 * ops / seconds / m->dot);
    else
        printf("      -");
    printf(" %6.1f %5.0f%%\n", bytes / seconds * 1e-9, 100.0 * bytes / seconds / m->read);
    fflush(stdout);
}

static void run_model(const struct options *o, struct machine *m, const struct model_shape *s,
                      enum dtype t)
{
    static const char *part_names[PARTS] = {"q, k, v", "output", "gate, up", "down"};
    struct bench_qmodel q;
    enum { PROMPT = 3 };

    if (s->hidden % dtype_info(t)->block || s->feed_forward % dtype_info(t)->block)
        return; /* such a file has another type there */
    bench_qmodel_open(&q, cpu_backend(o->isa), s, t, row_counts[PROMPT]);
    for (int i = 0; i <= PROMPT; i++) {
        int32_t R = row_counts[i];
        double seconds = time_pass(&q, &m->lane, R, o->rounds);
        double ops = 2.0 * R * bench_qmodel_weights(&q, i != PROMPT);

        printf("%-13s %-5s %-22s R %-4d %9.1f", s->name, dtype_name(t), "all products", R,
               R / seconds);
        print_rates(m, ops, (double)q.panel_bytes, seconds);
    }
    for (int i = 0; i < PARTS; i++) {
        const struct matrix *w = &q.part[i];
        double seconds = time_part(&q, &m->lane, i, row_counts[PROMPT], o->rounds);
        char name[48];

        snprintf(name, sizeof(name), "%s %d x %d", part_names[i], w->n_out, w->n_in);
        printf("%-13s %-5s %-22s R %-4d %9s", s->name, dtype_name(t), name, row_counts[PROMPT], "");
        print_rates(m, 2.0 * row_counts[PROMPT] * w->n_out * w->n_in, (double)q.b->panels_bytes(w),
                    seconds);
    }
    bench_qmodel_close(&q);
}

int main(int argc, char **argv)
{
    struct options o = {.rounds = 10, .threads = 1, .isa = cpu_isa_best()};
    struct machine m = {0};
    const struct backend *b;

    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: bench_qkernels [--isa plain|avx2|avx512] [--rounds N] "
                        "[--model TEXT] [--type TEXT] [--threads N]\n");
        return 2;
    }
    b = cpu_backend(o.isa);
    if (o.threads > 1 && pool_new(o.threads, &m.lane.pool, NULL) != STATUS_OK)
        return 1;
    measure_machine(&m, b, o.threads);
    printf("%s, %d thread(s); byte dot products %.0f GOP/s, memory read %.1f GB/s\n", b->name,
           o.threads, m.dot * 1e-9, m.read * 1e-9);
    printf("%-13s %-5s %-22s %-6s %9s %8s %6s %6s %6s\n", "shape", "type", "product", "rows",
           "tok/s", "GOP/s", "peak", "GB/s", "read");
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
            if ((!o.model || strstr(shapes[s].name, o.model)) &&
                (!o.type || strcmp(dtype_name(types[t]), o.type) == 0))
                run_model(&o, &m, &shapes[s], types[t]);
    measure_machine(&m, b, o.threads);
    printf("at the end: byte dot products %.0f GOP/s, memory read %.1f GB/s\n", m.dot * 1e-9,
           m.read * 1e-9);
    pool_free(m.lane.pool);
    return 0;
}
