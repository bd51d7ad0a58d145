/* courier_fault.c - the exogenous faults of moves and readings, keyed by (step, try, channel).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/courier.h"

const char *const courier_faults[COURIER_N_FAULTS] = {"short", "far", "aside"};

#define CHANNEL_ALARM 16 /* where() under the ablation `alarm` */

double courier_rate(const struct courier_rules *rules, double noise, bool gusty)
{
    return gusty ? noise : noise * rules->calm;
}

struct courier_fault courier_move_fault(const struct courier *c, int32_t try_index)
{
    struct rng_block b = env_draw(&c->base, try_index, COURIER_MOVE);
    double u = rng_unit_double(b.word[0], b.word[1]);
    double p = courier_rate(c->rules, c->base.params.noise, c->leg.gusty);
    struct courier_fault f = {.kind = COURIER_NO_FAULT, .detail = b.word[2]};

    if (u < p) {
        int32_t kind = env_fault_kind(&c->base.params, COURIER_N_FAULTS, u, p);

        f.kind = (enum courier_fault_kind)(COURIER_SHORT + kind);
    } else if (c->base.params.profile == ENV_HARD) {
        if (u < p + ENV_HARD_RATE)
            f.kind = COURIER_TRANSIENT;
        else if (u < p + 2 * ENV_HARD_RATE)
            f.kind = COURIER_ERROR_BUT_DONE;
    }
    return f;
}

static struct courier_cell aside(struct courier_cell from, enum courier_dir dir, int32_t n,
                                 uint32_t bits)
{
    struct courier_cell end = courier_shift(from, dir, n);
    enum courier_dir side = (enum courier_dir)(((uint32_t)dir + (bits & 1 ? 1 : 3)) % 4);

    if (courier_at_wall(end, side))
        side = (enum courier_dir)(((uint32_t)side + 2) % 4);
    return courier_shift(end, side, 1);
}

/* A fault must change where the move ends: if a wall would undo it, it goes to the side. */
struct courier_cell courier_strayed(struct courier_cell from, enum courier_dir dir, int32_t n,
                                    struct courier_fault f)
{
    struct courier_cell asked = courier_shift(from, dir, n), end = asked;

    switch (f.kind) {
    case COURIER_NO_FAULT:
    case COURIER_ERROR_BUT_DONE:
        return asked;
    case COURIER_TRANSIENT:
        return from;
    case COURIER_SHORT:
        end = courier_shift(from, dir, n - 1);
        break;
    case COURIER_FAR:
        end = courier_shift(from, dir, n + 1);
        break;
    case COURIER_ASIDE:
        break;
    }
    return courier_same(end, asked) ? aside(from, dir, n, f.detail) : end;
}

struct courier_cell courier_reading(const struct courier *c, bool *struck)
{
    struct rng_block b;

    *struck = false;
    if (c->base.params.profile == ENV_HARD) {
        b = env_draw(&c->base, c->now.tries[COURIER_WHERE], COURIER_WHERE);
        if (rng_unit_double(b.word[0], b.word[1]) < ENV_HARD_RATE) {
            *struck = true;
            return courier_neighbour(c->is, b.word[2]);
        }
    }
    /* The ablation `alarm`: half of the right readings are shown wrong. */
    if (c->base.params.ablation == ENV_ABLATE_ALARM && courier_same(c->is, c->at)) {
        b = env_draw(&c->base, c->now.tries[COURIER_WHERE], CHANNEL_ALARM);
        if (b.word[0] & 1)
            return courier_neighbour(c->is, b.word[1]);
    }
    return c->is;
}
