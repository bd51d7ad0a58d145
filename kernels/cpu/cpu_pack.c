/* cpu_pack.c - weights into panels of 32 output columns (cpu_layout.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_host.h"
#include "kernels/cpu/cpu_parallel.h"
#include "kernels/cpu/cpu_qpack.h"

struct pack_job {
    const struct matrix *w;
    void *panels;
};

size_t cpu_panels_bytes(const struct matrix *w)
{
    size_t n_panels = ((size_t)w->n_out + MATRIX_PANEL - 1) / MATRIX_PANEL;
    size_t size = w->dtype == DTYPE_BF16 ? 2 : 4;
    if (cpu_qlayout(w->dtype))
        return cpu_qpanels_bytes(w);
    if (!dtype_is_plain(w->dtype))
        return 0;
    return n_panels * MATRIX_PANEL * (size_t)w->n_in * size;
}

/* Output row `src` becomes column `c` of a panel. */
static void pack_f32(const float *src, int32_t n, float *dst)
{
    for (int32_t i = 0; i < n; i++)
        dst[(int64_t)i * MATRIX_PANEL] = src[i];
}

static void pack_bf16(const uint16_t *src, int32_t n, uint16_t *dst)
{
    for (int32_t i = 0; i < n; i++)
        dst[(int64_t)i * MATRIX_PANEL] = src[i];
}

static void pack_f16(const uint16_t *src, int32_t n, float *dst)
{
    for (int32_t i = 0; i < n; i++)
        dst[(int64_t)i * MATRIX_PANEL] = f16_to_f32(src[i]);
}

/* Inputs i0 .. i0+n-1 of output o; a row past the matrix gives zeros. */
static void pack_part(const struct matrix *w, int64_t o, int64_t i0, int32_t n, void *panels)
{
    int64_t at = (o / MATRIX_PANEL * w->n_in + i0) * MATRIX_PANEL + o % MATRIX_PANEL;
    int64_t from = o * w->n_in + i0;
    size_t size = w->dtype == DTYPE_BF16 ? 2 : 4;

    if (o >= w->n_out) {
        for (int32_t i = 0; i < n; i++)
            memset((char *)panels + (size_t)(at + (int64_t)i * MATRIX_PANEL) * size, 0, size);
    } else if (w->dtype == DTYPE_F32)
        pack_f32((const float *)w->rows + from, n, (float *)panels + at);
    else if (w->dtype == DTYPE_BF16)
        pack_bf16((const uint16_t *)w->rows + from, n, (uint16_t *)panels + at);
    else if (w->dtype == DTYPE_F16)
        pack_f16((const uint16_t *)w->rows + from, n, (float *)panels + at);
}

static void pack_panels(void *ctx, int64_t begin, int64_t end)
{
    enum { STRIP = 64 }; /* inputs at a time: 32 x 64 values stay in the first cache */
    const struct pack_job *j = ctx;

    for (int64_t p = begin; p < end; p++)
        for (int64_t i = 0; i < j->w->n_in; i += STRIP) {
            int64_t left = j->w->n_in - i;
            for (int64_t o = p * MATRIX_PANEL; o < (p + 1) * MATRIX_PANEL; o++)
                pack_part(j->w, o, i, (int32_t)(left < STRIP ? left : STRIP), j->panels);
        }
}

void cpu_pack(const struct lane *l, const struct matrix *w, void *panels)
{
    struct pack_job j = {w, panels};

    if (cpu_qlayout(w->dtype))
        cpu_qpack(l, w, panels);
    else {
        assert(dtype_is_plain(w->dtype));
        cpu_for(l, ((int64_t)w->n_out + MATRIX_PANEL - 1) / MATRIX_PANEL, 1, 1, pack_panels, &j);
    }
}
