/* cpu_query.h - queries that attend to the same pages, taken together.
 *
 * A query is one head of one row. Queries of a kv head whose rows belong to one sequence (the
 * heads of a group, and neighbouring rows in prefill and training) load each page once for all.
 * Where they are few, as in decoding, those of neighbouring kv heads are added, so that there are
 * enough chains to hide the latency of an FMA. The grouping of queries never changes
 * bits: every number of a query has its own chain.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_KERNELS_CPU_CPU_QUERY_H
#define TROUPE_KERNELS_CPU_CPU_QUERY_H

#include "kernels/cpu/cpu_kv_form.h"
#include "kernels/cpu/cpu_ops.h"

enum {
    QUERY_MAX = 16,                             /* queries at a time */
    QUERY_STRIDE = ATTENTION_MAX_HEAD_DIM + 16, /* of a packed query; off the same cache set */
    QUERY_NEAR = 2 * KV_PAGE_TOKENS             /* rows further apart gain nothing together */
};

struct attention_job {
    const struct attention_shape *s;
    const struct row_span *r;
    const struct kv_layer *kv;
    const float *q; /* (R, H, D) */
    float *out_w;   /* forward: (R, H, D), (R, H) or NULL */
    float *lse_w;
    const float *out, *lse, *dout; /* backward */
    float *dq, *dk, *dv;
};

/* Queries i * n .. (i+1) * n - 1 are those of kv head g + i. */
struct query_tile {
    int32_t n;                /* queries a kv head: 1, 2, 4, 8 or 16 */
    int32_t heads;            /* kv heads: 1, 2 or 4, n * heads at most 4 unless it is 1 */
    int32_t g;                /* the first of them */
    const int32_t *page;      /* of their sequence */
    int64_t at[QUERY_MAX];    /* index (row * H + head) */
    int32_t first[QUERY_MAX]; /* attends to positions from this one on */
    int32_t keys[QUERY_MAX];  /* and below this one */
};

typedef void (*query_fn)(const struct attention_job *j, const struct query_tile *t);

/* Hands all queries of rows begin .. end-1 and kv heads g .. g+heads-1 to fn, at most `most` (8 or
 * 16) at a time; for each kv head, rows in order and, within a row, heads in order. */
void CPU_OP(query_tiles)(const struct attention_job *j, int32_t g, int32_t heads, int32_t most,
                         int64_t begin, int64_t end, query_fn fn);

/* The first position that a query of position `pos` attends to. */
V16_INLINE int32_t first_key(const struct attention_shape *s, int32_t pos)
{
    return s->window > 0 && pos >= s->window ? pos - s->window + 1 : 0;
}

/* The earliest of a tile. */
V16_INLINE int32_t first_of_tile(const struct query_tile *t)
{
    int32_t first = t->first[0];

    for (int32_t q = 1; q < t->n * t->heads; q++)
        first = t->first[q] < first ? t->first[q] : first;
    return first;
}

/* Element offset of kv head g of a page of gradients, keys and values alike. */
V16_INLINE int64_t page_at(const struct attention_job *j, int64_t page, int32_t g)
{
    return (page * j->s->n_kv_heads + g) * j->s->head_dim * KV_PAGE_TOKENS;
}

/* The same of keys or of values: elements, of q8 bytes. */
V16_INLINE int64_t kv_at(const struct attention_job *j, int64_t page, int32_t g, int form)
{
    return (page * j->s->n_kv_heads + g) * kv_form_head(j->s->head_dim, form);
}

V16_INLINE v16 load_q8(const void *p, int64_t head, int64_t at)
{
    return v16_load_s8((const int8_t *)p + head + at);
}

V16_INLINE const float *q8_scales(const void *p, int64_t head, int64_t D, int64_t d)
{
    const char *scales = (const char *)p + head + D * KV_PAGE_TOKENS;
    return (const float *)(const void *)scales + d / KV_Q8_BLOCK * KV_PAGE_TOKENS;
}

/* Element d of the 16 keys of a page's head. */
V16_INLINE v16 load_key(const void *p, int64_t head, int64_t D, int64_t d, int form)
{
    int64_t at = d * KV_PAGE_TOKENS;
    if (form == KV_FORM_Q8)
        return v16_mul(load_q8(p, head, at), v16_load(q8_scales(p, head, D, d)));
    return form == KV_FORM_BF16 ? v16_load_bf16((const uint16_t *)p + head + at)
                                : v16_load((const float *)p + head + at);
}

/* Of the first n keys; zeros behind. */
V16_INLINE v16 load_key_n(const void *p, int64_t head, int64_t D, int64_t d, int form, int32_t n)
{
    int64_t at = d * KV_PAGE_TOKENS;
    if (form == KV_FORM_Q8)
        return v16_keep(load_key(p, head, D, d, form), n, 0.0f);
    return form == KV_FORM_BF16 ? v16_load_bf16_n((const uint16_t *)p + head + at, n)
                                : v16_load_n((const float *)p + head + at, n);
}

/* Elements d .. d+15 of value i of a page's head. */
V16_INLINE v16 load_value(const void *p, int64_t head, int64_t D, int64_t i, int64_t d, int form)
{
    int64_t at = i * D + d;
    if (form == KV_FORM_Q8)
        return v16_mul(load_q8(p, head, at), v16_set1(q8_scales(p, head, D, d)[i]));
    return form == KV_FORM_BF16 ? v16_load_bf16((const uint16_t *)p + head + at)
                                : v16_load((const float *)p + head + at);
}

/* The last n of a head, with zeros behind. Codes are followed by scales, so 16 may be read. */
V16_INLINE v16 load_value_n(const void *p, int64_t head, int64_t D, int64_t i, int64_t d, int form,
                            int32_t n)
{
    int64_t at = i * D + d;
    if (form == KV_FORM_Q8)
        return v16_keep(load_value(p, head, D, i, d, form), n, 0.0f);
    return form == KV_FORM_BF16 ? v16_load_bf16_n((const uint16_t *)p + head + at, n)
                                : v16_load_n((const float *)p + head + at, n);
}

#endif
