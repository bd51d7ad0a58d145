/* rope_table.c - see rope_table.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/arch/rope_table.h"

#include <math.h>
#include <string.h>

#include "models/formats/rope_scaling.h"
#include "runtime/base/memory.h"

#define MAX_PAIRS 512 /* half of the largest head of a config */

static size_t table_floats(const struct model_config *c, int32_t max_pos)
{
    return (size_t)max_pos * (size_t)(rope_rotary_dim(c) / 2);
}

int64_t rope_tables_bytes(const struct model_config *c, int32_t max_pos)
{
    const int64_t tables = rope_has_window_table(c) ? 2 : 1;

    return tables * 2 * (int64_t)table_floats(c, max_pos) * (int64_t)sizeof(float);
}

/* to (2, max_pos, pairs): cos, then sin. */
static void fill(const struct model_config *c, bool windowed, int32_t max_pos, float *to)
{
    const size_t n = table_floats(c, max_pos);
    const int32_t pairs = rope_rotary_dim(c) / 2;
    double frequency[MAX_PAIRS], factor;

    rope_frequencies(c, windowed, frequency, &factor);
    for (int32_t p = 0; p < max_pos; p++)
        for (int32_t i = 0; i < pairs; i++) {
            const size_t at = (size_t)p * (size_t)pairs + (size_t)i;

            to[at] = (float)(factor * cos(p * frequency[i]));
            to[n + at] = (float)(factor * sin(p * frequency[i]));
        }
}

enum status rope_tables_init(const struct backend *b, const struct model_config *c, int32_t max_pos,
                             struct rope_tables *out, struct error *err)
{
    const struct lane alone = {0};
    const bool two = rope_has_window_table(c);
    const size_t n = table_floats(c, max_pos), bytes = (size_t)rope_tables_bytes(c, max_pos);
    float *host = mem_aligned_alloc(bytes, 1), *memory = b->alloc(b->ctx, bytes);

    if (!host || !memory) {
        mem_aligned_free(host);
        if (memory)
            b->release(b->ctx, memory);
        return error_set(err, STATUS_NO_MEMORY, "no memory for rotations of %d positions", max_pos);
    }
    fill(c, false, max_pos, host);
    if (two)
        fill(c, true, max_pos, host + 2 * n);
    b->upload(&alone, memory, host, bytes);
    mem_aligned_free(host);
    *out = (struct rope_tables){.backend = b, .memory = memory};
    out->full = out->window = (struct rope_table){.cos = memory, .sin = memory + n};
    if (two)
        out->window = (struct rope_table){.cos = memory + 2 * n, .sin = memory + 3 * n};
    return STATUS_OK;
}

void rope_tables_deinit(struct rope_tables *t)
{
    if (t->memory)
        t->backend->release(t->backend->ctx, t->memory);
    memset(t, 0, sizeof(*t));
}
