/* backend.h - the table of ops that cpu/ and cuda/ fill.
 *
 * An op computes on raw pointers in the backend's memory. The comment of each pointer gives
 * its shape, row-major, last index contiguous. R rows, C channels (hidden), H query
 * heads, G key/value heads, D head size, F feed-forward size, V vocabulary.
 * Ops allocate nothing, return nothing and cannot fail: shapes are checked once, at
 * load. An op that a backend lacks is NULL.
 *
 * The bits of an output row depend on that row's inputs alone: not on R, on the
 * lane's threads or on the instruction set. The rules (docs/architecture.md, "Exact bits"):
 *  - a product is one FMA chain per output element, from +0 (or from the stored
 *    accumulator), in the order of the reduction index;
 *  - a product with quantised weights (matmul_q) works in blocks of 32 inputs. Of 32 activations
 *    x, d = max|x| / 127 and c = x * (1/d), 1/d taken once, to the nearest integer, ties to even
 *    (d below 2^-126: d and c are 0; an x that is not finite: d is NaN). Weights are w = dw q or
 *    dw q + m. The dot s of q and c is an exact integer. A block adds fma(s, dw * d, acc), then,
 *    with a minimum, fma(m, d * sum of c, acc): one chain in the order of blocks. Of K types dw
 *    is d times the block's scale and m is -dmin times its minimum, both exact in fp32; Q6_K has
 *    a scale for each 16 inputs, a factor within the integer s;
 *  - other reductions: element i goes to virtual lane i % 16, lanes are summed
 *    by the tree (l, l+8), (l, l+4), (l, l+2), (l, l+1);
 *  - softmax and log-sum-exp work in fixed blocks (256 keys, 4096 columns), each giving
 *    (max, sum, ...) by the same lanes, merged in block order;
 *  - exp and log are those of fmath.h; of libm only fmaf and sqrtf are used.
 *
 * A lane says which threads run an op: one worker alone (pool NULL: small models shard by
 * rows, each worker taking its rows through all layers) or a whole pool that
 * splits columns. Lanes never change bits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_BACKEND_H
#define TROUPE_KERNELS_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/dtype.h"
#include "runtime/base/pool.h"
#include "runtime/base/status.h"

#define BACKEND_ABI            1
#define KV_PAGE_TOKENS         16  /* positions of a KV page: one vector of scores */
#define ATTENTION_BLOCK        256 /* keys per softmax block */
#define ATTENTION_MAX_HEAD_DIM 256
#define LSE_BLOCK              4096
#define MATRIX_PANEL           32 /* output columns of a packed panel */
#define GRADIENT_SHARDS        8  /* weight gradients add up in this many parts, in order */

struct lane {
    struct pool *pool; /* NULL: the calling thread alone */
    void *stream;      /* devices: the queue of this lane; CPU: unused */
};

/* A weight W (n_out, n_in) as in Hugging Face: y = x W^T. `rows` is row-major. `panels`
 * holds the same values packed for `matmul`: panel p has columns (outputs)
 * 32p .. 32p+31, laid out (n_in, 32), zero padded; always f32 or bf16 like dtype (f16
 * is widened to f32 when packed). Of a quantised dtype `rows` has the blocks of a GGUF file and
 * `panels`, packed for `matmul_q`, the backend's own layout, 64-byte aligned. The memory belongs to
 * the owner (models/arch/weights.h). */
struct matrix {
    int32_t n_out, n_in;
    enum dtype dtype;
    const void *rows;
    const void *panels;
};

/* One layer's KV pages. Page p: keys (G, D, KV_PAGE_TOKENS) transposed, so that 16 scores are
 * one FMA chain over D each; values (G, KV_PAGE_TOKENS, D). dtype f32 or bf16. */
struct kv_layer {
    void *k; /* (n_pages, G, D, 16) */
    void *v; /* (n_pages, G, 16, D) */
    enum dtype dtype;
};

/* Rows of a forward pass over page tables: row r is position pos[r] of the sequence whose
 * table is page[seq[r]] (page[s][i] holds positions 16i .. 16i+15) and attends to 0 .. pos[r]. */
struct row_span {
    int32_t n; /* R */
    const int32_t *seq;
    const int32_t *pos;
    const int32_t *const *page;
};

struct attention_shape {
    int32_t n_heads, n_kv_heads, head_dim;
    float scale; /* 1/sqrt(D) */
};

struct adamw_step {
    float lr, beta1, beta2, eps, weight_decay;
    float bias1, bias2; /* 1 - beta^t */
    float grad_scale;   /* clipping and accumulation, applied to the gradient first */
};

struct backend {
    uint32_t abi, size_bytes;
    const char *name; /* "cpu-avx512", "cpu-avx2", "cpu-plain", "cuda-sm90" */
    void *ctx;
    bool exact; /* logp of rollout and training agree bitwise */

    /* Memory that ops work on. On the CPU it is host memory. */
    void *(*alloc)(void *ctx, size_t bytes); /* 64-byte aligned, zeroed; NULL: none left */
    void (*release)(void *ctx, void *p);
    void (*upload)(void *ctx, void *dst, const void *src, size_t bytes);
    void (*download)(void *ctx, void *dst, const void *src, size_t bytes);
    size_t (*panels_bytes)(const struct matrix *w); /* 0: no products of w's type here */
    void (*pack)(const struct lane *l, const struct matrix *w, void *panels);

    /* ---- forward */
    /* out (R, C) = table[token[r]] */
    void (*embed)(const struct lane *l, const struct matrix *table, const int32_t *token, int32_t R,
                  float *out);
    /* y (R, n_out) = x (R, n_in) W^T; beta 1 adds to y (residual), beta 0
     * overwrites. ld in elements. */
    void (*matmul)(const struct lane *l, const struct matrix *w, const float *x, int64_t ldx,
                   int32_t R, float beta, float *y, int64_t ldy);
    /* Rounds x (R, n_in) for matmul_q: once a row, shared by all products of these inputs. `out`
     * has quantised_bytes and is opaque. n_in need not be a multiple of 32. */
    size_t (*quantised_bytes)(int32_t R, int32_t n_in);
    void (*quantise_rows)(const struct lane *l, const float *x, int64_t ldx, int32_t R,
                          int32_t n_in, void *out);
    /* As matmul, w of a quantised type: x is what quantise_rows made of the same R and n_in. */
    void (*matmul_q)(const struct lane *l, const struct matrix *w, const void *x, int32_t R,
                     float beta, float *y, int64_t ldy);
    /* y = x * rsqrt(mean(x^2) + eps) * w over the last n elements of each of R rows; rstd (R) may
     * be NULL. For QK norm call it with R*H rows of D. In place is allowed. */
    void (*rmsnorm)(const struct lane *l, const float *x, const float *w, int32_t R, int32_t n,
                    float eps, float *y, float *rstd);
    /* In place on x (R, n_heads, D), two halves as in transformers: cos, sin (max_pos, D/2). */
    void (*rope)(const struct lane *l, float *x, int32_t R, int32_t n_heads, int32_t head_dim,
                 const int32_t *pos, const float *cos, const float *sin);
    /* Rounds k, v (R, G, D) to the cache's dtype and writes them at each row's place. */
    void (*kv_write)(const struct lane *l, const struct attention_shape *s,
                     const struct row_span *r, const float *k, const float *v,
                     const struct kv_layer *kv);
    /* out (R, H, D); lse (R, H) may be NULL (training keeps it). Reads K and V from the pages only.
     */
    void (*attention)(const struct lane *l, const struct attention_shape *s,
                      const struct row_span *r, const float *q, const struct kv_layer *kv,
                      float *out, float *lse);
    /* y (R, F) = silu(gate) * up; gate and up are the halves of gu (R, 2F): gate first. */
    void (*swiglu)(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y);
    /* lse (R) of logits * inv_temperature[r] over V columns; inv_temperature NULL: all 1. */
    void (*logsumexp)(const struct lane *l, const float *logits, int64_t ld, int32_t R, int32_t V,
                      const float *inv_temperature, float *lse);

    /* ---- backward: every d_ pointer is added to, unless its comment says otherwise */
    void (*embed_back)(const struct lane *l, const float *dy, const int32_t *token, int32_t R,
                       int32_t C, float *d_table);
    /* dx (R, n_in) = beta*dx + dy (R, n_out) W; of a quantised type W is the float values of its
     * blocks, from the panels */
    void (*matmul_dx)(const struct lane *l, const struct matrix *w, const float *dy, int64_t lddy,
                      int32_t R, float beta, float *dx, int64_t lddx);
    /* dw (n_out, n_in) += dy^T x, one chain over r = 0 .. R-1 from the old dw */
    void (*matmul_dw)(const struct lane *l, int32_t n_out, int32_t n_in, const float *dy,
                      int64_t lddy, const float *x, int64_t ldx, int32_t R, float *dw);
    /* dx (R, n) is overwritten (beta 0) or added to (beta 1); dw (n) adds, NULL
     * leaves it out. x is the input of rmsnorm; dx may be dy with beta 0. */
    void (*rmsnorm_back)(const struct lane *l, const float *x, const float *w, const float *rstd,
                         const float *dy, int32_t R, int32_t n, float beta, float *dx, float *dw);
    /* Inverse rotation of dx in place. */
    void (*rope_back)(const struct lane *l, float *dx, int32_t R, int32_t n_heads, int32_t head_dim,
                      const int32_t *pos, const float *cos, const float *sin);
    /* dq (R, H, D) is overwritten; dk, dv are f32 page pools shaped like kv (n_pages, ...), added
     * to in the order of rows. out and lse are what the forward gave. Rows of one call run in
     * order, so a caller that wants threads splits by sequences that share no page. */
    void (*attention_back)(const struct lane *l, const struct attention_shape *s,
                           const struct row_span *r, const float *q, const struct kv_layer *kv,
                           const float *out, const float *lse, const float *dout, float *dq,
                           float *dk_pages, float *dv_pages);
    /* Gathers this pass's rows out of page-shaped gradients: dk, dv (R, G, D) overwritten. */
    void (*kv_gather)(const struct lane *l, const struct attention_shape *s,
                      const struct row_span *r, const float *dk_pages, const float *dv_pages,
                      float *dk, float *dv);
    /* dgu (R, 2F) is overwritten. */
    void (*swiglu_back)(const struct lane *l, const float *gu, const float *dy, int32_t R,
                        int32_t F, float *dgu);
    /* logits (R, n) are columns v0 .. v0+n-1 of the vocabulary (a whole row: v0 0, n V) and become
     * their own gradient: coef[r] * inv_t[r] * (softmax - onehot(target[r])), softmax from lse[r].
     */
    void (*softmax_grad)(const struct lane *l, float *logits, int64_t ld, int32_t R, int32_t v0,
                         int32_t n, const int32_t *target, const float *inv_temperature,
                         const float *lse, const float *coef);

    /* ---- optimiser */
    void (*add)(const struct lane *l, const float *x, int64_t n, float *y); /* y += x */
    double (*sum_squares)(const struct lane *l, const float *x, int64_t n);
    /* Decoupled weight decay (Loshchilov and Hutter 2019), fp32 master w. */
    void (*adamw)(const struct lane *l, const struct adamw_step *s, int64_t n, const float *grad,
                  float *m, float *v, float *w);

    /* ---- log-sum-exp of a vocabulary taken in chunks, for the fused head. max, sum (R) begin as
     * (-infinity, 0); each call merges n more columns (n a multiple of LSE_BLOCK but for the last
     * chunk, then the bits are those of logsumexp); the end gives lse = max + log(sum). */
    void (*logsumexp_part)(const struct lane *l, const float *logits, int64_t ld, int32_t R,
                           int32_t n, const float *inv_temperature, float *max, float *sum);
    void (*logsumexp_end)(const struct lane *l, int32_t R, const float *max, const float *sum,
                          float *lse);

    /* Floating-point operations a second that the lane's fp32 FMA units reach at best, measured
     * now (about 10 ms); progress lines compare with it. NULL: not known. */
    double (*peak_flops)(const struct lane *l);
};

/* The argument of a loadable backend, and the type of its one exported symbol. */
struct backend_host {
    uint32_t abi, size_bytes;
    void (*log)(void *ctx, const char *line);
    void *ctx;
};
typedef const struct backend *(*backend_open_fn)(const struct backend_host *host);

#endif
