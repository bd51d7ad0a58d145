/* cpu_matmul.c - the three products of a linear layer, over the tiles of cpu_tile.h.
 *
 * All are y (rows, n) (+)= a (rows, k) b (k, n):
 *   matmul     a = x, b = the panels of W, k = n_in
 *   matmul_dx  a = dy, b = the rows of W, k = n_out
 *   matmul_dw  a = dy transposed, b = x, k = R
 * k is cut so that a tile's packed a stays in the first cache, n so that the cut of b that all
 * row tiles share stays in the second. Later cuts of k go on from y: no bit changes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/cpu_qpack.h"
#include "kernels/cpu/cpu_tile.h"

enum {
    SHARED_VECTORS = 32, /* columns / 16 of b that row tiles share: 512 x 256 floats */
    EDGE_DEPTH = 256,
    TASK_FMAS = 1 << 18,
    EDGE_FLOATS = MATRIX_PANEL * EDGE_DEPTH
};

struct product {
    const float *a; /* (rows, k), or (k, rows) if a_columns */
    int64_t lda;
    const void *b; /* (k, n) or panels of it */
    int64_t ldb, pair_stride;
    enum dtype b_dtype;
    bool a_columns, b_panels; /* panels are padded to whole vectors, rows are not */
    bool from_y;
    float *y;
    int64_t ldy;
    int32_t rows, n, k;
};

/* The part of a product that one row tile works on. */
struct strip {
    const struct product *p;
    const float *a; /* packed */
    int32_t row, rows, k0, k;
    bool from_y;
};

static size_t b_size(const struct product *p)
{
    return p->b_dtype == DTYPE_F32 ? 4 : 2;
}

static void pack_a(const struct product *p, int32_t row, int32_t rows, int32_t k0, int32_t k,
                   float *to)
{
    if (p->a_columns) {
        for (int64_t i = 0; i < k; i++)
            v16_store(to + i * 16, v16_load_n(p->a + (k0 + i) * p->lda + row, rows));
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        memcpy(to + r * tile_a_stride(rows), p->a + (row + r) * p->lda + k0, (size_t)k * 4);
}

static tile_fn tile_for(const struct product *p, int32_t rows, int32_t nv, enum dtype dtype)
{
    return p->a_columns ? CPU_OP(tile_columns)(rows, nv) : CPU_OP(tile)(rows, nv, dtype);
}

static int32_t widest_tile(const struct product *p, int32_t rows)
{
    return CPU_OP(tile_max_vectors)(p->a_columns ? CPU_OP(tile_max_rows)() : rows);
}

/* Rows k0 .. k0+k-1 and columns c .. c+n-1 (n up to 32) of a row-major b as f32 (k, 32). */
static void copy_b(const struct product *p, int64_t k0, int32_t k, int64_t c, int32_t n, float *to)
{
    for (int64_t i = 0; i < k; i++) {
        int64_t at = (k0 + i) * p->ldb + c;
        float *row = to + i * MATRIX_PANEL;
        if (p->b_dtype == DTYPE_F32) {
            const float *b = (const float *)p->b + at;
            v16_store(row, v16_load_n(b, n));
            v16_store(row + 16, v16_load_n(n > 16 ? b + 16 : b, n - 16));
        } else if (p->b_dtype == DTYPE_BF16) {
            const uint16_t *b = (const uint16_t *)p->b + at;
            v16_store(row, v16_load_bf16_n(b, n));
            v16_store(row + 16, v16_load_bf16_n(n > 16 ? b + 16 : b, n - 16));
        } else {
            const uint16_t *b = (const uint16_t *)p->b + at;
            for (int32_t x = 0; x < MATRIX_PANEL; x++)
                row[x] = x < n ? f16_to_f32(b[x]) : 0.0f;
        }
    }
}

/* A panel's width of columns that tiles cannot take directly: fewer than the tile's, or rows of b
 * that must be widened or padded. */
static void edge(const struct strip *s, int32_t c, int32_t n)
{
    const struct product *p = s->p;
    float y[14 * MATRIX_PANEL], b[EDGE_FLOATS];
    float *to = p->y + (int64_t)s->row * p->ldy + c;
    /* by single vectors where the set has such tiles, since c may be half-way in a panel */
    int32_t nv = tile_for(p, s->rows, 1, DTYPE_F32) ? 1 : 2;
    int64_t a_step = p->a_columns ? 16 : 1;

    for (int32_t r = 0; r < s->rows; r++)
        for (int32_t h = 0; h < MATRIX_PANEL; h += 16)
            v16_store(y + r * MATRIX_PANEL + h,
                      s->from_y && h < n ? v16_load_n(to + r * p->ldy + h, n - h) : v16_zero());
    for (int32_t i = 0; i < s->k; i += EDGE_DEPTH) {
        int32_t k = s->k - i < EDGE_DEPTH ? s->k - i : EDGE_DEPTH;
        const char *from = (const char *)b;
        enum dtype dtype = DTYPE_F32;
        if (p->b_panels) {
            int64_t at = c / MATRIX_PANEL * p->pair_stride + c % MATRIX_PANEL;
            at += (s->k0 + i) * p->ldb;
            from = (const char *)p->b + (size_t)at * b_size(p);
            dtype = p->b_dtype;
        } else
            copy_b(p, s->k0 + i, k, c, n, b);
        for (int32_t v = 0; v * 16 < n; v += nv)
            tile_for(p, s->rows, nv, dtype)(s->a + i * a_step,
                                            from + (size_t)v * 16 * (dtype == DTYPE_F32 ? 4 : 2),
                                            MATRIX_PANEL, 0, k, y + v * 16, MATRIX_PANEL, true);
    }
    for (int32_t r = 0; r < s->rows; r++)
        for (int32_t h = 0; h < MATRIX_PANEL && h < n; h += 16)
            v16_store_n(to + r * p->ldy + h, v16_load(y + r * MATRIX_PANEL + h), n - h);
}

/* Columns c .. end-1 (c a multiple of 32) of one row tile: the widest tiles first. */
static void strip_columns(const struct strip *s, int32_t c, int32_t end)
{
    const struct product *p = s->p;
    bool plain = p->b_panels || p->b_dtype != DTYPE_F16;
    int64_t a_at = (int64_t)s->row * p->ldy;

    for (int32_t nv = widest_tile(p, s->rows); plain && nv > 0; nv /= 2) {
        tile_fn tile = tile_for(p, s->rows, nv, p->b_dtype);
        if (!tile)
            break;
        for (; c + nv * 16 <= end; c += nv * 16) {
            int64_t at = c / 32 * p->pair_stride + c % 32 + s->k0 * p->ldb;
            tile(s->a, (const char *)p->b + (size_t)at * b_size(p), p->ldb, p->pair_stride, s->k,
                 p->y + a_at + c, p->ldy, s->from_y);
        }
    }
    for (; c < end; c += MATRIX_PANEL - c % MATRIX_PANEL)
        edge(s, c, end - c < MATRIX_PANEL ? end - c : MATRIX_PANEL);
}

/* Rows are split into tiles of equal size, not into full tiles and a small rest. */
struct row_cut {
    int32_t first, n_tiles, base, more;
};

static struct row_cut cut_rows(int32_t begin, int32_t end)
{
    int32_t rows = end - begin, most = CPU_OP(tile_max_rows)();
    int32_t n_tiles = (rows + most - 1) / most;
    struct row_cut c = {begin, n_tiles, rows / n_tiles, rows % n_tiles};
    return c;
}

/* Rows row .. row_end-1 by columns col .. col_end-1. */
static void product_part(const struct product *p, int32_t row, int32_t row_end, int32_t col,
                         int32_t col_end)
{
    float a[TILE_A_FLOATS] __attribute__((aligned(64)));
    struct row_cut cut = cut_rows(row, row_end);
    int32_t depth = p->a_columns ? TILE_DEPTH_DW : tile_depth(cut.base + (cut.more > 0));
    int32_t width = cut.n_tiles > 1 ? SHARED_VECTORS * 16 : col_end - col;

    for (int32_t k0 = 0; k0 < p->k; k0 += depth) {
        int32_t k = p->k - k0 < depth ? p->k - k0 : depth;
        for (int32_t c = col; c < col_end; c += width) {
            struct strip s = {p, a, row, 0, k0, k, p->from_y || k0 > 0};
            for (int32_t t = 0; t < cut.n_tiles; t++, s.row += s.rows) {
                s.rows = cut.base + (t < cut.more ? 1 : 0);
                pack_a(p, s.row, s.rows, k0, k, a);
                strip_columns(&s, c, col_end - c < width ? col_end : c + width);
            }
        }
    }
}

static void part_columns(void *ctx, int64_t begin, int64_t end)
{
    const struct product *p = ctx;
    int64_t stop = end * MATRIX_PANEL;
    product_part(p, 0, p->rows, (int32_t)(begin * MATRIX_PANEL),
                 stop < p->n ? (int32_t)stop : p->n);
}

static void part_rows(void *ctx, int64_t begin, int64_t end)
{
    const struct product *p = ctx;
    product_part(p, (int32_t)begin, (int32_t)end, 0, p->n);
}

static void zero_product(const struct product *p)
{
    for (int32_t r = 0; r < p->rows && !p->from_y; r++)
        memset(p->y + r * p->ldy, 0, (size_t)p->n * 4);
}

/* Items of `each` FMAs that make a task worth waking a thread for: some microseconds. */
static int64_t grain_of(int64_t each, int64_t least)
{
    int64_t n = TASK_FMAS / each + 1;
    return n > least ? n : least;
}

/* Threads split the columns, or the rows when there are too few columns. */
static void run_product(const struct lane *l, struct product *p)
{
    int64_t n_panels = ((int64_t)p->n + MATRIX_PANEL - 1) / MATRIX_PANEL;
    int64_t panel = (int64_t)p->rows * p->k * MATRIX_PANEL, row = (int64_t)p->n * p->k;

    if (p->rows <= 0 || p->n <= 0)
        return;
    if (p->k <= 0)
        zero_product(p);
    else if (p->rows >= 4 * n_panels)
        cpu_for(l, p->rows, grain_of(row, CPU_OP(tile_max_rows)()), 1, part_rows, p);
    else
        cpu_for(l, n_panels, grain_of(panel, 1), 1, part_columns, p);
}

void CPU_OP(matmul)(const struct lane *l, const struct matrix *w, const float *x, int64_t ldx,
                    int32_t R, float beta, float *y, int64_t ldy)
{
    struct product p = {
        .a = x,
        .lda = ldx,
        .b = w->panels,
        .ldb = MATRIX_PANEL,
        .pair_stride = (int64_t)w->n_in * MATRIX_PANEL,
        .b_dtype = w->dtype == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F32,
        .b_panels = true,
        .from_y = beta != 0.0f,
        .y = y,
        .ldy = ldy,
        .rows = R,
        .n = w->n_out,
        .k = w->n_in,
    };
    assert(dtype_is_plain(w->dtype)); /* else matmul_q */
    run_product(l, &p);
}

/* Inputs begin * DX_BLOCKS * 32 on of dx over quantised weights: a panel at a time, widened; each
 * goes on with the chains of the one before. */
enum { DX_BLOCKS = 8 };

struct dx_job {
    const struct matrix *w;
    const struct product *p;
};

static void dx_strips(void *ctx, int64_t begin, int64_t end)
{
    const struct dx_job *j = ctx;
    const struct matrix *w = j->w;
    int64_t n_blocks = w->n_in / QBLOCK, bytes = qpanel_bytes(cpu_qlayout(w->dtype), n_blocks);
    float b[MATRIX_PANEL * DX_BLOCKS * QBLOCK] __attribute__((aligned(64)));

    for (int64_t at = begin * DX_BLOCKS; at < end * DX_BLOCKS && at < n_blocks; at += DX_BLOCKS) {
        int32_t blocks = n_blocks - at < DX_BLOCKS ? (int32_t)(n_blocks - at) : DX_BLOCKS;

        for (int32_t o = 0; o < w->n_out; o += MATRIX_PANEL) {
            struct product p = *j->p;

            cpu_qunpack(w->dtype, (const uint8_t *)w->panels + o / MATRIX_PANEL * bytes, at, blocks,
                        b);
            p.a += o;
            p.b = b;
            p.ldb = blocks * QBLOCK;
            p.from_y = p.from_y || o > 0;
            p.y += at * QBLOCK;
            p.n = blocks * QBLOCK;
            p.k = w->n_out - o < MATRIX_PANEL ? w->n_out - o : MATRIX_PANEL;
            product_part(&p, 0, p.rows, 0, p.n);
        }
    }
}

static void quantised_dx(const struct lane *l, const struct matrix *w, const struct product *p)
{
    struct dx_job j = {w, p};

    if (p->rows > 0)
        cpu_for(l, (w->n_in / QBLOCK + DX_BLOCKS - 1) / DX_BLOCKS, 1, 1, dx_strips, &j);
}

void CPU_OP(matmul_dx)(const struct lane *l, const struct matrix *w, const float *dy, int64_t lddy,
                       int32_t R, float beta, float *dx, int64_t lddx)
{
    struct product p = {
        .a = dy,
        .lda = lddy,
        .b = w->rows,
        .ldb = w->n_in,
        .pair_stride = MATRIX_PANEL,
        .b_dtype = w->dtype,
        .from_y = beta != 0.0f,
        .y = dx,
        .ldy = lddx,
        .rows = R,
        .n = w->n_in,
        .k = w->n_out,
    };
    if (dtype_is_plain(w->dtype)) {
        run_product(l, &p);
        return;
    }
    p.b_dtype = DTYPE_F32;
    quantised_dx(l, w, &p);
}

void CPU_OP(matmul_dw)(const struct lane *l, int32_t n_out, int32_t n_in, const float *dy,
                       int64_t lddy, const float *x, int64_t ldx, int32_t R, float *dw)
{
    struct product p = {
        .a = dy,
        .lda = lddy,
        .b = x,
        .ldb = ldx,
        .pair_stride = MATRIX_PANEL,
        .b_dtype = DTYPE_F32,
        .a_columns = true,
        .from_y = true,
        .y = dw,
        .ldy = n_in,
        .rows = n_out,
        .n = n_in,
        .k = R,
    };
    run_product(l, &p);
}
