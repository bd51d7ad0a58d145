/* itinerary_probe.c - the questions that a base model must answer before reinforcement starts:
 * which search, which offer, and the next call after each possible result of a look.
 *
 * There are too many offers to ask them all; each question draws its own with a fixed seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_text.h"
#include "tools/environments/itinerary.h"

#define PROBE_SEED 0x70726f6265ULL /* "probe" */

/* The kinds of questions, their numbers, and the calls before them. */
enum question { SEARCH, OFFER, MATCH, MISMATCH, BOOKED, ABSENT, REBOOK };
static const struct {
    const char *category;
    int32_t n;
} questions[] = {
    [SEARCH] = {"search", 480},     [OFFER] = {"offer", 2000},  [MATCH] = {"match", 500},
    [MISMATCH] = {"mismatch", 500}, [BOOKED] = {"booked", 250}, [ABSENT] = {"absent", 250},
    [REBOOK] = {"rebook", 200},
};
_Static_assert(480 + 2000 + 500 + 500 + 250 + 250 + 200 == ITINERARY_N_PROBES, "the table above");

struct asked {
    struct itinerary_leg leg;
    struct itinerary_offers offers;
    uint8_t best; /* its id */
    uint16_t ref;
};

static struct asked draw(int32_t i)
{
    struct asked a = {.leg = {.from = (uint8_t)(i % ITINERARY_CITIES),
                              .day = (uint8_t)(1 + i / ITINERARY_CITIES % ITINERARY_DAYS)}};

    a.leg.to = (uint8_t)((a.leg.from + 1 + i * 7 % (ITINERARY_CITIES - 1)) % ITINERARY_CITIES);
    itinerary_draw_offers(PROBE_SEED, (uint32_t)i, 0, &a.offers);
    a.best = a.offers.offer[itinerary_best(&a.offers)].id;
    a.ref = itinerary_draw_ref(PROBE_SEED, (uint32_t)i, 0);
    return a;
}

struct pen {
    struct env_probe *out;
    size_t at;
};

static void say_call(struct pen *p, const struct env_call *c)
{
    char text[ITINERARY_TEXT];

    text_append(p->out->prompt, sizeof(p->out->prompt), &p->at, text, itinerary_call_text(c, text));
}

static void say_reply(struct pen *p, const struct itinerary_reply *r)
{
    char text[ITINERARY_TEXT];

    text_append(p->out->prompt, sizeof(p->out->prompt), &p->at, text,
                itinerary_reply_text(r, text));
}

/* BOOK and its answer, LIST and its answer. */
static void say_booking(struct pen *p, const struct asked *a, bool late, bool listed)
{
    struct itinerary_reply booked = {.kind = late ? ITINERARY_SAY_TIMEOUT : ITINERARY_SAY_CONFIRMED,
                                     .ref = a->ref};
    struct itinerary_reply list = {.kind = ITINERARY_SAY_BOOKINGS, .n = listed};
    struct env_call c;

    itinerary_make_book(a->best, &c);
    say_call(p, &c);
    say_reply(p, &booked);
    itinerary_make_list(a->leg.day, &c);
    say_call(p, &c);
    list.booking[0].ref = a->ref;
    list.booking[0].offer = a->best;
    say_reply(p, &list);
}

/* Writes the calls before the question, and the expected next call into `then`. */
static void ask(struct pen *p, enum question q, const struct asked *a, int32_t i,
                struct env_call *then)
{
    struct itinerary_reply leg = {.kind = ITINERARY_SAY_LEG, .leg = a->leg};
    struct itinerary_reply found = {.kind = ITINERARY_SAY_OFFERS, .offers = a->offers};
    struct itinerary_reply cancelled = {.kind = i % 2 ? ITINERARY_SAY_OK : ITINERARY_SAY_ERROR};
    bool listed = q == MATCH || q == BOOKED, late = q == BOOKED || q == ABSENT;

    say_reply(p, &leg);
    itinerary_make_search(a->leg, then);
    if (q == SEARCH)
        return;
    say_call(p, then);
    say_reply(p, &found);
    itinerary_make_book(a->best, then);
    if (q == OFFER)
        return;
    say_booking(p, a, late, listed);
    if (q == ABSENT)
        return;
    if (listed) {
        itinerary_make_next(then);
        return;
    }
    itinerary_make_cancel(a->ref, then);
    if (q == MISMATCH)
        return;
    say_call(p, then);
    say_reply(p, &cancelled);
    itinerary_make_book(a->best, then);
}

void itinerary_probe(int32_t i, struct env_probe *out)
{
    struct pen p = {.out = out};
    struct asked a = draw(i);
    char text[ITINERARY_TEXT];
    struct env_call then;
    size_t at = 0;
    int32_t q = 0, left = i;

    while (left >= questions[q].n)
        left -= questions[q++].n;
    ask(&p, (enum question)q, &a, left, &then);
    text_append(out->expected, sizeof(out->expected), &at, text, itinerary_call_text(&then, text));
    out->category = questions[q].category;
}
