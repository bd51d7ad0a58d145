/* cpu_kv.c - rows of keys and values into their pages, and gradients back out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <float.h>
#include <math.h>

#include "kernels/cpu/cpu_kv_form.h"
#include "kernels/cpu/cpu_ops.h"

struct kv_job {
    const struct attention_shape *s;
    const struct row_span *r;
    const float *k, *v; /* write: (R, G, D) */
    const struct kv_layer *kv;
    const float *dk_pages, *dv_pages; /* gather */
    float *dk, *dv;                   /* (R, G, D) */
};

/* The place of position pos[row] of kv head g: the index of its first key element (its
 * others follow 16 apart) and of its first value element (its others follow on). */
static void kv_place(const struct kv_job *j, int64_t row, int32_t g, int64_t *k_at, int64_t *v_at)
{
    int32_t pos = j->r->pos[row];
    int64_t page = j->r->page[j->r->seq[row]][pos / KV_PAGE_TOKENS];
    int64_t head = (page * j->s->n_kv_heads + g) * j->s->head_dim * KV_PAGE_TOKENS;

    *k_at = head + pos % KV_PAGE_TOKENS;
    *v_at = head + (int64_t)(pos % KV_PAGE_TOKENS) * j->s->head_dim;
}

/* A block of n values of one position: codes `step` apart, and their scale. */
static void write_block(const float *x, int64_t n, int64_t step, int8_t *codes, float *scale)
{
    const float shift = 0x1.8p23f; /* added and taken away: to the nearest, ties to even */
    float most = 0.0f, inverse;
    bool finite = true;

    for (int64_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);

        finite = finite && size <= FLT_MAX;
        most = size > most ? size : most;
    }
    *scale = most / 127.0f;
    if (*scale < FLT_MIN)
        *scale = 0.0f;
    inverse = *scale > 0.0f ? 1.0f / *scale : 0.0f;
    for (int64_t i = 0; i < n; i++)
        codes[i * step] = finite ? (int8_t)(x[i] * inverse + shift - shift) : 0;
    if (!finite)
        *scale = NAN;
}

static void write_q8(const struct kv_job *j, int64_t row, int32_t g, const float *k, const float *v)
{
    int64_t D = j->s->head_dim, pos = j->r->pos[row];
    int64_t page = j->r->page[j->r->seq[row]][pos / KV_PAGE_TOKENS];
    int64_t head = (page * j->s->n_kv_heads + g) * kv_form_head(D, KV_FORM_Q8);
    int8_t *keys = (int8_t *)j->kv->k + head, *values = (int8_t *)j->kv->v + head;
    float *k_scales = (float *)(void *)(keys + D * KV_PAGE_TOKENS);
    float *v_scales = (float *)(void *)(values + D * KV_PAGE_TOKENS);

    pos %= KV_PAGE_TOKENS;
    for (int64_t d = 0; d < D; d += KV_Q8_BLOCK) {
        int64_t n = D - d < KV_Q8_BLOCK ? D - d : KV_Q8_BLOCK;
        int64_t scale = d / KV_Q8_BLOCK * KV_PAGE_TOKENS + pos;

        write_block(k + d, n, KV_PAGE_TOKENS, keys + d * KV_PAGE_TOKENS + pos, k_scales + scale);
        write_block(v + d, n, 1, values + pos * D + d, v_scales + scale);
    }
}

static void write_head(const struct kv_job *j, int64_t row, int32_t g)
{
    int64_t D = j->s->head_dim, from = (row * j->s->n_kv_heads + g) * D, k_at, v_at;
    const float *k = j->k + from, *v = j->v + from;

    if (j->kv->dtype == DTYPE_Q8_0) {
        write_q8(j, row, g, k, v);
        return;
    }
    kv_place(j, row, g, &k_at, &v_at);
    if (j->kv->dtype == DTYPE_F32) {
        float *pk = (float *)j->kv->k + k_at, *pv = (float *)j->kv->v + v_at;
        for (int64_t d = 0; d < D; d++) {
            pk[d * KV_PAGE_TOKENS] = k[d];
            pv[d] = v[d];
        }
    } else {
        uint16_t *pk = (uint16_t *)j->kv->k + k_at, *pv = (uint16_t *)j->kv->v + v_at;
        for (int64_t d = 0; d < D; d++) {
            pk[d * KV_PAGE_TOKENS] = f32_to_bf16(k[d]);
            pv[d] = f32_to_bf16(v[d]);
        }
    }
}

static void write_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct kv_job *j = ctx;
    for (int64_t row = begin; row < end; row++)
        for (int32_t g = 0; g < j->s->n_kv_heads; g++)
            write_head(j, row, g);
}

void CPU_OP(kv_write)(const struct lane *l, const struct attention_shape *s,
                      const struct row_span *r, const float *k, const float *v,
                      const struct kv_layer *kv)
{
    struct kv_job j = {.s = s, .r = r, .k = k, .v = v, .kv = kv};
    cpu_for(l, r->n, 16, 1, write_rows, &j);
}

static void gather_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct kv_job *j = ctx;
    int64_t D = j->s->head_dim, k_at, v_at;

    for (int64_t row = begin; row < end; row++)
        for (int32_t g = 0; g < j->s->n_kv_heads; g++) {
            int64_t to = (row * j->s->n_kv_heads + g) * D;
            kv_place(j, row, g, &k_at, &v_at);
            for (int64_t d = 0; d < D; d++) {
                j->dk[to + d] = j->dk_pages[k_at + d * KV_PAGE_TOKENS];
                j->dv[to + d] = j->dv_pages[v_at + d];
            }
        }
}

void CPU_OP(kv_gather)(const struct lane *l, const struct attention_shape *s,
                       const struct row_span *r, const float *dk_pages, const float *dv_pages,
                       float *dk, float *dv)
{
    struct kv_job j = {
        .s = s, .r = r, .dk_pages = dk_pages, .dv_pages = dv_pages, .dk = dk, .dv = dv};
    cpu_for(l, r->n, 16, 1, gather_rows, &j);
}
