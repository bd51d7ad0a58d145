/* reference_attention.c - keys and values in pages, and attention over them.
 *
 * A page has (16, G, D): its positions one after another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "tests/support/reference/reference.h"

enum { MAX_POSITIONS = 8192 };

size_t reference_kv_half_bytes(int32_t n_kv_heads, int32_t head_dim, enum dtype dtype)
{
    if (dtype != DTYPE_F32 && dtype != DTYPE_BF16)
        return 0;
    return (size_t)KV_PAGE_TOKENS * (size_t)n_kv_heads * (size_t)head_dim * dtype_size(dtype);
}

/* Index of the first element of kv head g at a position of row r's sequence. */
static int64_t place(const struct attention_shape *s, const struct row_span *r, int32_t row,
                     int32_t pos, int32_t g)
{
    int64_t page = r->page[r->seq[row]][pos / KV_PAGE_TOKENS];

    return ((page * KV_PAGE_TOKENS + pos % KV_PAGE_TOKENS) * s->n_kv_heads + g) * s->head_dim;
}

static double element(const void *pages, enum dtype dtype, int64_t at)
{
    float x;

    dtype_info(dtype)->to_f32((const char *)pages + dtype_row_bytes(dtype, at), 1, &x);
    return (double)x;
}

void reference_kv_write(const struct lane *l, const struct attention_shape *s,
                        const struct row_span *r, const float *k, const float *v,
                        const struct kv_layer *kv)
{
    int32_t D = s->head_dim;

    (void)l;
    for (int32_t row = 0; row < r->n; row++)
        for (int32_t g = 0; g < s->n_kv_heads; g++, k += D, v += D) {
            size_t at = dtype_row_bytes(kv->dtype, place(s, r, row, r->pos[row], g));

            dtype_info(kv->dtype)->from_f32(k, D, (char *)kv->k + at);
            dtype_info(kv->dtype)->from_f32(v, D, (char *)kv->v + at);
        }
}

/* The positions first .. pos that a row sees, and the score of each; `slope` is the soft cap's. */
static int32_t scores(const struct attention_shape *s, const struct row_span *r, int32_t row,
                      int32_t g, const float *q, const struct kv_layer *kv, double *score,
                      double *slope)
{
    int32_t pos = r->pos[row], first = s->window && pos >= s->window ? pos - s->window + 1 : 0;

    for (int32_t t = first; t <= pos; t++) {
        int64_t at = place(s, r, row, t, g);
        double x = 0;

        for (int32_t d = 0; d < s->head_dim; d++)
            x += (double)q[d] * element(kv->k, kv->dtype, at + d);
        x *= (double)s->scale;
        slope[t] = 1;
        if (s->softcap != 0) {
            double th = tanh(x / (double)s->softcap);

            x = (double)s->softcap * th;
            slope[t] = 1 - th * th;
        }
        score[t] = x;
    }
    return first;
}

void reference_attention(const struct lane *l, const struct attention_shape *s,
                         const struct row_span *r, const float *q, const struct kv_layer *kv,
                         float *out, float *lse)
{
    int32_t D = s->head_dim;
    static _Thread_local double score[MAX_POSITIONS], slope[MAX_POSITIONS];

    (void)l;
    for (int32_t row = 0; row < r->n; row++)
        for (int32_t h = 0; h < s->n_heads; h++, q += D, out += D) {
            int32_t g = h / (s->n_heads / s->n_kv_heads);
            int32_t first = scores(s, r, row, g, q, kv, score, slope);
            double most = -INFINITY, sum = 0;

            for (int32_t t = first; t <= r->pos[row]; t++)
                most = fmax(most, score[t]);
            for (int32_t t = first; t <= r->pos[row]; t++)
                sum += exp(score[t] - most);
            for (int32_t d = 0; d < D; d++) {
                double o = 0;

                for (int32_t t = first; t <= r->pos[row]; t++)
                    o += exp(score[t] - most) / sum *
                         element(kv->v, kv->dtype, place(s, r, row, t, g) + d);
                out[d] = (float)o;
            }
            if (lse)
                lse[(int64_t)row * s->n_heads + h] = (float)(most + log(sum));
        }
}

/* p = exp(score - lse); dv += p dout; ds = p (dout.v - dout.out) slope; dq = ds scale k;
 * dk += ds scale q. */
void reference_attention_back(const struct lane *l, const struct attention_shape *s,
                              const struct row_span *r, const float *q, const struct kv_layer *kv,
                              const float *out, const float *lse, const float *dout, float *dq,
                              float *dk_pages, float *dv_pages)
{
    int32_t D = s->head_dim;
    static _Thread_local double score[MAX_POSITIONS], slope[MAX_POSITIONS];

    (void)l;
    for (int32_t row = 0; row < r->n; row++)
        for (int32_t h = 0; h < s->n_heads; h++, q += D, out += D, dout += D, dq += D) {
            int32_t g = h / (s->n_heads / s->n_kv_heads);
            int32_t first = scores(s, r, row, g, q, kv, score, slope);
            double dq_sum[ATTENTION_MAX_HEAD_DIM] = {0}, along = 0;

            for (int32_t d = 0; d < D; d++)
                along += (double)dout[d] * (double)out[d];
            for (int32_t t = first; t <= r->pos[row]; t++) {
                int64_t at = place(s, r, row, t, g);
                double p = exp(score[t] - (double)lse[(int64_t)row * s->n_heads + h]), ds = -along;

                for (int32_t d = 0; d < D; d++)
                    ds += (double)dout[d] * element(kv->v, kv->dtype, at + d);
                ds *= p * slope[t] * (double)s->scale;
                for (int32_t d = 0; d < D; d++) {
                    dq_sum[d] += ds * element(kv->k, kv->dtype, at + d);
                    dk_pages[at + d] += (float)(ds * (double)q[d]);
                    dv_pages[at + d] += (float)(p * (double)dout[d]);
                }
            }
            for (int32_t d = 0; d < D; d++)
                dq[d] = (float)dq_sum[d];
        }
}

void reference_kv_gather(const struct lane *l, const struct attention_shape *s,
                         const struct row_span *r, const float *dk_pages, const float *dv_pages,
                         float *dk, float *dv)
{
    (void)l;
    for (int32_t row = 0; row < r->n; row++)
        for (int32_t g = 0; g < s->n_kv_heads; g++)
            for (int32_t d = 0; d < s->head_dim; d++) {
                int64_t at = place(s, r, row, r->pos[row], g) + d;

                *dk++ = dk_pages[at];
                *dv++ = dv_pages[at];
            }
}
