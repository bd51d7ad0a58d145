/* cpu_attention_back.c - attention over pages, backward.
 *
 * p = exp(q.k scale - lse), delta = dout.out, ds = p (dout.v - delta) scale;
 * dv += p dout, dk += ds q, dq = sum ds k. Every sum is one chain: scores and dout.v over D, dq
 * over keys, dk and dv over rows and, within a row, heads. Pages of keys are turned to (16, D) and
 * pages of values to (D, 16) once for all queries of a tile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_query.h"

enum { PAGE_FLOATS = KV_PAGE_TOKENS * ATTENTION_MAX_HEAD_DIM };

struct back {
    float q[QUERY_MAX * QUERY_STRIDE];
    float dout[QUERY_MAX * QUERY_STRIDE];
    float dq[QUERY_MAX * QUERY_STRIDE];
    float p[QUERY_MAX * KV_PAGE_TOKENS], ds[QUERY_MAX * KV_PAGE_TOKENS];
    float k[PAGE_FLOATS], v[PAGE_FLOATS];               /* (D, 16), (16, Dpad) */
    float k_turned[PAGE_FLOATS], v_turned[PAGE_FLOATS]; /* (16, Dpad), (Dpad, 16) */
    float delta[QUERY_MAX], lse[QUERY_MAX];
    int32_t padded; /* D to whole vectors */
};

static void turn(const float *from, int64_t ld_from, float *to, int64_t ld_to)
{
    for (int i = 0; i < 16; i++)
        for (int x = 0; x < 16; x++)
            to[x * ld_to + i] = from[i * ld_from + x];
}

/* A page as f32, both ways round. Lanes of keys at or past n_keys are zero. */
static void load_page(const struct attention_job *j, struct back *b, int64_t at, int32_t n_keys)
{
    bool bf16 = j->kv->dtype == DTYPE_BF16;
    int32_t D = j->s->head_dim;

    for (int32_t d = 0; d < b->padded; d++)
        v16_store(b->k + d * 16,
                  d < D ? load_kv_n(j->kv->k, at + d * 16, bf16, n_keys) : v16_zero());
    for (int32_t i = 0; i < KV_PAGE_TOKENS; i++)
        for (int32_t d = 0; d < D; d += 16)
            v16_store(b->v + i * b->padded + d,
                      i < n_keys ? load_kv_n(j->kv->v, at + i * D + d, bf16, D - d) : v16_zero());
    for (int32_t d = 0; d < b->padded; d += 16) {
        turn(b->k + d * 16, 16, b->k_turned + d, b->padded);
        turn(b->v + d, b->padded, b->v_turned + d * 16, 16);
    }
}

/* p and ds of nq queries from q0 over the page at hand; keys at or past n_keys get 0. */
V16_INLINE void page_weights(const struct attention_job *j, struct back *b, int q0, int nq,
                             int32_t n_keys)
{
    v16 s[QUERY_MAX], dp[QUERY_MAX], scale = v16_set1(j->s->scale);

    for (int q = 0; q < nq; q++)
        s[q] = dp[q] = v16_zero();
    for (int32_t d = 0; d < j->s->head_dim; d++) {
        v16 k = v16_load(b->k + d * 16), v = v16_load(b->v_turned + d * 16);
        for (int q = 0; q < nq; q++) {
            s[q] = v16_fma(v16_set1(b->q[(q0 + q) * QUERY_STRIDE + d]), k, s[q]);
            dp[q] = v16_fma(v16_set1(b->dout[(q0 + q) * QUERY_STRIDE + d]), v, dp[q]);
        }
    }
    for (int q = 0; q < nq; q++) {
        v16 p = v16_exp(v16_sub(v16_mul(s[q], scale), v16_set1(b->lse[q0 + q])));
        v16 ds = v16_mul(v16_mul(p, v16_sub(dp[q], v16_set1(b->delta[q0 + q]))), scale);
        v16_store(b->p + (q0 + q) * 16, v16_keep(p, n_keys, 0.0f));
        v16_store(b->ds + (q0 + q) * 16, v16_keep(ds, n_keys, 0.0f));
    }
}

/* dk (D, 16) += ds q. */
V16_INLINE void add_dk(const struct attention_job *j, const struct back *b, int q0, int nq,
                       int32_t n_keys, float *dk)
{
    v16 ds[QUERY_MAX];

    for (int q = 0; q < nq; q++)
        ds[q] = v16_load(b->ds + (q0 + q) * 16);
    for (int64_t d = 0; d < j->s->head_dim; d++) {
        v16 sum = v16_load_n(dk + d * 16, n_keys);
        for (int q = 0; q < nq; q++)
            sum = v16_fma(ds[q], v16_set1(b->q[(q0 + q) * QUERY_STRIDE + d]), sum);
        v16_store_n(dk + d * 16, sum, n_keys);
    }
}

/* dv (16, D) += p dout. */
V16_INLINE void add_dv(const struct attention_job *j, const struct back *b, int q0, int nq,
                       int32_t n_keys, float *dv)
{
    int32_t D = j->s->head_dim;

    for (int32_t d = 0; d < D; d += 16) {
        v16 dout[QUERY_MAX];
        for (int q = 0; q < nq; q++)
            dout[q] = v16_load(b->dout + (q0 + q) * QUERY_STRIDE + d);
        for (int64_t i = 0; i < n_keys; i++) {
            v16 sum = v16_load_n(dv + i * D + d, D - d);
            for (int q = 0; q < nq; q++)
                sum = v16_fma(v16_set1(b->p[(q0 + q) * 16 + i]), dout[q], sum);
            v16_store_n(dv + i * D + d, sum, D - d);
        }
    }
}

/* dq += ds k, keys in order. */
V16_INLINE void add_dq(struct back *b, int q0, int nq, int32_t n_keys)
{
    for (int32_t d = 0; d < b->padded; d += 16) {
        v16 sum[QUERY_MAX];
        for (int q = 0; q < nq; q++)
            sum[q] = v16_load(b->dq + (q0 + q) * QUERY_STRIDE + d);
        for (int32_t i = 0; i < n_keys; i++) {
            v16 k = v16_load(b->k_turned + i * b->padded + d);
            for (int q = 0; q < nq; q++)
                sum[q] = v16_fma(v16_set1(b->ds[(q0 + q) * 16 + i]), k, sum[q]);
        }
        for (int q = 0; q < nq; q++)
            v16_store(b->dq + (q0 + q) * QUERY_STRIDE + d, sum[q]);
    }
}

V16_INLINE void back_page(const struct attention_job *j, struct back *b, int64_t at, int q0, int nq,
                          int32_t n_keys)
{
    page_weights(j, b, q0, nq, n_keys);
    add_dk(j, b, q0, nq, n_keys, j->dk + at);
    add_dv(j, b, q0, nq, n_keys, j->dv + at);
    add_dq(b, q0, nq, n_keys);
}

static void enter_tile(const struct attention_job *j, const struct query_tile *t, struct back *b)
{
    int32_t D = j->s->head_dim;

    b->padded = (D + 15) / 16 * 16;
    for (int32_t q = 0; q < t->n; q++) {
        int64_t at = t->at[q] * D, to = (int64_t)q * QUERY_STRIDE;
        v16 sum = v16_zero();
        for (int32_t d = 0; d < D; d += 16) {
            v16 g = v16_load_n(j->dout + at + d, D - d);
            sum = v16_fma(g, v16_load_n(j->out + at + d, D - d), sum);
            v16_store(b->q + to + d, v16_load_n(j->q + at + d, D - d));
            v16_store(b->dout + to + d, g);
            v16_store(b->dq + to + d, v16_zero());
        }
        b->delta[q] = v16_sum(sum);
        b->lse[q] = j->lse[t->at[q]];
    }
}

/* Pages that every query sees whole are shared; the rest are taken query by query. */
V16_INLINE void back(const struct attention_job *j, const struct query_tile *t, int nq)
{
    struct back b;
    int32_t D = j->s->head_dim, shared = t->keys[0], last = 0;

    for (int32_t q = 0; q < nq; q++) {
        shared = t->keys[q] < shared ? t->keys[q] : shared;
        last = t->keys[q] > last ? t->keys[q] : last;
    }
    enter_tile(j, t, &b);
    for (int32_t base = 0; base < last; base += KV_PAGE_TOKENS) {
        int64_t at = page_at(j, t->page[base / KV_PAGE_TOKENS], t->g);
        load_page(j, &b, at, last - base < KV_PAGE_TOKENS ? last - base : KV_PAGE_TOKENS);
        if (base + KV_PAGE_TOKENS <= shared) {
            back_page(j, &b, at, 0, nq, KV_PAGE_TOKENS);
            continue;
        }
        for (int32_t q = 0; q < nq; q++) {
            int32_t n = t->keys[q] - base;
            if (n > 0)
                back_page(j, &b, at, q, 1, n < KV_PAGE_TOKENS ? n : KV_PAGE_TOKENS);
        }
    }
    for (int32_t q = 0; q < nq; q++)
        for (int32_t d = 0; d < D; d += 16)
            v16_store_n(j->dq + t->at[q] * D + d, v16_load(b.dq + q * QUERY_STRIDE + d), D - d);
}

static void back_tile(const struct attention_job *j, const struct query_tile *t)
{
    switch (t->n) {
    case 1:
        back(j, t, 1);
        break;
    case 2:
        back(j, t, 2);
        break;
    case 4:
        back(j, t, 4);
        break;
    default:
        back(j, t, 8);
        break;
    }
}

/* A kv head's gradients are its own, so that threads split by kv heads. */
static void back_heads(void *ctx, int64_t begin, int64_t end)
{
    const struct attention_job *j = ctx;
    for (int64_t g = begin; g < end; g++)
        CPU_OP(query_tiles)(j, (int32_t)g, 1, 0, j->r->n, back_tile);
}

void CPU_OP(attention_back)(const struct lane *l, const struct attention_shape *s,
                            const struct row_span *r, const float *q, const struct kv_layer *kv,
                            const float *out, const float *lse, const float *dout, float *dq,
                            float *dk_pages, float *dv_pages)
{
    struct attention_job j = {.s = s,
                              .r = r,
                              .kv = kv,
                              .q = q,
                              .out = out,
                              .lse = lse,
                              .dout = dout,
                              .dq = dq,
                              .dk = dk_pages,
                              .dv = dv_pages};
    cpu_for(l, s->n_kv_heads, 1, 1, back_heads, &j);
}
