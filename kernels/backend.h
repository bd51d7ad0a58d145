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
 *  - exp, log and tanh are those of fmath.h and v16.h; of libm only fmaf and sqrtf are used.
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
#define GRADIENT_SHARDS        8 /* weight gradients add up in this many parts, in order */

struct lane {
    struct pool *pool; /* NULL: the calling thread alone */
    void *stream;      /* devices: the queue of this lane; NULL: runs alone, after all that any lane
                        * was given before and before all that follows. CPU: unused */
};

/* A weight W (n_out, n_in) as in Hugging Face: y = x W^T. `rows` is row-major; of a quantised dtype
 * it has the blocks of a GGUF file. `panels` has the same values as `pack` laid them out for
 * products: 64-byte aligned, the backend's own affair. Both are backend memory (or, with
 * host_memory, any host memory) and belong to the owner (models/arch/weights.h). */
struct matrix {
    int32_t n_out, n_in;
    enum dtype dtype;
    const void *rows;
    const void *panels;
};

/* One layer's KV pages. Page p has its keys at k + p * kv_half_bytes and its values at the same
 * place of v; how they lie there is the backend's own affair. */
struct kv_layer {
    void *k, *v;
    enum dtype dtype;
};

/* Rows of a forward pass over page tables: row r is position pos[r] of the sequence whose
 * table is page[seq[r]] (page[s][i] holds positions 16i .. 16i+15) and attends to 0 .. pos[r],
 * or to a window of them. All the tables are host memory. */
struct row_span {
    int32_t n; /* R */
    const int32_t *seq;
    const int32_t *pos;
    const int32_t *const *page;
};

/* A score is x = scale * q.k or, with a soft cap, softcap * tanh(x / softcap). */
struct attention_shape {
    int32_t n_heads, n_kv_heads, head_dim;
    float scale;
    int32_t window; /* row r attends to the positions pos[r]-window+1 .. pos[r] alone; 0: to all */
    float softcap;  /* 0: none */
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
    bool exact;       /* logp of rollout and training agree bitwise */
    bool host_memory; /* backend memory is host memory, and ops take any host memory */

    /* Memory that ops work on. But for host_memory the host never touches it: upload takes host
     * memory to it, download brings it back, copy is within it (no overlap). A lane does these and
     * its ops in the order of the calls; src of upload may change once it returns, dst of download
     * is filled by then. */
    void *(*alloc)(void *ctx, size_t bytes); /* 64-byte aligned, zeroed; NULL: none left */
    void (*release)(void *ctx, void *p);
    void (*upload)(const struct lane *l, void *dst, const void *src, size_t bytes);
    void (*download)(const struct lane *l, void *dst, const void *src, size_t bytes);
    void (*copy)(const struct lane *l, void *dst, const void *src, size_t bytes);
    void (*zero)(const struct lane *l, void *dst, size_t bytes);
    /* Waits for all that the lane was given. Ops cannot fail where they are called, but what they
     * queued can: the error is the first since the lane's last sync, and results are then void. */
    MUST_CHECK enum status (*sync)(const struct lane *l, struct error *err);

    /* Layouts that are the backend's own. */
    size_t (*panels_bytes)(const struct matrix *w); /* 0: no products of w's type here */
    void (*pack)(const struct lane *l, const struct matrix *w, void *panels);
    /* Of R rows that quantise_rows rounds; 0: no quantised products here. */
    size_t (*quantised_bytes)(int32_t R, int32_t n_in);
    /* The keys, or the values, of one page of one layer; 0: no pages of that type here. */
    size_t (*kv_half_bytes)(int32_t n_kv_heads, int32_t head_dim, enum dtype dtype);

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

/* The host's view of `bytes` of backend memory at `from`, as the lane's ops left it: `from` itself
 * with host_memory, else a copy in `space`, which is host memory. */
const void *backend_view(const struct backend *b, const struct lane *l, const void *from,
                         void *space, size_t bytes);

/* The argument of a loadable backend, and the type of its one exported symbol. */
struct backend_host {
    uint32_t abi, size_bytes;
    void (*log)(void *ctx, const char *line);
    void *ctx;
};
typedef const struct backend *(*backend_open_fn)(const struct backend_host *host);

#endif
