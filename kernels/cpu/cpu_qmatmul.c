/* cpu_qmatmul.c - matmul_q: panels by tiles of rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/cpu_qtile.h"

enum {
    TASK_MULTIPLIES = 1 << 20, /* that make a task worth waking a thread for */
    FETCH_TILES = 16,
    SHARED_BYTES = 192 * 1024 /* part of a second cache */
};

struct qproduct {
    const struct matrix *w;
    const char *x;
    struct qrow_cut cut;
    float *y;
    int64_t ldy, panel_bytes;
    int32_t n_blocks;
    bool from_y;
};

static qtile_fn tile_for(enum dtype t, int32_t rows)
{
#if defined(CPU_BUILD_AVX512)
    return cpu_has_vnni() ? cpu_vnni_qtile(t, rows) : cpu_avx2_qtile(t, rows);
#else
    return CPU_OP(qtile)(t, rows);
#endif
}

/* Few tiles of rows work on a panel for a time about as long as it takes to read the next one,
 * which they fetch meanwhile, each its share. Many tiles go through several panels, which stay in
 * the second cache, so that a tile of rows is read less often. */
static void product_part(const struct qproduct *p, int32_t tile, int32_t tile_end, int64_t panel,
                         int64_t panel_end)
{
    int32_t n_tiles = tile_end - tile;
    int64_t group = n_tiles <= FETCH_TILES ? 1 : SHARED_BYTES / p->panel_bytes + 1;
    int64_t share = p->panel_bytes / n_tiles / 64 * 64;
    qtile_fn base = tile_for(p->w->dtype, p->cut.base ? p->cut.base : 1);
    qtile_fn more = p->cut.more ? tile_for(p->w->dtype, p->cut.base + 1) : base;

    for (; panel < panel_end; panel += group)
        for (int32_t t = tile; t < tile_end; t++)
            for (int64_t i = panel; i < panel_end && i < panel + group; i++) {
                int32_t row = qrow_tile_begin(&p->cut, t);
                int64_t left = p->w->n_out - i * MATRIX_PANEL;
                struct qtile q = {
                    .panel = (const uint8_t *)p->w->panels + i * p->panel_bytes,
                    .x = p->x + (int64_t)row * p->n_blocks * QROW_BYTES,
                    .n_blocks = p->n_blocks,
                    .n = left < MATRIX_PANEL ? (int32_t)left : MATRIX_PANEL,
                    .from_y = p->from_y,
                    .y = p->y + row * p->ldy + i * MATRIX_PANEL,
                    .ldy = p->ldy,
                };
                if (n_tiles <= FETCH_TILES && i + 1 < panel_end) {
                    q.next = q.panel + p->panel_bytes + (t - tile) * share;
                    q.next_step = share / p->n_blocks;
                }
                (t < p->cut.more ? more : base)(&q);
            }
}

static void part_panels(void *ctx, int64_t begin, int64_t end)
{
    const struct qproduct *p = ctx;
    product_part(p, 0, p->cut.n_tiles, begin, end);
}

static void part_tiles(void *ctx, int64_t begin, int64_t end)
{
    const struct qproduct *p = ctx;
    product_part(p, (int32_t)begin, (int32_t)end, 0,
                 ((int64_t)p->w->n_out + MATRIX_PANEL - 1) / MATRIX_PANEL);
}

void CPU_OP(matmul_q)(const struct lane *l, const struct matrix *w, const void *x, int32_t R,
                      float beta, float *y, int64_t ldy)
{
    int64_t n_panels = ((int64_t)w->n_out + MATRIX_PANEL - 1) / MATRIX_PANEL;
    struct qproduct p = {.w = w, .x = x, .y = y, .ldy = ldy, .from_y = beta != 0.0f};
    int64_t panel, tile;

    if (R <= 0 || n_panels <= 0)
        return;
    assert(cpu_qlayout(w->dtype) && w->n_in % QBLOCK == 0);
    p.cut = qrow_cut(R);
    p.n_blocks = w->n_in / QBLOCK;
    p.panel_bytes = qpanel_bytes(cpu_qlayout(w->dtype), p.n_blocks);
    panel = (int64_t)R * w->n_in * MATRIX_PANEL + 1;
    tile = (int64_t)w->n_out * w->n_in * QROW_TILE + 1;
    if (p.cut.n_tiles >= 4 * n_panels)
        cpu_for(l, p.cut.n_tiles, TASK_MULTIPLIES / tile + 1, 1, part_tiles, &p);
    else
        cpu_for(l, n_panels, TASK_MULTIPLIES / panel + 1, 1, part_panels, &p);
}
