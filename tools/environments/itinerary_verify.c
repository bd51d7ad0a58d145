/* itinerary_verify.c - the verdict: exactly one right booking per leg and no others; and the
 * ceiling. Nothing here ever reaches a prompt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "tools/environments/itinerary.h"

/* One active booking was made in this leg, and it is the right one. */
bool itinerary_leg_right(const struct itinerary *t, int32_t leg_of_trip)
{
    int32_t n_right = 0, n_other = 0;

    for (int32_t i = 0; i < t->n_bookings; i++) {
        const struct itinerary_booking *b = &t->booking[i];

        if (b->active && b->leg == leg_of_trip) {
            n_right += b->right;
            n_other += !b->right;
        }
    }
    return n_right == 1 && n_other == 0;
}

void itinerary_end_step(struct itinerary *t)
{
    bool right = itinerary_leg_right(t, t->base.step % ITINERARY_TRIP) && !t->now.harmed;

    env_end_step(&t->base, right);
}

/* A later leg may cancel a booking of an earlier one; so a trip is judged at its end. */
void itinerary_end_trip(struct itinerary *t)
{
    int32_t n = (t->base.step - 1) % ITINERARY_TRIP + 1;

    for (int32_t leg = 0; leg < n; leg++)
        t->failed_legs += !itinerary_leg_right(t, leg);
    t->n_bookings = 0;
}

void itinerary_verify(const struct env *e, struct env_verdict *out)
{
    env_verdict_of(e, itinerary_of_const(e)->failed_legs == 0, out);
}

/* A policy that never looks takes a timeout for done or for not done. The first succeeds if every
 * booking is made, with or without a timeout; the second books again until an answer comes. */
double itinerary_ceiling(const struct env_params *p)
{
    double noise = p->noise < 0 ? ITINERARY_NOISE : p->noise;
    struct itinerary_rates r = itinerary_rates_of(p, noise);
    double search = p->profile == ENV_HARD ? 1 - ENV_HARD_RATE : 1;
    double never = 1 - r.silent - r.lost;
    double always = (1 - r.silent - (r.done + r.lost)) / (1 - r.lost);

    return pow(fmax(never, always) * search, p->horizon);
}
