/* itinerary_task.c - trips, and the offers that a search finds, drawn from the task seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/itinerary.h"

/* Last counter word under the task seed. */
enum { DRAW_STOP = 0, DRAW_DAY = 1, DRAW_REF = 2, DRAW_OFFER = 3 };

#define MIN_PRICE   10
#define PRICES      90 /* 10..99 */
#define MAX_SEATS   9
#define SOLD_OUT_IN 3 /* every third offer has no seat */
#define DAYS_A_LEG  (ITINERARY_DAYS / ITINERARY_TRIP)
#define DIGITS      10

/* The j-th stop of a trip: any city but the one before. */
static uint8_t stop_at(uint64_t task_seed, uint32_t trip, uint32_t j)
{
    struct rng_block b = {{0}};
    uint32_t city = 0;

    for (uint32_t i = 0; i <= j; i++) {
        if (i % 4 == 0)
            b = rng_philox(task_seed, trip, i / 4, 0, DRAW_STOP);
        if (i == 0)
            city = rng_below(b.word[0], ITINERARY_CITIES);
        else
            city = (city + 1 + rng_below(b.word[i % 4], ITINERARY_CITIES - 1)) % ITINERARY_CITIES;
    }
    return (uint8_t)city;
}

struct itinerary_leg itinerary_leg_at(uint64_t task_seed, int32_t step)
{
    uint32_t trip = (uint32_t)(step / ITINERARY_TRIP), j = (uint32_t)(step % ITINERARY_TRIP);
    struct rng_block b = rng_philox(task_seed, trip, j, 0, DRAW_DAY);

    return (struct itinerary_leg){
        .from = stop_at(task_seed, trip, j),
        .to = stop_at(task_seed, trip, j + 1),
        .day = (uint8_t)(1 + DAYS_A_LEG * j + rng_below(b.word[0], DAYS_A_LEG)),
    };
}

static bool price_taken(const struct itinerary_offers *o, int32_t n, uint8_t price)
{
    for (int32_t i = 0; i < n; i++) {
        if (o->offer[i].price == price)
            return true;
    }
    return false;
}

void itinerary_draw_offers(uint64_t seed, uint32_t a, uint32_t b, struct itinerary_offers *out)
{
    /* Each is coprime to ten, so that the ids differ and their order gives no hint. */
    static const uint8_t strides[4] = {1, 3, 7, 9};
    struct rng_block head = rng_philox(seed, a, b, 0, DRAW_OFFER);
    uint32_t first = rng_below(head.word[1], DIGITS), stride = strides[head.word[2] & 3];
    bool any_seat = false;

    *out = (struct itinerary_offers){.n = (uint8_t)(2 + rng_below(head.word[0], 3))};
    for (uint32_t i = 0; i < out->n; i++) {
        struct rng_block d = rng_philox(seed, a, b, 1 + i, DRAW_OFFER);
        uint32_t price = rng_below(d.word[0], PRICES);
        bool sold_out = rng_below(d.word[1], SOLD_OUT_IN) == 0;

        while (price_taken(out, (int32_t)i, (uint8_t)(MIN_PRICE + price)))
            price = (price + 1) % PRICES;
        out->offer[i] = (struct itinerary_offer){
            .id = (uint8_t)((first + i * stride) % DIGITS),
            .price = (uint8_t)(MIN_PRICE + price),
            .seats = (uint8_t)(sold_out ? 0 : 1 + rng_below(d.word[2], MAX_SEATS)),
        };
        any_seat |= !sold_out;
    }
    if (!any_seat)
        out->offer[rng_below(head.word[3], out->n)].seats = 1;
}

void itinerary_find_offers(uint64_t task_seed, int32_t step, struct itinerary_leg leg,
                           struct itinerary_offers *out)
{
    uint32_t what = (uint32_t)leg.from | (uint32_t)leg.to << 8 | (uint32_t)leg.day << 16;

    if (leg.from == leg.to)
        *out = (struct itinerary_offers){.n = 0};
    else
        itinerary_draw_offers(task_seed, (uint32_t)step, what, out);
}

int32_t itinerary_best(const struct itinerary_offers *o)
{
    int32_t best = -1;

    for (int32_t i = 0; i < o->n; i++) {
        if (o->offer[i].seats > 0 && (best < 0 || o->offer[i].price < o->offer[best].price))
            best = i;
    }
    return best;
}

uint16_t itinerary_draw_ref(uint64_t seed, uint32_t a, uint32_t b)
{
    struct rng_block d = rng_philox(seed, a, b, 0, DRAW_REF);

    return (uint16_t)rng_below(d.word[0], ITINERARY_REFS);
}
