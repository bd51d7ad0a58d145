/* cpu_qtile.c - the tiles of matmul_q of one instruction set: one body, inlined with a constant
 * layout and number of rows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_qtile.h"

#if defined(CPU_BUILD_VNNI)
#include "kernels/cpu/cpu_qtile_vnni.h"
#elif defined(CPU_BUILD_AVX2)
#include "kernels/cpu/cpu_qtile_avx2.h"
#else
#include "kernels/cpu/cpu_qtile_plain.h"
#endif

#define QTILE(type, rows)                                                                          \
    static void qtile_##type##_##rows(const struct qtile *t)                                       \
    {                                                                                              \
        static const struct qlayout q = QLAYOUT_##type;                                            \
        qtile_body(&q, rows, t);                                                                   \
    }
#define QTILE_ROWS(type)                                                                           \
    QTILE(type, 1)                                                                                 \
    QTILE(type, 2)                                                                                 \
    QTILE(type, 3) QTILE(type, 4) QTILE(type, 5) QTILE(type, 6) QTILE(type, 7) QTILE(type, 8)
QLAYOUT_EACH(QTILE_ROWS)

#define QTILE_CASE(type)                                                                           \
    case DTYPE_##type: {                                                                           \
        static const qtile_fn by_rows[QROW_TILE] = {                                               \
            qtile_##type##_1, qtile_##type##_2, qtile_##type##_3, qtile_##type##_4,                \
            qtile_##type##_5, qtile_##type##_6, qtile_##type##_7, qtile_##type##_8};               \
        return by_rows[rows - 1];                                                                  \
    }

qtile_fn CPU_OP(qtile)(enum dtype t, int32_t rows)
{
    assert(rows >= 1 && rows <= QROW_TILE);
    switch (t) {
        QLAYOUT_EACH(QTILE_CASE)
    default:
        return NULL;
    }
}
