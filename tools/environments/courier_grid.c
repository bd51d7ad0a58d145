/* courier_grid.c - cells, ways between them, and the legs drawn from the task seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/courier.h"

#define DRAW_LEG 0

static const struct {
    int8_t x, y;
    char letter[2];
} dirs[COURIER_N_DIRS] = {
    [COURIER_NORTH] = {0, -1, "N"},
    [COURIER_EAST] = {1, 0, "E"},
    [COURIER_SOUTH] = {0, 1, "S"},
    [COURIER_WEST] = {-1, 0, "W"},
};

static uint8_t clip(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v >= COURIER_SIDE ? COURIER_SIDE - 1 : v);
}

struct courier_cell courier_shift(struct courier_cell from, enum courier_dir dir, int32_t n)
{
    return (struct courier_cell){
        .x = clip(from.x + n * dirs[dir].x),
        .y = clip(from.y + n * dirs[dir].y),
    };
}

bool courier_at_wall(struct courier_cell cell, enum courier_dir dir)
{
    return courier_same(courier_shift(cell, dir, 1), cell);
}

struct courier_cell courier_neighbour(struct courier_cell cell, uint32_t bits)
{
    enum courier_dir open[COURIER_N_DIRS];
    uint32_t n = 0;

    for (int32_t d = 0; d < COURIER_N_DIRS; d++) {
        if (!courier_at_wall(cell, (enum courier_dir)d))
            open[n++] = (enum courier_dir)d;
    }
    return courier_shift(cell, open[rng_below(bits, n)], 1);
}

static int32_t strides(int32_t from, int32_t to)
{
    int32_t cells = from < to ? to - from : from - to;

    return (cells + COURIER_STRIDE - 1) / COURIER_STRIDE;
}

int32_t courier_distance(struct courier_cell from, struct courier_cell to)
{
    return strides(from.x, to.x) + strides(from.y, to.y);
}

enum courier_dir courier_way(struct courier_cell from, struct courier_cell to, int32_t *n)
{
    int32_t dx = to.x - from.x, dy = to.y - from.y;
    int32_t d = dx != 0 ? dx : dy;

    d = d < 0 ? -d : d;
    *n = d > COURIER_STRIDE ? COURIER_STRIDE : d;
    if (dx != 0)
        return dx > 0 ? COURIER_EAST : COURIER_WEST;
    return dy > 0 ? COURIER_SOUTH : COURIER_NORTH;
}

char courier_dir_letter(enum courier_dir dir)
{
    return dirs[dir].letter[0];
}

bool courier_read_dir(const struct env_value *v, enum courier_dir *out)
{
    if (!v->is_text || v->text[0] == '\0' || v->text[1] != '\0')
        return false;
    for (int32_t d = 0; d < COURIER_N_DIRS; d++) {
        if (dirs[d].letter[0] == v->text[0]) {
            *out = (enum courier_dir)d;
            return true;
        }
    }
    return false;
}

struct courier_leg courier_leg_at(uint64_t task_seed, int32_t step)
{
    struct rng_block b = rng_philox(task_seed, (uint32_t)step, 0, 0, DRAW_LEG);

    return (struct courier_leg){
        .to = {.x = (uint8_t)rng_below(b.word[0], COURIER_SIDE),
               .y = (uint8_t)rng_below(b.word[1], COURIER_SIDE)},
        .parcel = (uint8_t)rng_below(b.word[2], COURIER_NAMES),
        .gusty = rng_below(b.word[3], COURIER_GUSTY_IN) == 0,
    };
}

int32_t courier_leg_moves(uint64_t task_seed, int32_t step)
{
    struct courier_cell from = {0, 0};

    if (step > 0)
        from = courier_leg_at(task_seed, step - 1).to;
    return courier_distance(from, courier_leg_at(task_seed, step).to);
}
