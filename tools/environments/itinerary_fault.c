/* itinerary_fault.c - the exogenous faults of bookings and searches, keyed by (step, try, channel).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/itinerary.h"

#define CHANNEL_ALARM 16 /* the list under the ablation `alarm` */

/* Without noise there are none, and at the default of .01 each sort has .02. */
double itinerary_timeout_rate(double noise)
{
    return 2 * noise < ITINERARY_MAX_TIMEOUT ? 2 * noise : ITINERARY_MAX_TIMEOUT;
}

struct itinerary_fault itinerary_book_fault(const struct itinerary *t, int32_t try_index)
{
    struct rng_block b = env_draw(&t->base, try_index, ITINERARY_BOOK);
    double u = rng_unit_double(b.word[0], b.word[1]);
    double p = t->base.params.noise, late = itinerary_timeout_rate(p);
    struct itinerary_fault f = {.kind = ITINERARY_NO_FAULT, .detail = b.word[2]};

    if (u < p)
        f.kind = u < p / 2 ? ITINERARY_ABSENT : ITINERARY_WRONG_DAY;
    else if (u < p + late)
        f.kind = ITINERARY_TIMEOUT_DONE;
    else if (u < p + 2 * late)
        f.kind = ITINERARY_TIMEOUT_LOST;
    return f;
}

bool itinerary_stale(const struct itinerary *t, struct itinerary_offers *shown)
{
    int32_t best = itinerary_best(shown);
    struct rng_block b;

    if (t->base.params.profile != ENV_HARD || best < 0)
        return false;
    b = env_draw(&t->base, t->now.tries[ITINERARY_SEARCH], ITINERARY_SEARCH);
    if (rng_unit_double(b.word[0], b.word[1]) >= ENV_HARD_RATE)
        return false;
    shown->offer[best].seats = 0;
    return true;
}

bool itinerary_false_alarm(const struct itinerary *t)
{
    struct rng_block b;

    if (t->base.params.ablation != ENV_ABLATE_ALARM)
        return false;
    b = env_draw(&t->base, t->now.tries[ITINERARY_LIST], CHANNEL_ALARM);
    return (b.word[0] & 1) != 0;
}
