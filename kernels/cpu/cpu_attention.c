/* cpu_attention.c - attention over pages, forward.
 *
 * Keys are taken in blocks of ATTENTION_BLOCK from position 0. A block gives its largest score m,
 * the sum of p = exp(score - m) over 16 lanes, and o = sum of p v, one chain in the order of
 * keys; blocks merge in order. Keys past a query's own position or before its window are masked,
 * never multiplied.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_query.h"

#if defined(CPU_BUILD_AVX512)
enum { CHAINS = 16 }; /* accumulators at a time, of 32 registers */
#else
enum { CHAINS = 4 }; /* a v16 takes two of 16 registers */
#endif

enum { QUERIES = 8 }; /* of a tile here */

/* One block of keys for all queries of a tile. */
struct block {
    float q[QUERIES * QUERY_STRIDE];
    float p[QUERIES * ATTENTION_BLOCK]; /* scores, then weights */
    float o[QUERIES * QUERY_STRIDE];
    float max[QUERIES], sum[QUERIES];
    int32_t from[QUERIES], keys[QUERIES]; /* of this block: keys from .. keys-1 */
    const int32_t *page;
    int32_t begin, most; /* of what some query attends to */
    int32_t late, least; /* of what all attend to; empty unless late < least */
};

/* Scores of np pages from page0 on, for the nq queries of the tile's kv head h: chains over D. */
V16_INLINE void score_pages(const struct attention_job *j, const struct query_tile *t,
                            struct block *b, int32_t page0, int h, int nq, int np, int form)
{
    v16 acc[16], scale = v16_set1(j->s->scale);
    const float *query = b->q + h * nq * QUERY_STRIDE;
    float *p = b->p + h * nq * ATTENTION_BLOCK + page0 * KV_PAGE_TOKENS;
    int64_t at[8], D = j->s->head_dim;

    V16_UNROLL for (int i = 0; i < np; i++) at[i] = kv_at(j, b->page[page0 + i], t->g + h, form);
    V16_UNROLL for (int i = 0; i < nq * np; i++) acc[i] = v16_zero();
    for (int64_t d = 0; d < D; d++) {
        V16_UNROLL for (int i = 0; i < np; i++)
        {
            v16 k = load_key(j->kv->k, at[i], D, d, form);
            V16_HOLD(k);
            V16_UNROLL for (int q = 0; q < nq; q++) acc[q * np + i] =
                v16_fma(v16_set1(query[q * QUERY_STRIDE + d]), k, acc[q * np + i]);
        }
    }
    V16_UNROLL for (int q = 0; q < nq; q++) V16_UNROLL for (int i = 0; i < np; i++)
        v16_store(p + q * ATTENTION_BLOCK + i * KV_PAGE_TOKENS, v16_mul(acc[q * np + i], scale));
}

/* Scores of all queries' keys of a block, capped. */
static void cap_scores(const struct attention_job *j, struct block *b, int32_t n_queries)
{
    v16 cap = v16_set1(j->s->softcap);

    for (int32_t q = 0; q < n_queries; q++)
        for (int32_t i = b->begin / 16 * 16; i < b->most; i += 16) {
            float *p = b->p + q * ATTENTION_BLOCK + i;
            v16_store(p, v16_mul(cap, v16_tanh(v16_div(v16_load(p), cap))));
        }
}

V16_INLINE void score_block(const struct attention_job *j, const struct query_tile *t,
                            struct block *b, int nq, int nh, int form)
{
    int32_t n_pages = (b->most + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;

    for (int h = 0; h < nh; h++) {
        int32_t i = b->begin / KV_PAGE_TOKENS;
        if (nq * 8 <= CHAINS)
            for (; i + 8 <= n_pages; i += 8)
                score_pages(j, t, b, i, h, nq, 8, form);
        if (nq * 4 <= CHAINS)
            for (; i + 4 <= n_pages; i += 4)
                score_pages(j, t, b, i, h, nq, 4, form);
        if (nq * 2 <= CHAINS)
            for (; i + 2 <= n_pages; i += 2)
                score_pages(j, t, b, i, h, nq, 2, form);
        for (; i < n_pages; i++)
            score_pages(j, t, b, i, h, nq, 1, form);
    }
}

/* Scores of one query to weights, and its (max, sum). */
static void weigh(struct block *b, int32_t q)
{
    float *p = b->p + q * ATTENTION_BLOCK, infinity = fmath_float(0x7f800000u);
    int32_t n = b->keys[q], from = b->from[q], start = from / 16 * 16;
    v16 m = v16_set1(-infinity), sum = v16_zero(), base;

    for (int32_t i = start; i < n; i += 16) {
        v16 s = v16_keep(v16_load(p + i), n - i, -infinity);
        m = v16_max(i < from ? v16_drop(s, from - i, -infinity) : s, m);
    }
    b->max[q] = v16_hmax(m);
    base = v16_set1(b->max[q]);
    for (int32_t i = start; i < n; i += 16) {
        v16 e = v16_keep(v16_exp(v16_sub(v16_load(p + i), base)), n - i, 0.0f);
        if (i < from)
            e = v16_drop(e, from - i, 0.0f);
        sum = v16_add(sum, e);
        v16_store(p + i, e);
    }
    b->sum[q] = v16_sum(sum);
}

/* o of nq queries, from q0 on, of each of nh kv heads from h0 on, vectors d .. d + 16 nv - 1,
 * goes on over keys from .. to-1. `lanes` below 16 only with nv 1: the last, partial vector. */
V16_INLINE void mix_values(const struct attention_job *j, const struct query_tile *t,
                           struct block *b, int q0, int nq, int h0, int nh, int nv, int32_t d,
                           int32_t lanes, int32_t from, int32_t to, int form)
{
    v16 acc[16];
    int64_t D = j->s->head_dim, head = kv_form_head(D, form);
    const float *p = b->p + q0 * ATTENTION_BLOCK;
    float *o = b->o + q0 * QUERY_STRIDE + d;

    V16_UNROLL for (int q = 0; q < nq * nh; q++) V16_UNROLL for (int v = 0; v < nv; v++)
        acc[q * nv + v] = v16_load(o + q * QUERY_STRIDE + v * 16);
    for (int32_t i = from; i < to;) {
        int64_t at = kv_at(j, b->page[i / KV_PAGE_TOKENS], t->g + h0, form);
        int32_t begin = i / KV_PAGE_TOKENS * KV_PAGE_TOKENS, stop = begin + KV_PAGE_TOKENS;
        for (stop = stop < to ? stop : to; i < stop; i++) {
            V16_UNROLL for (int h = 0; h < nh; h++)
            {
                v16 value[4];
                V16_UNROLL for (int v = 0; v < nv; v++)
                {
                    value[v] =
                        nv == 1 && lanes < 16
                            ? load_value_n(j->kv->v, at + h * head, D, i - begin, d, form, lanes)
                            : load_value(j->kv->v, at + h * head, D, i - begin, d + v * 16, form);
                    V16_HOLD(value[v]);
                }
                V16_UNROLL for (int q = h * nq; q < h * nq + nq; q++)
                {
                    v16 w = v16_set1(p[q * ATTENTION_BLOCK + i]);
                    V16_UNROLL for (int v = 0; v < nv; v++) acc[q * nv + v] =
                        v16_fma(w, value[v], acc[q * nv + v]);
                }
            }
        }
    }
    V16_UNROLL for (int q = 0; q < nq * nh; q++) V16_UNROLL for (int v = 0; v < nv; v++)
        v16_store(o + q * QUERY_STRIDE + v * 16, acc[q * nv + v]);
}

V16_INLINE void mix_range(const struct attention_job *j, const struct query_tile *t,
                          struct block *b, int q0, int nq, int h0, int nh, int32_t from, int32_t to,
                          int form)
{
    int32_t D = j->s->head_dim, d = 0;

    if (from >= to)
        return;
    if (nq * nh * 4 <= CHAINS)
        for (; d + 64 <= D; d += 64)
            mix_values(j, t, b, q0, nq, h0, nh, 4, d, 16, from, to, form);
    if (nq * nh * 2 <= CHAINS)
        for (; d + 32 <= D; d += 32)
            mix_values(j, t, b, q0, nq, h0, nh, 2, d, 16, from, to, form);
    for (; d + 16 <= D; d += 16)
        mix_values(j, t, b, q0, nq, h0, nh, 1, d, 16, from, to, form);
    if (d < D)
        mix_values(j, t, b, q0, nq, h0, nh, 1, d, D - d, from, to, form);
}

/* Keys of query q of a tile alone. */
static void mix_own(const struct attention_job *j, const struct query_tile *t, struct block *b,
                    int32_t q, int32_t from, int32_t to)
{
    if (j->kv->dtype == DTYPE_BF16)
        mix_range(j, t, b, q, 1, q / t->n, 1, from, to, KV_FORM_BF16);
    else if (j->kv->dtype == DTYPE_F32)
        mix_range(j, t, b, q, 1, q / t->n, 1, from, to, KV_FORM_F32);
    else
        mix_range(j, t, b, q, 1, q / t->n, 1, from, to, KV_FORM_Q8);
}

/* Keys in order: those that a query alone has before the common ones, these, those behind. */
V16_INLINE void mix_block(const struct attention_job *j, const struct query_tile *t,
                          struct block *b, int nq, int nh, int form)
{
    const bool common = b->late < b->least;

    for (int32_t q = 0; q < nq * nh; q++)
        if (b->from[q] < b->late || !common)
            mix_own(j, t, b, q, b->from[q], common ? b->late : b->keys[q]);
    if (!common)
        return;
    mix_range(j, t, b, 0, nq, 0, nh, b->late, b->least, form);
    for (int32_t q = 0; q < nq * nh; q++)
        if (b->least < b->keys[q])
            mix_own(j, t, b, q, b->least, b->keys[q]);
}

/* The merged result of the blocks so far. */
struct running {
    float max[QUERIES], sum[QUERIES];
    float o[QUERIES * QUERY_STRIDE];
};

static void merge(const struct attention_job *j, struct running *all, const struct block *b,
                  int32_t q, bool first)
{
    int32_t D = j->s->head_dim;
    const float *o = b->o + q * QUERY_STRIDE;
    float *to = all->o + q * QUERY_STRIDE, m, old, new;

    if (first) {
        all->max[q] = b->max[q];
        all->sum[q] = b->sum[q];
        for (int32_t d = 0; d < D; d += 16)
            v16_store(to + d, v16_load(o + d));
        return;
    }
    m = all->max[q] > b->max[q] ? all->max[q] : b->max[q];
    old = fmath_exp(all->max[q] - m);
    new = fmath_exp(b->max[q] - m);
    all->max[q] = m;
    all->sum[q] = fmaf(all->sum[q], old, b->sum[q] * new);
    for (int32_t d = 0; d < D; d += 16) {
        v16 fresh = v16_mul(v16_load(o + d), v16_set1(new));
        v16_store(to + d, v16_fma(v16_load(to + d), v16_set1(old), fresh));
    }
}

static void finish(const struct attention_job *j, const struct query_tile *t,
                   const struct running *all)
{
    int32_t D = j->s->head_dim;

    for (int32_t q = 0; q < t->n * t->heads; q++) {
        v16 inverse = v16_set1(1.0f / all->sum[q]);
        float *out = j->out_w + t->at[q] * D;
        for (int32_t d = 0; d < D; d += 16)
            v16_store_n(out + d, v16_mul(v16_load(all->o + q * QUERY_STRIDE + d), inverse), D - d);
        if (j->lse_w)
            j->lse_w[t->at[q]] = all->max[q] + fmath_log(all->sum[q]);
    }
}

/* Copies the queries, padded with zeros to whole vectors. */
static void load_queries(const struct attention_job *j, const struct query_tile *t, struct block *b)
{
    int32_t D = j->s->head_dim;
    for (int32_t q = 0; q < t->n * t->heads; q++)
        for (int32_t d = 0; d < D; d += 16)
            v16_store(b->q + q * QUERY_STRIDE + d, v16_load_n(j->q + t->at[q] * D + d, D - d));
}

static void enter_block(const struct attention_job *j, const struct query_tile *t, struct block *b,
                        int32_t base)
{
    b->most = b->late = 0;
    b->begin = b->least = ATTENTION_BLOCK;
    b->page = t->page + base / KV_PAGE_TOKENS;
    for (int32_t q = 0; q < t->n * t->heads; q++) {
        int32_t n = t->keys[q] - base, first = t->first[q] - base;
        b->keys[q] = n < 0 ? 0 : n > ATTENTION_BLOCK ? ATTENTION_BLOCK : n;
        b->from[q] = first < 0 ? 0 : first > b->keys[q] ? b->keys[q] : first;
        b->most = b->keys[q] > b->most ? b->keys[q] : b->most;
        b->least = b->keys[q] < b->least ? b->keys[q] : b->least;
        b->begin = b->from[q] < b->begin ? b->from[q] : b->begin;
        b->late = b->from[q] > b->late ? b->from[q] : b->late;
        for (int32_t d = 0; d < j->s->head_dim; d += 16)
            v16_store(b->o + q * QUERY_STRIDE + d, v16_zero());
    }
}

V16_INLINE void attend(const struct attention_job *j, const struct query_tile *t, int nq, int nh,
                       int form)
{
    struct block b;
    struct running all;
    int32_t last = 0, start = first_of_tile(t) / ATTENTION_BLOCK * ATTENTION_BLOCK;

    for (int32_t q = 0; q < nq * nh; q++)
        last = t->keys[q] > last ? t->keys[q] : last;
    load_queries(j, t, &b);
    for (int32_t base = start; base < last; base += ATTENTION_BLOCK) {
        enter_block(j, t, &b, base);
        score_block(j, t, &b, nq, nh, form);
        if (j->s->softcap > 0)
            cap_scores(j, &b, nq * nh);
        for (int32_t q = 0; q < nq * nh; q++)
            weigh(&b, q);
        mix_block(j, t, &b, nq, nh, form);
        for (int32_t q = 0; q < nq * nh; q++)
            if (b.from[q] < b.keys[q])
                merge(j, &all, &b, q, t->first[q] >= base);
    }
    finish(j, t, &all);
}

#define ATTEND(nq, nh)                                                                             \
    static void attend_##nq##x##nh(const struct attention_job *j, const struct query_tile *t)      \
    {                                                                                              \
        if (j->kv->dtype == DTYPE_BF16)                                                            \
            attend(j, t, nq, nh, KV_FORM_BF16);                                                    \
        else if (j->kv->dtype == DTYPE_F32)                                                        \
            attend(j, t, nq, nh, KV_FORM_F32);                                                     \
        else                                                                                       \
            attend(j, t, nq, nh, KV_FORM_Q8);                                                      \
    }
ATTEND(1, 1)
ATTEND(1, 2)
ATTEND(1, 4)
ATTEND(2, 1)
ATTEND(2, 2)
ATTEND(4, 1)
ATTEND(8, 1)

static void attend_tile(const struct attention_job *j, const struct query_tile *t)
{
    static const query_fn single[4] = {attend_1x1, attend_1x2, NULL, attend_1x4};

    if (t->n == 8)
        attend_8x1(j, t);
    else if (t->n == 4)
        attend_4x1(j, t);
    else if (t->n == 2)
        (t->heads == 2 ? attend_2x2 : attend_2x1)(j, t);
    else
        single[t->heads - 1](j, t);
}

/* Neighbouring kv heads are processed together. An item is one such group of heads and one row.
 * Items are numbered by heads first, so that a range has neighbouring rows. */
static int32_t heads_together(const struct attention_job *j)
{
    return j->s->n_kv_heads % 4 == 0 ? 4 : j->s->n_kv_heads % 2 == 0 ? 2 : 1;
}

static void attend_items(void *ctx, int64_t begin, int64_t end)
{
    const struct attention_job *j = ctx;
    int64_t R = j->r->n;
    int32_t heads = heads_together(j);

    while (begin < end) {
        int64_t g = begin / R, stop = (g + 1) * R < end ? (g + 1) * R : end;
        CPU_OP(query_tiles)
        (j, (int32_t)g * heads, heads, QUERIES, begin - g * R, stop - g * R, attend_tile);
        begin = stop;
    }
}

void CPU_OP(attention)(const struct lane *l, const struct attention_shape *s,
                       const struct row_span *r, const float *q, const struct kv_layer *kv,
                       float *out, float *lse)
{
    struct attention_job j = {.s = s, .r = r, .kv = kv, .q = q, .out_w = out, .lse_w = lse};
    cpu_for(l, (int64_t)r->n * (s->n_kv_heads / heads_together(&j)), 1, 8, attend_items, &j);
}
