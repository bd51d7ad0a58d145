/* cpu_attention_back.c - attention over pages, backward.
 *
 * p = exp(q.k scale - lse), delta = dout.out, ds = p (dout.v - delta) scale; with a soft cap the
 * score q.k scale becomes cap t, t = tanh(q.k scale / cap), and ds gets the factor 1 - t^2;
 * dv += p dout, dk += ds q, dq = sum ds k. Every sum is one chain: scores and dout.v over D, dq
 * over keys, dk and dv over rows and, within a row, heads. Pages of keys are turned to (16, D) and
 * pages of values to (D, 16) once for all queries of a tile. A key past a query's own position
 * or before its window gets p = ds = 0; pages that no query of the tile attends to are not read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_query.h"

/* Queries, pages and vectors of D at a time, as the registers allow. */
#if defined(CPU_BUILD_AVX512)
enum { BACK_QUERIES = 8, BACK_PAGES = 2, BACK_VECTORS = 2 };
#else
enum { BACK_QUERIES = 4, BACK_PAGES = 1, BACK_VECTORS = 1 };
#endif

enum { PAGE_FLOATS = KV_PAGE_TOKENS * ATTENTION_MAX_HEAD_DIM, SPAN = BACK_PAGES * KV_PAGE_TOKENS };

struct back {
    float q[QUERY_MAX * QUERY_STRIDE];
    float dout[QUERY_MAX * QUERY_STRIDE];
    float dq[QUERY_MAX * QUERY_STRIDE];
    float p[QUERY_MAX * SPAN], ds[QUERY_MAX * SPAN];
    float k[BACK_PAGES * PAGE_FLOATS], v_turned[BACK_PAGES * PAGE_FLOATS]; /* (D, 16) */
    float k_turned[BACK_PAGES * PAGE_FLOATS];                              /* (16, padded) */
    float delta[QUERY_MAX], lse[QUERY_MAX];
    int32_t padded;             /* D to whole vectors */
    int32_t base;               /* position of the first key at hand */
    int32_t n_keys[BACK_PAGES]; /* of each page at hand: those that some query sees */
    int64_t at[BACK_PAGES];     /* the pages at hand, in a pool of gradients */
    int64_t kv_at[BACK_PAGES];  /* and in that of keys or values */
};

/* Page i at hand as f32, with zeros for keys that no query sees. */
static void load_page(const struct attention_job *j, struct back *b, int32_t i)
{
    int form = kv_form_of(j->kv->dtype);
    int32_t D = j->s->head_dim, n = b->n_keys[i];
    float *k = b->k + i * PAGE_FLOATS, *k_turned = b->k_turned + i * PAGE_FLOATS;
    float *v_turned = b->v_turned + i * PAGE_FLOATS;
    v16 t[16];

    for (int32_t d = 0; d < b->padded; d += 16) {
        for (int x = 0; x < 16; x++) {
            t[x] = d + x < D ? load_key_n(j->kv->k, b->kv_at[i], D, d + x, form, n) : v16_zero();
            v16_store(k + (d + x) * 16, t[x]);
        }
        v16_transpose(t);
        for (int x = 0; x < 16; x++)
            v16_store(k_turned + x * b->padded + d, t[x]);
        for (int x = 0; x < 16; x++)
            t[x] = x < n ? load_value_n(j->kv->v, b->kv_at[i], D, x, d, form, D - d) : v16_zero();
        v16_transpose(t);
        for (int x = 0; x < 16; x++)
            v16_store(v_turned + (d + x) * 16, t[x]);
    }
}

/* out[q] (SPAN) = row q of `rows` times pages (D, 16): chains over D. */
typedef void (*dots_fn)(const float *rows, const float *pages, int32_t D, float *out);

V16_INLINE void dots(const float *rows, const float *pages, int32_t D, float *out, int nq, int np)
{
    v16 acc[BACK_QUERIES * BACK_PAGES];

    V16_UNROLL for (int x = 0; x < nq * np; x++) acc[x] = v16_zero();
    for (int32_t d = 0; d < D; d++) {
        v16 k[BACK_PAGES];
        V16_UNROLL for (int i = 0; i < np; i++)
        {
            k[i] = v16_load(pages + i * PAGE_FLOATS + d * 16);
            V16_HOLD(k[i]);
        }
        V16_UNROLL for (int q = 0; q < nq; q++)
        {
            v16 x = v16_set1(rows[q * QUERY_STRIDE + d]);
            V16_UNROLL for (int i = 0; i < np; i++) acc[q * np + i] =
                v16_fma(x, k[i], acc[q * np + i]);
        }
    }
    V16_UNROLL for (int q = 0; q < nq; q++) V16_UNROLL for (int i = 0; i < np; i++)
        v16_store(out + q * SPAN + i * 16, acc[q * np + i]);
}

/* Not inlined, because they would then share registers with the constants of exp. */
#define DOTS(nq, np)                                                                               \
    static __attribute__((noinline)) void dots_##nq##x##np(const float *rows, const float *pages,  \
                                                           int32_t D, float *out)                  \
    {                                                                                              \
        dots(rows, pages, D, out, nq, np);                                                         \
    }
DOTS(1, 1)
DOTS(2, 1)
DOTS(4, 1)
#if defined(CPU_BUILD_AVX512)
DOTS(8, 1)
DOTS(1, 2)
DOTS(2, 2)
DOTS(4, 2)
DOTS(8, 2)
static const dots_fn dots_table[2][4] = {{dots_1x1, dots_2x1, dots_4x1, dots_8x1},
                                         {dots_1x2, dots_2x2, dots_4x2, dots_8x2}};
#else
static const dots_fn dots_table[1][3] = {{dots_1x1, dots_2x1, dots_4x1}};
#endif

/* p and ds of nq queries from q0 over np pages. */
V16_INLINE void page_weights(const struct attention_job *j, const struct query_tile *t,
                             struct back *b, int q0, int nq, int np)
{
    dots_fn multiply = dots_table[np - 1][nq == 8 ? 3 : nq / 2];
    v16 scale = v16_set1(j->s->scale), cap = v16_set1(j->s->softcap);
    int32_t D = j->s->head_dim;

    multiply(b->q + q0 * QUERY_STRIDE, b->k, D, b->p + q0 * SPAN);
    multiply(b->dout + q0 * QUERY_STRIDE, b->v_turned, D, b->ds + q0 * SPAN);
    for (int x = 0; x < nq * np; x++) {
        int q = q0 + x / np, i = x % np, at = q * SPAN + i * 16;
        int32_t before = b->base + i * KV_PAGE_TOKENS;
        v16 s = v16_mul(v16_load(b->p + at), scale), p, slope = v16_set1(1.0f);
        v16 ds = v16_sub(v16_load(b->ds + at), v16_set1(b->delta[q]));
        if (j->s->softcap > 0) {
            v16 tanh = v16_tanh(v16_div(s, cap));
            s = v16_mul(cap, tanh);
            slope = v16_fnma(tanh, tanh, slope);
        }
        p = v16_keep(v16_exp(v16_sub(s, v16_set1(b->lse[q]))), t->keys[q] - before, 0.0f);
        p = v16_drop(p, t->first[q] - before, 0.0f);
        v16_store(b->p + at, p);
        ds = v16_mul(v16_mul(p, ds), scale);
        v16_store(b->ds + at, j->s->softcap > 0 ? v16_mul(ds, slope) : ds);
    }
}

/* dk (D, 16) += ds q. */
V16_INLINE void add_dk(const struct attention_job *j, const struct back *b, int q0, int nq, int np)
{
    v16 ds[BACK_QUERIES * BACK_PAGES];
    const float *rows = b->q + q0 * QUERY_STRIDE;

    V16_UNROLL for (int q = 0; q < nq; q++) V16_UNROLL for (int i = 0; i < np; i++)
    {
        ds[q * np + i] = v16_load(b->ds + (q0 + q) * SPAN + i * 16);
        V16_HOLD(ds[q * np + i]);
    }
    for (int64_t d = 0; d < j->s->head_dim; d++) {
        v16 sum[BACK_PAGES];
        V16_UNROLL for (int i = 0; i < np; i++) sum[i] =
            v16_load_n(j->dk + b->at[i] + d * 16, b->n_keys[i]);
        V16_UNROLL for (int q = 0; q < nq; q++)
        {
            v16 x = v16_set1(rows[q * QUERY_STRIDE + d]);
            V16_UNROLL for (int i = 0; i < np; i++) sum[i] = v16_fma(ds[q * np + i], x, sum[i]);
        }
        V16_UNROLL for (int i = 0; i < np; i++)
            v16_store_n(j->dk + b->at[i] + d * 16, sum[i], b->n_keys[i]);
    }
}

/* dv (16, D) of page i += p dout, vectors d .. d + 16 nv - 1 of D. */
V16_INLINE void add_dv(const struct attention_job *j, const struct back *b, int q0, int nq, int i,
                       int32_t d, int nv)
{
    v16 dout[BACK_QUERIES * BACK_VECTORS];
    int32_t D = j->s->head_dim, lanes = D - d - (nv - 1) * 16; /* of the last vector */
    float *dv = j->dv + b->at[i] + d;
    const float *p = b->p + q0 * SPAN + i * 16;

    V16_UNROLL for (int q = 0; q < nq; q++) V16_UNROLL for (int v = 0; v < nv; v++)
    {
        dout[q * nv + v] = v16_load(b->dout + (q0 + q) * QUERY_STRIDE + d + v * 16);
        V16_HOLD(dout[q * nv + v]);
    }
    for (int32_t x = 0; x < b->n_keys[i]; x++, dv += D) {
        v16 sum[BACK_VECTORS];
        V16_UNROLL for (int v = 0; v < nv; v++) sum[v] =
            v < nv - 1 ? v16_load(dv + v * 16) : v16_load_n(dv + v * 16, lanes);
        V16_UNROLL for (int q = 0; q < nq; q++)
        {
            v16 w = v16_set1(p[q * SPAN + x]);
            V16_UNROLL for (int v = 0; v < nv; v++) sum[v] = v16_fma(w, dout[q * nv + v], sum[v]);
        }
        V16_UNROLL for (int v = 0; v < nv - 1; v++) v16_store(dv + v * 16, sum[v]);
        v16_store_n(dv + (nv - 1) * 16, sum[nv - 1], lanes);
    }
}

/* dq += ds k over the keys of np pages in order, vectors d .. d + 16 nv - 1 of D. */
V16_INLINE void add_dq(struct back *b, int q0, int nq, int np, int32_t d, int nv)
{
    v16 sum[BACK_QUERIES * BACK_VECTORS];
    float *dq = b->dq + q0 * QUERY_STRIDE + d;

    V16_UNROLL for (int q = 0; q < nq; q++) V16_UNROLL for (int v = 0; v < nv; v++)
        sum[q * nv + v] = v16_load(dq + q * QUERY_STRIDE + v * 16);
    for (int i = 0; i < np; i++) {
        const float *k = b->k_turned + i * PAGE_FLOATS + d, *ds = b->ds + q0 * SPAN + i * 16;
        for (int32_t x = 0; x < b->n_keys[i]; x++, k += b->padded) {
            v16 key[BACK_VECTORS];
            V16_UNROLL for (int v = 0; v < nv; v++)
            {
                key[v] = v16_load(k + v * 16);
                V16_HOLD(key[v]);
            }
            V16_UNROLL for (int q = 0; q < nq; q++)
            {
                v16 w = v16_set1(ds[q * SPAN + x]);
                V16_UNROLL for (int v = 0; v < nv; v++) sum[q * nv + v] =
                    v16_fma(w, key[v], sum[q * nv + v]);
            }
        }
    }
    V16_UNROLL for (int q = 0; q < nq; q++) V16_UNROLL for (int v = 0; v < nv; v++)
        v16_store(dq + q * QUERY_STRIDE + v * 16, sum[q * nv + v]);
}

V16_INLINE void back_pages(const struct attention_job *j, const struct query_tile *t,
                           struct back *b, int q0, int nq, int np)
{
    int32_t d = 0;

    page_weights(j, t, b, q0, nq, np);
    add_dk(j, b, q0, nq, np);
    for (; BACK_VECTORS > 1 && d + 32 <= b->padded; d += 32) {
        for (int i = 0; i < np; i++)
            add_dv(j, b, q0, nq, i, d, BACK_VECTORS);
        add_dq(b, q0, nq, np, d, BACK_VECTORS);
    }
    for (; d < b->padded; d += 16) {
        for (int i = 0; i < np; i++)
            add_dv(j, b, q0, nq, i, d, 1);
        add_dq(b, q0, nq, np, d, 1);
    }
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

/* Pages np on from b->base, for all queries of the tile. */
V16_INLINE void back_span(const struct attention_job *j, const struct query_tile *t, struct back *b,
                          int nq, int np)
{
    int step = nq < BACK_QUERIES ? nq : BACK_QUERIES;

    for (int i = 0; i < np; i++)
        load_page(j, b, i);
    for (int q0 = 0; q0 < nq; q0 += step)
        back_pages(j, t, b, q0, step, np);
}

V16_INLINE void back(const struct attention_job *j, const struct query_tile *t, int nq)
{
    struct back b;
    int32_t D = j->s->head_dim, last = 0;

    for (int32_t q = 0; q < nq; q++)
        last = t->keys[q] > last ? t->keys[q] : last;
    enter_tile(j, t, &b);
    for (b.base = first_of_tile(t) / KV_PAGE_TOKENS * KV_PAGE_TOKENS; b.base < last;) {
        int32_t left = last - b.base;
        for (int32_t i = 0; i < BACK_PAGES && i * KV_PAGE_TOKENS < left; i++) {
            int32_t n = left - i * KV_PAGE_TOKENS;
            b.at[i] = page_at(j, t->page[b.base / KV_PAGE_TOKENS + i], t->g);
            b.kv_at[i] =
                kv_at(j, t->page[b.base / KV_PAGE_TOKENS + i], t->g, kv_form_of(j->kv->dtype));
            b.n_keys[i] = n < KV_PAGE_TOKENS ? n : KV_PAGE_TOKENS;
        }
        if (BACK_PAGES == 2 && left > KV_PAGE_TOKENS) {
            back_span(j, t, &b, nq, BACK_PAGES);
            b.base += BACK_PAGES * KV_PAGE_TOKENS;
        } else {
            back_span(j, t, &b, nq, 1);
            b.base += KV_PAGE_TOKENS;
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
    case 8:
        back(j, t, 8);
        break;
    default:
        back(j, t, 16);
        break;
    }
}

/* The gradients of a kv head are independent, so threads split by kv heads. */
static void back_heads(void *ctx, int64_t begin, int64_t end)
{
    const struct attention_job *j = ctx;
    for (int64_t g = begin; g < end; g++)
        CPU_OP(query_tiles)(j, (int32_t)g, 1, QUERY_MAX, 0, j->r->n, back_tile);
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
