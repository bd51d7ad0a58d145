/* fake_device_ops.c - each op of the fake device: where its arguments must lie, then the CPU's op
 * on the views. What has no function here the device lacks; an op that a model calls gets one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/fake_device_impl.h"

/* Here, so that the linker takes this file: weak names alone do not pull it out of its archive. */
const struct backend *fake_cpu(void)
{
    return cpu_backend(cpu_isa_best());
}

/* The view of n elements of a pointer argument. */
#define VIEW(p, n)     fake_view(__func__ + sizeof("fake_") - 1, #p, p, (size_t)(n) * sizeof(*(p)))
#define VIEW_RAW(p, n) fake_view(__func__ + sizeof("fake_") - 1, #p, p, n)
#define HOST(p)        fake_host(__func__ + sizeof("fake_") - 1, #p, p)

/* Elements that R rows of n take, ld apart. */
static int64_t rows(int32_t R, int64_t ld, int64_t n)
{
    return R > 0 ? (R - 1) * ld + n : 0;
}

static struct matrix matrix_of(const char *op, const struct matrix *w, bool panels)
{
    struct matrix m = *w;

    if (panels)
        m.panels = fake_view(op, "w->panels", w->panels, fake_cpu()->panels_bytes(w));
    else
        m.rows = fake_view(op, "w->rows", w->rows,
                           (size_t)w->n_out * dtype_row_bytes(w->dtype, w->n_in));
    return m;
}

/* Checks the tables of a row span; the pages that it reaches. */
static size_t span(const char *op, const struct row_span *r)
{
    size_t n_pages = 0;

    fake_host(op, "r->seq", r->seq);
    fake_host(op, "r->pos", r->pos);
    fake_host(op, "r->page", r->page);
    for (int32_t i = 0; i < r->n; i++) {
        const int32_t *page = r->page[r->seq[i]];

        fake_host(op, "r->page[]", page);
        for (int32_t p = 0; p <= r->pos[i] / KV_PAGE_TOKENS; p++)
            if ((size_t)page[p] >= n_pages)
                n_pages = (size_t)page[p] + 1;
    }
    return n_pages;
}

static struct kv_layer layer_of(const char *op, const struct attention_shape *s, size_t n_pages,
                                const struct kv_layer *kv)
{
    size_t bytes = n_pages * fake_cpu()->kv_half_bytes(s->n_kv_heads, s->head_dim, kv->dtype);

    return (struct kv_layer){.k = fake_view(op, "kv->k", kv->k, bytes),
                             .v = fake_view(op, "kv->v", kv->v, bytes),
                             .dtype = kv->dtype};
}

static size_t gradient_bytes(const struct attention_shape *s, size_t n_pages)
{
    return n_pages * fake_cpu()->kv_half_bytes(s->n_kv_heads, s->head_dim, DTYPE_F32);
}

static int64_t table_rows(const int32_t *pos, int32_t R)
{
    int32_t most = -1;

    for (int32_t r = 0; r < R; r++)
        most = pos[r] > most ? pos[r] : most;
    return most + 1;
}

void fake_embed(const struct lane *l, const struct matrix *table, const int32_t *token, int32_t R,
                float *out)
{
    struct matrix m = matrix_of("embed", table, false);

    HOST(token);
    fake_cpu()->embed(l, &m, token, R, VIEW(out, (int64_t)R * table->n_in));
    fake_count(BACKEND_OP_EMBED);
}

void fake_matmul(const struct lane *l, const struct matrix *w, const float *x, int64_t ldx,
                 int32_t R, float beta, float *y, int64_t ldy)
{
    struct matrix m = matrix_of("matmul", w, true);

    fake_cpu()->matmul(l, &m, VIEW(x, rows(R, ldx, w->n_in)), ldx, R, beta,
                       VIEW(y, rows(R, ldy, w->n_out)), ldy);
    fake_count(BACKEND_OP_MATMUL);
}

void fake_quantise_rows(const struct lane *l, const float *x, int64_t ldx, int32_t R, int32_t n_in,
                        void *out)
{
    fake_cpu()->quantise_rows(l, VIEW(x, rows(R, ldx, n_in)), ldx, R, n_in,
                              VIEW_RAW(out, fake_cpu()->quantised_bytes(R, n_in)));
    fake_count(BACKEND_OP_QUANTISE_ROWS);
}

void fake_matmul_q(const struct lane *l, const struct matrix *w, const void *x, int32_t R,
                   float beta, float *y, int64_t ldy)
{
    struct matrix m = matrix_of("matmul_q", w, true);

    fake_cpu()->matmul_q(l, &m, VIEW_RAW(x, fake_cpu()->quantised_bytes(R, w->n_in)), R, beta,
                         VIEW(y, rows(R, ldy, w->n_out)), ldy);
    fake_count(BACKEND_OP_MATMUL_Q);
}

void fake_rmsnorm(const struct lane *l, const float *x, const float *w, int32_t R, int32_t n,
                  float eps, float *y, float *rstd)
{
    fake_cpu()->rmsnorm(l, VIEW(x, (int64_t)R * n), VIEW(w, n), R, n, eps, VIEW(y, (int64_t)R * n),
                        VIEW(rstd, R));
    fake_count(BACKEND_OP_RMSNORM);
}

void fake_rope(const struct lane *l, float *x, int32_t R, int32_t n_heads, int32_t head_dim,
               int32_t rotary_dim, const int32_t *pos, const float *cos, const float *sin)
{
    int64_t n;

    HOST(pos);
    n = table_rows(pos, R) * (rotary_dim / 2);
    fake_cpu()->rope(l, VIEW(x, (int64_t)R * n_heads * head_dim), R, n_heads, head_dim, rotary_dim,
                     pos, VIEW(cos, n), VIEW(sin, n));
    fake_count(BACKEND_OP_ROPE);
}

void fake_kv_write(const struct lane *l, const struct attention_shape *s, const struct row_span *r,
                   const float *k, const float *v, const struct kv_layer *kv)
{
    struct kv_layer pages = layer_of("kv_write", s, span("kv_write", r), kv);
    int64_t n = (int64_t)r->n * s->n_kv_heads * s->head_dim;

    fake_cpu()->kv_write(l, s, r, VIEW(k, n), VIEW(v, n), &pages);
    fake_count(BACKEND_OP_KV_WRITE);
}

void fake_attention(const struct lane *l, const struct attention_shape *s, const struct row_span *r,
                    const float *q, const struct kv_layer *kv, float *out, float *lse)
{
    struct kv_layer pages = layer_of("attention", s, span("attention", r), kv);
    int64_t n = (int64_t)r->n * s->n_heads;

    fake_cpu()->attention(l, s, r, VIEW(q, n * s->head_dim), &pages, VIEW(out, n * s->head_dim),
                          VIEW(lse, n));
    fake_count(BACKEND_OP_ATTENTION);
}

void fake_swiglu(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y)
{
    fake_cpu()->swiglu(l, VIEW(gu, (int64_t)R * 2 * F), R, F, VIEW(y, (int64_t)R * F));
    fake_count(BACKEND_OP_SWIGLU);
}

void fake_geglu(const struct lane *l, const float *gu, int32_t R, int32_t F, float *y)
{
    fake_cpu()->geglu(l, VIEW(gu, (int64_t)R * 2 * F), R, F, VIEW(y, (int64_t)R * F));
    fake_count(BACKEND_OP_GEGLU);
}

void fake_bias_add(const struct lane *l, const float *bias, int32_t R, int32_t n, float *y,
                   int64_t ldy)
{
    fake_cpu()->bias_add(l, VIEW(bias, n), R, n, VIEW(y, rows(R, ldy, n)), ldy);
    fake_count(BACKEND_OP_BIAS_ADD);
}

void fake_scale(const struct lane *l, float factor, int64_t n, float *x)
{
    fake_cpu()->scale(l, factor, n, VIEW(x, n));
    fake_count(BACKEND_OP_SCALE);
}

void fake_softcap(const struct lane *l, float cap, float *x, int64_t ldx, int32_t R, int32_t n,
                  float *slope)
{
    fake_cpu()->softcap(l, cap, VIEW(x, rows(R, ldx, n)), ldx, R, n, VIEW(slope, (int64_t)R * n));
    fake_count(BACKEND_OP_SOFTCAP);
}

void fake_logsumexp(const struct lane *l, const float *logits, int64_t ld, int32_t R, int32_t V,
                    const float *inv_temperature, float *lse)
{
    fake_cpu()->logsumexp(l, VIEW(logits, rows(R, ld, V)), ld, R, V, VIEW(inv_temperature, R),
                          VIEW(lse, R));
    fake_count(BACKEND_OP_LOGSUMEXP);
}

void fake_embed_back(const struct lane *l, const float *dy, const int32_t *token, int32_t R,
                     int32_t C, float *d_table)
{
    HOST(token);
    fake_cpu()->embed_back(l, VIEW(dy, (int64_t)R * C), token, R, C,
                           VIEW(d_table, table_rows(token, R) * C));
    fake_count(BACKEND_OP_EMBED_BACK);
}

void fake_matmul_dx(const struct lane *l, const struct matrix *w, const float *dy, int64_t lddy,
                    int32_t R, float beta, float *dx, int64_t lddx)
{
    struct matrix m = matrix_of("matmul_dx", w, !dtype_is_plain(w->dtype));

    fake_cpu()->matmul_dx(l, &m, VIEW(dy, rows(R, lddy, w->n_out)), lddy, R, beta,
                          VIEW(dx, rows(R, lddx, w->n_in)), lddx);
    fake_count(BACKEND_OP_MATMUL_DX);
}

void fake_matmul_dw(const struct lane *l, int32_t n_out, int32_t n_in, const float *dy,
                    int64_t lddy, const float *x, int64_t ldx, int32_t R, float *dw)
{
    fake_cpu()->matmul_dw(l, n_out, n_in, VIEW(dy, rows(R, lddy, n_out)), lddy,
                          VIEW(x, rows(R, ldx, n_in)), ldx, R, VIEW(dw, (int64_t)n_out * n_in));
    fake_count(BACKEND_OP_MATMUL_DW);
}

void fake_rmsnorm_back(const struct lane *l, const float *x, const float *w, const float *rstd,
                       const float *dy, int32_t R, int32_t n, float beta, float *dx, float *dw)
{
    int64_t all = (int64_t)R * n;

    fake_cpu()->rmsnorm_back(l, VIEW(x, all), VIEW(w, n), VIEW(rstd, R), VIEW(dy, all), R, n, beta,
                             VIEW(dx, all), VIEW(dw, n));
    fake_count(BACKEND_OP_RMSNORM_BACK);
}

void fake_rope_back(const struct lane *l, float *dx, int32_t R, int32_t n_heads, int32_t head_dim,
                    int32_t rotary_dim, const int32_t *pos, const float *cos, const float *sin)
{
    int64_t n;

    HOST(pos);
    n = table_rows(pos, R) * (rotary_dim / 2);
    fake_cpu()->rope_back(l, VIEW(dx, (int64_t)R * n_heads * head_dim), R, n_heads, head_dim,
                          rotary_dim, pos, VIEW(cos, n), VIEW(sin, n));
    fake_count(BACKEND_OP_ROPE_BACK);
}

void fake_attention_back(const struct lane *l, const struct attention_shape *s,
                         const struct row_span *r, const float *q, const struct kv_layer *kv,
                         const float *out, const float *lse, const float *dout, float *dq,
                         float *dk_pages, float *dv_pages)
{
    size_t n_pages = span("attention_back", r), bytes = gradient_bytes(s, n_pages);
    struct kv_layer pages = layer_of("attention_back", s, n_pages, kv);
    int64_t n = (int64_t)r->n * s->n_heads, D = s->head_dim;

    fake_cpu()->attention_back(l, s, r, VIEW(q, n * D), &pages, VIEW(out, n * D), VIEW(lse, n),
                               VIEW(dout, n * D), VIEW(dq, n * D), VIEW_RAW(dk_pages, bytes),
                               VIEW_RAW(dv_pages, bytes));
    fake_count(BACKEND_OP_ATTENTION_BACK);
}

void fake_kv_gather(const struct lane *l, const struct attention_shape *s, const struct row_span *r,
                    const float *dk_pages, const float *dv_pages, float *dk, float *dv)
{
    size_t bytes = gradient_bytes(s, span("kv_gather", r));
    int64_t n = (int64_t)r->n * s->n_kv_heads * s->head_dim;

    fake_cpu()->kv_gather(l, s, r, VIEW_RAW(dk_pages, bytes), VIEW_RAW(dv_pages, bytes),
                          VIEW(dk, n), VIEW(dv, n));
    fake_count(BACKEND_OP_KV_GATHER);
}

void fake_swiglu_back(const struct lane *l, const float *gu, const float *dy, int32_t R, int32_t F,
                      float *dgu)
{
    int64_t n = (int64_t)R * F;

    fake_cpu()->swiglu_back(l, VIEW(gu, 2 * n), VIEW(dy, n), R, F, VIEW(dgu, 2 * n));
    fake_count(BACKEND_OP_SWIGLU_BACK);
}

void fake_geglu_back(const struct lane *l, const float *gu, const float *dy, int32_t R, int32_t F,
                     float *dgu)
{
    int64_t n = (int64_t)R * F;

    fake_cpu()->geglu_back(l, VIEW(gu, 2 * n), VIEW(dy, n), R, F, VIEW(dgu, 2 * n));
    fake_count(BACKEND_OP_GEGLU_BACK);
}

void fake_bias_back(const struct lane *l, const float *dy, int64_t lddy, int32_t R, int32_t n,
                    float *db)
{
    fake_cpu()->bias_back(l, VIEW(dy, rows(R, lddy, n)), lddy, R, n, VIEW(db, n));
    fake_count(BACKEND_OP_BIAS_BACK);
}

void fake_softcap_back(const struct lane *l, const float *slope, int32_t R, int32_t n, float *dx,
                       int64_t lddx)
{
    fake_cpu()->softcap_back(l, VIEW(slope, (int64_t)R * n), R, n, VIEW(dx, rows(R, lddx, n)),
                             lddx);
    fake_count(BACKEND_OP_SOFTCAP_BACK);
}

void fake_softmax_grad(const struct lane *l, float *logits, int64_t ld, int32_t R, int32_t v0,
                       int32_t n, const int32_t *target, const float *inv_temperature,
                       const float *lse, const float *coef)
{
    HOST(target);
    fake_cpu()->softmax_grad(l, VIEW(logits, rows(R, ld, n)), ld, R, v0, n, target,
                             VIEW(inv_temperature, R), VIEW(lse, R), VIEW(coef, R));
    fake_count(BACKEND_OP_SOFTMAX_GRAD);
}

void fake_add(const struct lane *l, const float *x, int64_t n, float *y)
{
    fake_cpu()->add(l, VIEW(x, n), n, VIEW(y, n));
    fake_count(BACKEND_OP_ADD);
}

void fake_sum_squares(const struct lane *l, const float *x, int64_t n, double *sum)
{
    fake_cpu()->sum_squares(l, VIEW(x, n), n, VIEW(sum, 1));
    fake_count(BACKEND_OP_SUM_SQUARES);
}

void fake_adamw(const struct lane *l, const struct adamw_step *s, int64_t n, const float *grad,
                float *m, float *v, float *w)
{
    fake_cpu()->adamw(l, s, n, VIEW(grad, n), VIEW(m, n), VIEW(v, n), VIEW(w, n));
    fake_count(BACKEND_OP_ADAMW);
}

void fake_logsumexp_part(const struct lane *l, const float *logits, int64_t ld, int32_t R,
                         int32_t n, const float *inv_temperature, float *max, float *sum)
{
    fake_cpu()->logsumexp_part(l, VIEW(logits, rows(R, ld, n)), ld, R, n, VIEW(inv_temperature, R),
                               VIEW(max, R), VIEW(sum, R));
    fake_count(BACKEND_OP_LOGSUMEXP_PART);
}

void fake_logsumexp_end(const struct lane *l, int32_t R, const float *max, const float *sum,
                        float *lse)
{
    fake_cpu()->logsumexp_end(l, R, VIEW(max, R), VIEW(sum, R), VIEW(lse, R));
    fake_count(BACKEND_OP_LOGSUMEXP_END);
}
