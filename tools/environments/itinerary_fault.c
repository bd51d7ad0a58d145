/* itinerary_fault.c - the exogenous faults of bookings and searches, keyed by (step, try, channel).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/itinerary.h"

const char *const itinerary_faults[ITINERARY_N_FAULTS] = {"absent", "day", "late", "timeout"};

#define CHANNEL_ALARM 16 /* the list under the ablation `alarm` */

/* 0 without noise; .02 for each sort at the default noise of .01. */
static double timeout_rate(double noise)
{
    return 2 * noise < ITINERARY_MAX_TIMEOUT ? 2 * noise : ITINERARY_MAX_TIMEOUT;
}

struct itinerary_rates itinerary_rates_of(const struct env_params *p, double noise)
{
    double late = timeout_rate(noise);

    return (struct itinerary_rates){
        .silent = env_n_faults(p, ITINERARY_N_SILENT) > 0 ? noise : 0,
        .done = env_has_fault(p, ITINERARY_TIMEOUT_DONE - ITINERARY_ABSENT) ? late : 0,
        .lost = env_has_fault(p, ITINERARY_TIMEOUT_LOST - ITINERARY_ABSENT) ? late : 0,
    };
}

struct itinerary_fault itinerary_book_fault(const struct itinerary *t, int32_t try_index)
{
    struct rng_block b = env_draw(&t->base, try_index, ITINERARY_BOOK);
    double u = rng_unit_double(b.word[0], b.word[1]);
    struct itinerary_rates rate = itinerary_rates_of(&t->base.params, t->base.params.noise);
    double p = rate.silent;
    struct itinerary_fault f = {.kind = ITINERARY_NO_FAULT, .detail = b.word[2]};
    int32_t silent = env_fault_kind(&t->base.params, ITINERARY_N_SILENT, u, p);

    if (silent >= 0)
        f.kind = (enum itinerary_fault_kind)(ITINERARY_ABSENT + silent);
    else if (u < p + rate.done)
        f.kind = ITINERARY_TIMEOUT_DONE;
    else if (u < p + (rate.done + rate.lost))
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
