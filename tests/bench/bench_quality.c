/* bench_quality.c - what rounding of activations costs: the quantised path against the f32 path
 * over the same weights.
 *
 * Usage: bench_quality MODEL IDS. MODEL is a GGUF with quantised weights; IDS a file of token ids,
 * separated by anything, at least two. Prints for both paths the mean log-prob of ids 2 on, and for
 * the quantised one its Kullback-Leibler divergence from f32 over the whole vocabulary (mean and
 * largest) and how often the likeliest token is the same. Keys and values are f32 in both, so that
 * only the rounding of activations differs. Memory: two tables of logits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu_backend.h"
#include "models/arch/arch.h"
#include "models/formats/model_source.h"
#include "models/train/packed_pass.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "runtime/base/seams.h"
#include "tests/bench/bench_run.h"

#define MAX_IDS 8192

static int32_t read_ids(const char *path, int32_t *ids)
{
    struct error err = ERROR_INIT;
    char *text, *at;
    size_t n;
    int32_t count = 0;

    must(file_read(path, 1 << 20, &text, &n, &err), &err);
    for (at = text; *at && count < MAX_IDS;) {
        if (isdigit((unsigned char)*at))
            ids[count++] = (int32_t)strtol(at, &at, 10);
        else
            at++;
    }
    free(text);
    return count;
}

static struct weights *load(const char *path, enum dtype dtype)
{
    struct error err = ERROR_INIT;
    struct model_source *files;
    struct model_config c;
    struct tensor_file *t;
    struct weights *w;

    must(model_source_open(path, &files, &err), &err);
    must(model_source_config(files, &c, &err), &err);
    must(model_source_tensors(files, &t, &err), &err);
    must(weights_load(cpu_backend(cpu_isa_best()), arch_find(c.architecture), &c, t, dtype, &w,
                      &err),
         &err);
    model_source_close(files);
    return w;
}

/* logits (n - 1, V) and logp (n - 1) of the ids after each; the caller frees logits. */
static float *run(const struct weights *w, struct pool *pool, const int32_t *ids, int32_t n,
                  float *logp)
{
    struct packed_pass_shape shape = {.max_rows = n - 1, .max_pos = n};
    struct error err = ERROR_INIT;
    struct packed_pass *pass;
    struct row_batch batch;
    struct head_output out = {.logp = logp};

    out.logits =
        mem_aligned_alloc((size_t)(n - 1) * (size_t)weights_config(w)->vocab_size, sizeof(float));
    if (!out.logits)
        must(STATUS_NO_MEMORY, &err);
    must(packed_pass_new(w, &shape, &pass, &err), &err);
    must(row_batch_init(&batch, n - 1, &err), &err);
    if (!row_batch_add(&batch, ids, NULL, n))
        must(STATUS_LIMIT, &err);
    must(packed_pass_forward(pass, w, (struct lane){.pool = pool}, &batch, 1.0f, &out, &err), &err);
    row_batch_deinit(&batch);
    packed_pass_free(pass);
    return out.logits;
}

struct distance {
    double kl;
    bool same_top;
};

/* From p, the softmax of a, to q, that of b. */
static struct distance compare(const float *a, const float *b, int32_t V)
{
    int32_t top[2] = {0, 0};
    double sum[2] = {0, 0}, kl = 0;

    for (int32_t v = 1; v < V; v++) {
        top[0] = a[v] > a[top[0]] ? v : top[0];
        top[1] = b[v] > b[top[1]] ? v : top[1];
    }
    for (int32_t v = 0; v < V; v++) {
        sum[0] += exp((double)(a[v] - a[top[0]]));
        sum[1] += exp((double)(b[v] - b[top[1]]));
    }
    for (int32_t v = 0; v < V; v++) {
        double p = (double)(a[v] - a[top[0]]) - log(sum[0]);
        double q = (double)(b[v] - b[top[1]]) - log(sum[1]);

        kl += exp(p) * (p - q);
    }
    return (struct distance){kl, top[0] == top[1]};
}

static double mean(const float *x, int32_t n)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += (double)x[i];
    return sum / n;
}

int main(int argc, char **argv)
{
    static int32_t ids[MAX_IDS];
    static float logp[2][MAX_IDS];
    struct error err = ERROR_INIT;
    struct pool *pool;
    struct weights *w;
    float *logits[2];
    double sum = 0, most = 0;
    int32_t n, V, same = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: bench_quality MODEL IDS\n");
        return 2;
    }
    n = read_ids(argv[2], ids);
    must(pool_new(2, &pool, &err), &err);
    for (int i = 0; i < 2; i++) {
        w = load(argv[1], i ? DTYPE_N : DTYPE_F32);
        V = weights_config(w)->vocab_size;
        weights_set_kv_dtype(w, DTYPE_F32);
        logits[i] = run(w, pool, ids, n, logp[i]);
        weights_unref(w);
    }
    for (int32_t r = 0; r < n - 1; r++) {
        struct distance d =
            compare(logits[0] + (size_t)r * (size_t)V, logits[1] + (size_t)r * (size_t)V, V);

        sum += d.kl;
        most = d.kl > most ? d.kl : most;
        same += d.same_top;
    }
    printf("f32 %.4f  as stored %.4f  difference %+.4f  KL %.4f (largest %.3f)  same top token "
           "%.1f %%  (%d tokens)\n",
           mean(logp[0], n - 1), mean(logp[1], n - 1), mean(logp[1], n - 1) - mean(logp[0], n - 1),
           sum / (n - 1), most, 100.0 * same / (n - 1), n);
    mem_aligned_free(logits[0]);
    mem_aligned_free(logits[1]);
    pool_free(pool);
    return 0;
}
