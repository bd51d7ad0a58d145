/* attention_test.c - a small paged cache with known contents, and attention in double over it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/attention_test.h"

enum { MAX_TOKENS = MAX_PAGES * KV_PAGE_TOKENS };

size_t cache_floats(const struct cache *c)
{
    return (size_t)(c->n_pages * c->s.n_kv_heads * c->s.head_dim * KV_PAGE_TOKENS);
}

double *cache_at(const struct cache *c, double *of, int32_t seq, int32_t pos, int32_t g)
{
    return of + (((int64_t)seq * MAX_TOKENS + pos) * c->s.n_kv_heads + g) * c->s.head_dim;
}

static int64_t head_of(const struct cache *c, int32_t seq, int32_t pos, int32_t g)
{
    return (int64_t)c->table[seq][pos / KV_PAGE_TOKENS] * c->s.n_kv_heads + g;
}

size_t cache_k_index(const struct cache *c, int32_t seq, int32_t pos, int32_t g, int32_t d)
{
    int64_t at = (head_of(c, seq, pos, g) * c->s.head_dim + d) * KV_PAGE_TOKENS;
    return (size_t)(at + pos % KV_PAGE_TOKENS);
}

size_t cache_v_index(const struct cache *c, int32_t seq, int32_t pos, int32_t g, int32_t d)
{
    int64_t at = (head_of(c, seq, pos, g) * KV_PAGE_TOKENS + pos % KV_PAGE_TOKENS) * c->s.head_dim;
    return (size_t)(at + d);
}

/* What keys and values of one head become in the cache. */
static void round_head(enum dtype t, const float *x, int32_t n, float *to)
{
    for (int32_t i = 0; i < n; i++)
        to[i] = t == DTYPE_BF16 ? bf16_to_f32(f32_to_bf16(x[i])) : x[i];
    for (int32_t b = 0; t == DTYPE_Q8_0 && b < n; b += 32) {
        float most = 0;

        for (int32_t i = b; i < n && i < b + 32; i++)
            most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
        for (int32_t i = b; i < n && i < b + 32; i++)
            to[i] = rintf(x[i] * (1.0f / (most / 127.0f))) * (most / 127.0f);
    }
}

/* Every position of every sequence through kv_write, in one call, and into k and v. */
static void fill(struct cache *c, struct guard *g, struct draw *d)
{
    const struct backend *b = cpu_backend(CPU_ISA_PLAIN);
    struct lane alone = {0};
    int32_t n = c->s.n_kv_heads * c->s.head_dim;
    int32_t D = c->s.head_dim;

    for (int32_t s = 0; s < c->n_seq; s++)
        for (int32_t p = 0; p < c->length[s]; p++) {
            struct row_span one = {1, &s, &p, c->page};
            float k[2 * 4 * 256], held[2 * 4 * 256], *v = k + n;
            for (int32_t i = 0; i < 2 * n; i++)
                k[i] = draw_float(d, -1.0f, 1.0f);
            b->kv_write(&alone, &c->s, &one, k, v, &c->kv);
            for (int32_t i = 0; i < 2 * n; i += D)
                round_head(c->kv.dtype, k + i, D, held + i);
            for (int32_t i = 0; i < n; i++) {
                cache_at(c, c->k, s, p, 0)[i] = (double)held[i];
                cache_at(c, c->v, s, p, 0)[i] = (double)held[n + i];
            }
        }
    (void)g;
}

struct cache *cache_new(struct guard *g, struct draw *d, struct attention_shape s, enum dtype dtype,
                        int32_t n_seq, const int32_t *length)
{
    struct cache *c = calloc(1, sizeof(*c));
    size_t n, bytes;

    assert_non_null(c);
    c->s = s;
    c->n_seq = n_seq;
    for (int32_t i = 0; i < n_seq; i++) {
        c->length[i] = length[i];
        c->page[i] = c->table[i];
        for (int32_t p = 0; p * KV_PAGE_TOKENS < length[i]; p++)
            c->table[i][p] = c->n_pages++;
    }
    for (int32_t i = 0; i < n_seq; i++) /* scatter: an odd multiplier over a power of two or so */
        for (int32_t p = 0; p * KV_PAGE_TOKENS < length[i]; p++)
            c->table[i][p] = c->n_pages - 1 - c->table[i][p];
    n = (size_t)n_seq * MAX_TOKENS * (size_t)(s.n_kv_heads * s.head_dim);
    c->k = calloc(n, sizeof(double));
    c->v = calloc(n, sizeof(double));
    bytes = (size_t)c->n_pages *
            cpu_backend(CPU_ISA_PLAIN)->kv_half_bytes(s.n_kv_heads, s.head_dim, dtype);
    c->kv.dtype = dtype;
    c->kv.k = guard_alloc(g, bytes);
    c->kv.v = guard_alloc(g, bytes);
    memset(c->kv.k, 0xff, bytes);
    memset(c->kv.v, 0xff, bytes);
    fill(c, g, d);
    c->rows.seq = c->row_seq;
    c->rows.pos = c->row_pos;
    c->rows.page = c->page;
    return c;
}

void cache_free(struct cache *c)
{
    free(c->k);
    free(c->v);
    free(c);
}

void cache_row(struct cache *c, int32_t seq, int32_t pos)
{
    assert_true(c->rows.n < MAX_ROWS && pos < c->length[seq]);
    c->row_seq[c->rows.n] = seq;
    c->row_pos[c->rows.n++] = pos;
}

static void reference_head(const struct cache *c, int32_t row, int32_t h, const double *q,
                           double *out, double *lse)
{
    int32_t D = c->s.head_dim, seq = c->row_seq[row], last = c->row_pos[row];
    int32_t g = h / (c->s.n_heads / c->s.n_kv_heads);
    int32_t first = c->s.window > 0 && last >= c->s.window ? last - c->s.window + 1 : 0;
    double p[MAX_TOKENS], max = -INFINITY, sum = 0.0, cap = (double)c->s.softcap;

    for (int32_t t = first; t <= last; t++) {
        const double *k = cache_at(c, c->k, seq, t, g);
        p[t] = 0.0;
        for (int32_t d = 0; d < D; d++)
            p[t] += q[d] * k[d];
        p[t] *= (double)c->s.scale;
        if (cap > 0)
            p[t] = cap * tanh(p[t] / cap);
        max = fmax(max, p[t]);
    }
    for (int32_t t = first; t <= last; t++)
        sum += p[t] = exp(p[t] - max);
    for (int32_t d = 0; d < D && out; d++) {
        out[d] = 0.0;
        for (int32_t t = first; t <= last; t++)
            out[d] += p[t] / sum * cache_at(c, c->v, seq, t, g)[d];
    }
    if (lse)
        *lse = max + log(sum);
}

void cache_reference(const struct cache *c, const double *q, double *out, double *lse)
{
    int64_t H = c->s.n_heads, D = c->s.head_dim;

    for (int32_t r = 0; r < c->rows.n; r++)
        for (int32_t h = 0; h < H; h++) {
            int64_t at = r * H + h;
            reference_head(c, r, h, q + at * D, out ? out + at * D : NULL, lse ? lse + at : NULL);
        }
}
