/* courier_verify.c - the verdict: every parcel in its cell; and the ceiling. Nothing here ever
 * reaches a prompt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "tools/environments/courier.h"

bool courier_in_place(const struct courier *c, int32_t step)
{
    return c->down[step] &&
           courier_same(c->lies[step], courier_leg_at(c->base.params.task_seed, step).to);
}

/* Right: this leg's parcel lies in its cell, and no earlier one was moved out of its own. */
void courier_end_step(struct courier *c)
{
    bool placed = c->now.dropped && courier_in_place(c, c->base.step);

    if (!c->now.dropped)
        c->base.slip = true;
    env_end_step(&c->base, placed && c->misplaced <= c->misplaced_at_start);
    c->misplaced += !placed;
}

void courier_verify(const struct env *e, struct env_verdict *out)
{
    env_verdict_of(e, courier_of_const(e)->misplaced == 0, out);
}

/* Paths too rare to matter in the eighth digit of a ceiling are left out. */
#define NEGLIGIBLE 1e-9

/* The faults of a move: these kinds, equally likely, at this total rate. */
struct gusts {
    const struct env_params *params;
    double p;
    int32_t n_kinds;
};

static bool blows(const struct gusts *g, int32_t kind)
{
    return kind == COURIER_NO_FAULT || env_has_fault(g->params, kind - COURIER_SHORT);
}

/* Adds the probabilities of one move to the cells where it may end; the third error has two sides.
 */
static void spread(double chance, struct courier_cell from, enum courier_dir dir, int32_t n,
                   const struct gusts *g, double *next)
{
    for (int32_t kind = COURIER_NO_FAULT; kind <= COURIER_ASIDE; kind++) {
        if (!blows(g, kind))
            continue;
        for (uint32_t side = 0; side < 2; side++) {
            struct courier_fault f = {(enum courier_fault_kind)kind, side};
            struct courier_cell end = courier_strayed(from, dir, n, f);
            double share = kind == COURIER_NO_FAULT ? (1 - g->p) / 2 : g->p / (2 * g->n_kinds);

            next[end.y * COURIER_SIDE + end.x] += chance * share;
        }
    }
}

/* The probability that a leg's moves end at its target if each may have a fault: a wall or a second
 * error undoes some errors. */
static double leg_chance(struct courier_cell from, struct courier_cell to, const struct gusts *g)
{
    double now[COURIER_CELLS] = {0};

    now[from.y * COURIER_SIDE + from.x] = 1;
    while (!courier_same(from, to)) {
        double next[COURIER_CELLS] = {0};
        enum courier_dir dir = COURIER_NORTH;
        struct env_call move;

        courier_next_move(from, to, &move);
        (void)courier_read_dir(&move.arg[0], &dir);
        for (int32_t k = 0; k < COURIER_CELLS; k++) {
            struct courier_cell cell = {(uint8_t)(k % COURIER_SIDE), (uint8_t)(k / COURIER_SIDE)};

            if (now[k] > NEGLIGIBLE)
                spread(now[k], cell, dir, (int32_t)move.arg[1].number, g, next);
        }
        memcpy(now, next, sizeof(now));
        from = courier_shift(from, dir, (int32_t)move.arg[1].number);
    }
    return now[to.y * COURIER_SIDE + to.x];
}

/* The success rate of the script that never looks: a little above prod(1-p), because a few errors
 * cancel out before the drop. In profile `hard` the script must take an error answer for done or
 * for not done, and one of the two is wrong. */
double courier_ceiling(const struct courier_rules *rules, const struct env_params *p)
{
    double noise = p->noise < 0 ? rules->noise : p->noise;
    double answered = p->profile == ENV_HARD ? 1 - ENV_HARD_RATE : 1;
    struct gusts g = {.params = p, .n_kinds = env_n_faults(p, COURIER_N_FAULTS)};
    struct courier_cell from = {0, 0};
    double chance = 1;

    for (int32_t i = 0; i < p->horizon; i++) {
        struct courier_leg leg = courier_leg_at(p->task_seed, i);

        g.p = courier_rate(rules, noise, leg.gusty);
        chance *= leg_chance(from, leg.to, &g) * pow(answered, courier_distance(from, leg.to));
        from = leg.to;
    }
    return chance;
}
