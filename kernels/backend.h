/* backend.h - what cpu/ and cuda/ fill: memory, and a table of the ops that ops.def lists.
 *
 * An op computes on raw pointers in the backend's memory. Its comment gives for each pointer
 * the shape, row-major, last index contiguous. R rows, C channels (hidden), H query
 * heads, G key/value heads, D head size, F feed-forward size, V vocabulary.
 * Ops allocate nothing, return nothing and cannot fail: shapes are checked once, at
 * load. An op that a backend lacks is NULL; models say which they need (backend_require).
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

/* The ops by number, and sets of them. */
enum backend_op {
#define OP(id, name, parameters) BACKEND_OP_##id,
#include "kernels/ops.def"
#undef OP
    BACKEND_OP_N /* at most 64: op_set has a bit for each */
};
typedef uint64_t op_set;
#define OP_BIT(id) ((op_set)1 << BACKEND_OP_##id)

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
    /* Of R rows that quantise_rows rounds; 0: no quantised products here. */
    size_t (*quantised_bytes)(int32_t R, int32_t n_in);

    /* The ops: one slot for each line of ops.def, where their contracts are. */
#define OP(id, name, parameters) void(*name) parameters;
#include "kernels/ops.def"
#undef OP

    /* Floating-point operations a second that the lane's fp32 FMA units reach at best, measured
     * now (about 10 ms); progress lines compare with it. NULL: not known. */
    double (*peak_flops)(const struct lane *l);
};

/* As in ops.def: "matmul". */
const char *backend_op_name(enum backend_op op);
/* Fails with STATUS_UNSUPPORTED where the backend lacks one of the ops; the message names the op,
 * the backend and `what` needs it ("qwen3", "training of qwen3"). */
MUST_CHECK enum status backend_require(const struct backend *b, op_set ops, const char *what,
                                       struct error *err);

/* The argument of a loadable backend, and the type of its one exported symbol. */
struct backend_host {
    uint32_t abi, size_bytes;
    void (*log)(void *ctx, const char *line);
    void *ctx;
};
typedef const struct backend *(*backend_open_fn)(const struct backend_host *host);

#endif
