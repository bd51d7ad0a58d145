/* itinerary_demo.c - demonstrations for the supervised training of the base model.
 *
 * One demonstration is one leg, from its text to NEXT. Three sorts:
 *   plain  SEARCH, BOOK, NEXT, a timeout taken for done;
 *   skill  a look at the day's list after the booking, and what follows from it:
 *            confirmed and listed    NEXT
 *            confirmed, not listed   CANCEL (it may be on another day), BOOK, look again
 *            timeout and listed      NEXT
 *            timeout, not listed     BOOK, look again
 *            listed twice            CANCEL one, look again
 *          The word LIST that decides to look is masked, and so is the retry without a look that
 *          leads to the last case: the skill is learned and the habit is not;
 *   check  the same with the decision trained and faults as rare as a real look meets them.
 * The curriculum is the ledger's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_script.h"
#include "tools/environments/itinerary.h"

#define LOOKS       0.055 /* of the trained decisions: the middle of 3 .. 8 % */
#define SKILL_LATE  0.4   /* of the first bookings of a skill block: a timeout */
#define PLAIN_LATE  0.04  /* of all others, as often as the world does it */
#define FAILS       0.5   /* of the first looks of a skill block */
#define FAILS_AGAIN 0.35  /* of its later looks: nested repairs */
#define CHECK_FAILS 0.05  /* of the looks of a check block */
#define WRONG_DAY   0.5   /* of the confirmed and not listed: then CANCEL is answered OK */
#define TWICE       0.1   /* of the skill blocks: booked again without a look */
/* SEARCH BOOK LIST, then CANCEL BOOK LIST a repair, then NEXT: two are what the cap allows. */
#define MAX_REPAIRS 2

const char *const itinerary_demo_kinds[ITINERARY_N_DEMO_KINDS] = {"mix", "plain", "skill", "check"};

enum sort { PLAIN, SKILL, CHECK };

struct lesson {
    struct env_script s;
    struct env_dice d;
    enum sort sort;
    struct itinerary_leg leg;
    uint8_t offer;
    uint16_t ref; /* of the last booking */
    uint32_t n_refs;
};

static void say_call(struct lesson *l, const struct env_call *c)
{
    char text[ITINERARY_TEXT];
    size_t n = itinerary_call_text(c, text);

    env_script_expert(&l->s, text, n);
}

static void say_reply(struct lesson *l, const struct itinerary_reply *r)
{
    char text[ITINERARY_TEXT];
    size_t n = itinerary_reply_text(r, text);

    env_script_world(&l->s, text, n);
}

static void say_search(struct lesson *l)
{
    struct itinerary_reply reply = {.kind = ITINERARY_SAY_OFFERS};
    struct env_call c;

    itinerary_draw_offers(l->d.seed, (uint32_t)l->d.index, (uint32_t)(l->d.index >> 32),
                          &reply.offers);
    l->offer = reply.offers.offer[itinerary_best(&reply.offers)].id;
    itinerary_make_search(l->leg, &c);
    say_call(l, &c);
    say_reply(l, &reply);
}

/* The answer to a booking; true when it was confirmed. */
static bool say_booked(struct lesson *l, bool late)
{
    struct itinerary_reply reply = {.kind = late ? ITINERARY_SAY_TIMEOUT : ITINERARY_SAY_CONFIRMED};

    /* Steps by a number prime to 1,000, so that the refs of a block differ. */
    l->ref =
        (uint16_t)((itinerary_draw_ref(l->d.seed, (uint32_t)l->d.index, 0) + 337 * l->n_refs++) %
                   ITINERARY_REFS);
    reply.ref = l->ref;
    say_reply(l, &reply);
    return !late;
}

static bool say_book(struct lesson *l, double late)
{
    struct env_call c;

    itinerary_make_book(l->offer, &c);
    say_call(l, &c);
    return say_booked(l, env_roll(&l->d) < late);
}

static void say_look(struct lesson *l, bool masked, int32_t n_listed, uint16_t first)
{
    struct itinerary_reply reply = {.kind = ITINERARY_SAY_BOOKINGS, .n = n_listed};
    struct env_call c;
    char text[ITINERARY_TEXT];
    size_t n;

    itinerary_make_list(l->leg.day, &c);
    n = itinerary_call_text(&c, text);
    if (masked)
        env_script_masked(&l->s, text, n, 4);
    else
        env_script_expert(&l->s, text, n);
    reply.booking[0].ref = first;
    reply.booking[n_listed > 1].ref = l->ref;
    reply.booking[0].offer = reply.booking[1].offer = l->offer;
    say_reply(l, &reply);
}

/* Its answer: OK if the booking was on another day, an error if there was none. */
static void say_cancel(struct lesson *l, uint16_t ref, bool was_there)
{
    struct itinerary_reply reply = {.kind = was_there ? ITINERARY_SAY_OK : ITINERARY_SAY_ERROR};
    struct env_call c;

    itinerary_make_cancel(ref, &c);
    say_call(l, &c);
    say_reply(l, &reply);
}

static void say_looks(struct lesson *l, bool confirmed)
{
    for (int32_t repairs = 0;; repairs++) {
        double fails = l->sort == CHECK ? CHECK_FAILS : repairs ? FAILS_AGAIN : FAILS;
        bool missing = env_roll(&l->d) < fails && repairs < MAX_REPAIRS;

        /* After a repair the look is part of the skill; only the first one is the habit. */
        say_look(l, l->sort == SKILL && repairs == 0, missing ? 0 : 1, l->ref);
        if (!missing)
            return;
        if (confirmed)
            say_cancel(l, l->ref, env_roll(&l->d) < WRONG_DAY);
        confirmed = say_book(l, PLAIN_LATE);
    }
}

static void say_twice(struct lesson *l)
{
    char text[ITINERARY_TEXT];
    struct env_call c;
    uint16_t first;

    itinerary_make_book(l->offer, &c);
    say_call(l, &c);
    (void)say_booked(l, true);
    first = l->ref;
    env_script_masked(&l->s, text, itinerary_call_text(&c, text), 4);
    (void)say_booked(l, false);
    say_look(l, true, 2, first);
    say_cancel(l, first, true);
    say_look(l, false, 1, l->ref);
}

static enum sort choose(const struct env_demo_spec *spec, double u)
{
    bool late = spec->progress >= ENV_PHASE_2;
    double skill = late ? ENV_SKILL_2 : ENV_SKILL_1;

    if (env_kind_is(spec, "plain"))
        return PLAIN;
    if (env_kind_is(spec, "skill"))
        return SKILL;
    if (env_kind_is(spec, "check"))
        return CHECK;
    if (u < skill)
        return SKILL;
    return late && u < skill + (1 - skill) * LOOKS ? CHECK : PLAIN;
}

int32_t itinerary_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max)
{
    struct lesson l = {.s = {.out = out, .max = max},
                       .d = {.seed = spec->seed, .index = spec->index}};
    struct itinerary_reply reply = {.kind = ITINERARY_SAY_LEG};
    struct env_call next;
    bool confirmed;

    l.sort = choose(spec, env_roll(&l.d)); /* drawn for every kind: kinds share their legs */
    l.leg.from = (uint8_t)env_roll_below(&l.d, ITINERARY_CITIES);
    l.leg.to =
        (uint8_t)((l.leg.from + 1 + env_roll_below(&l.d, ITINERARY_CITIES - 1)) % ITINERARY_CITIES);
    l.leg.day = (uint8_t)(1 + env_roll_below(&l.d, ITINERARY_DAYS));
    reply.leg = l.leg;
    say_reply(&l, &reply);
    say_search(&l);
    if (l.sort == SKILL && env_roll(&l.d) < TWICE) {
        say_twice(&l);
    } else {
        confirmed = say_book(&l, l.sort == SKILL ? SKILL_LATE : PLAIN_LATE);
        if (l.sort != PLAIN)
            say_looks(&l, confirmed);
    }
    itinerary_make_next(&next);
    say_call(&l, &next);
    return l.s.n;
}
