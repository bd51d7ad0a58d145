/* test_itinerary_calls.c - what each call does to the bookings, what each fault leaves behind, and
 * what is judged at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include <stdio.h>

#include "tools/environments/itinerary.h"

static const struct env_ops *itinerary(void)
{
    return env_find("itinerary");
}

static void apply(struct env *e, const struct env_call *c, struct itinerary_reply *r)
{
    struct env_effect fx;

    itinerary_apply(itinerary_of(e), c, r, &fx);
}

static struct itinerary_reply search(struct env *e)
{
    struct itinerary_reply r;
    struct env_call c;

    itinerary_make_search(itinerary_of(e)->leg, &c);
    apply(e, &c, &r);
    assert_int_equal(r.kind, ITINERARY_SAY_OFFERS);
    return r;
}

static struct itinerary_reply book(struct env *e, uint8_t offer)
{
    struct itinerary_reply r;
    struct env_call c;

    itinerary_make_book(offer, &c);
    apply(e, &c, &r);
    return r;
}

static struct itinerary_reply list(struct env *e)
{
    struct itinerary_reply r;
    struct env_call c;

    itinerary_make_list(itinerary_of(e)->leg.day, &c);
    apply(e, &c, &r);
    return r;
}

static struct itinerary_reply cancel(struct env *e, uint16_t ref)
{
    struct itinerary_reply r;
    struct env_call c;

    itinerary_make_cancel(ref, &c);
    apply(e, &c, &r);
    return r;
}

static struct itinerary_reply next(struct env *e)
{
    struct itinerary_reply r;
    struct env_call c;

    itinerary_make_next(&c);
    apply(e, &c, &r);
    return r;
}

static uint8_t best_of(const struct itinerary_reply *r)
{
    return r->offers.offer[itinerary_best(&r->offers)].id;
}

/* Pinned: a change of these draws would silently change every recorded figure. */
static void draws_are_pinned(void **state)
{
    struct env *e =
        play_new(itinerary(),
                 (struct env_params){.horizon = 4, .noise = 0.5, .task_seed = 7, .fault_seed = 12});
    struct str text = STR_INIT;

    (void)state;
    (void)play_expert(itinerary(), e, "check", &text);
    assert_string_equal(str_cstr(&text),
                        "LEGpl03|SEARCHpl03;>OFFER644SEAT4OFFER597SEAT4OFFER477SEAT0|BOOK6;>OK212|"
                        "LIST03;>NULL|CANCEL212;>OK|BOOK6;>OK657|LIST03;>NULL|CANCEL657;>OK|"
                        "BOOK6;>OK317|LIST03;>317OFFER6|NEXT;"
                        "LEGln04|SEARCHln04;>OFFER261SEAT5OFFER148SEAT0OFFER019SEAT3OFFER974SEAT4|"
                        "BOOK0;>OK487|LIST04;>NULL|CANCEL487;>OK|BOOK0;>OK714|LIST04;>714OFFER0|"
                        "NEXT;"
                        "LEGnp07|SEARCHnp07;>OFFER030SEAT9OFFER973SEAT0OFFER857SEAT9|BOOK0;>OK013|"
                        "LIST07;>013OFFER0|NEXT;"
                        "LEGpc10|SEARCHpc10;>OFFER067SEAT0OFFER346SEAT7|BOOK3;>OK134|LIST10;>NULL|"
                        "CANCEL134;>OK|BOOK3;>OK612|LIST10;>612OFFER3|NEXT;>DONE|");
    str_deinit(&text);
    itinerary()->free(e);
}

static void trips_are_chains_on_rising_days(void **state)
{
    int32_t days[31] = {0};

    (void)state;
    for (int32_t i = 0; i < 10000; i++) {
        struct itinerary_leg leg = itinerary_leg_at(3, i), then = itinerary_leg_at(3, i + 1);

        assert_in_range(leg.from, 0, 15);
        assert_in_range(leg.to, 0, 15);
        assert_true(leg.from != leg.to);
        assert_in_range(leg.day, 1, 30);
        days[leg.day]++;
        if (i % 10 < 9) {
            assert_int_equal(leg.to, then.from);
            assert_true(leg.day < then.day);
        }
    }
    for (int day = 1; day <= 30; day++)
        assert_rate(days[day], 10000, 1.0 / 30);
}

static void offers_are_few_distinct_and_bookable(void **state)
{
    int64_t count[5] = {0}, sold_out = 0, position[4] = {0}, n = 0;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        struct itinerary_offers o;
        int32_t best;

        itinerary_draw_offers(5, i, 0, &o);
        assert_in_range(o.n, 2, 4);
        count[o.n]++;
        best = itinerary_best(&o);
        assert_true(best >= 0);
        position[best]++;
        for (int32_t a = 0; a < o.n; a++) {
            assert_in_range(o.offer[a].price, 10, 99);
            assert_in_range(o.offer[a].id, 0, 9);
            assert_in_range(o.offer[a].seats, 0, 9);
            sold_out += o.offer[a].seats == 0;
            n++;
            for (int32_t b = 0; b < a; b++) {
                assert_int_not_equal(o.offer[a].price, o.offer[b].price);
                assert_int_not_equal(o.offer[a].id, o.offer[b].id);
            }
            if (o.offer[a].seats > 0)
                assert_true(o.offer[a].price >= o.offer[best].price);
        }
    }
    for (int k = 2; k <= 4; k++)
        assert_rate(count[k], 20000, 1.0 / 3);
    assert_between(play_share(sold_out, n), 0.28, 0.34);
    for (int k = 0; k < 4; k++)
        assert_true(position[k] > 1000); /* its position gives no hint */
}

static void the_right_offer_is_the_cheapest_with_a_seat(void **state)
{
    int32_t wrong = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct env_params p = {.horizon = 1, .task_seed = seed};
        struct env *e = play_new(itinerary(), p);
        struct itinerary_reply found = search(e);

        for (int32_t i = 0; i < found.offers.n; i++) {
            const struct itinerary_offer *o = &found.offers.offer[i];
            struct env *copy = play_new(itinerary(), p);
            struct itinerary_reply r;

            (void)search(copy);
            r = book(copy, o->id);
            if (o->seats == 0) {
                assert_int_equal(r.kind, ITINERARY_SAY_ERROR);
                assert_string_equal(r.error, "sold out");
            } else {
                assert_int_equal(r.kind, ITINERARY_SAY_CONFIRMED);
                (void)next(copy);
                assert_int_equal(itinerary()->step_right(copy, 0),
                                 i == itinerary_best(&found.offers));
                wrong += i != itinerary_best(&found.offers);
            }
            itinerary()->free(copy);
        }
        itinerary()->free(e);
    }
    assert_true(wrong > 20);
}

static void only_offers_of_the_last_search_are_booked(void **state)
{
    struct env *e = play_new(itinerary(), (struct env_params){.horizon = 2, .task_seed = 1});
    struct itinerary_reply found, r;
    struct env_call elsewhere;
    struct itinerary_leg other = itinerary_of(e)->leg;

    (void)state;
    r = book(e, 3);
    assert_string_equal(r.error, "no such offer in the last search");
    found = search(e);
    for (uint8_t id = 0; id < 10; id++) {
        bool there = false;

        for (int32_t i = 0; i < found.offers.n; i++)
            there |= found.offers.offer[i].id == id;
        if (!there) {
            r = book(e, id);
            assert_int_equal(r.kind, ITINERARY_SAY_ERROR);
            break;
        }
    }
    /* The cheapest of another day is not this leg's. */
    other.day = (uint8_t)(other.day % 30 + 1);
    itinerary_make_search(other, &elsewhere);
    apply(e, &elsewhere, &found);
    r = book(e, best_of(&found));
    assert_int_equal(r.kind, ITINERARY_SAY_CONFIRMED);
    (void)next(e);
    assert_false(itinerary()->step_right(e, 0));
    assert_int_equal(play_verdict(itinerary(), e).own_slips, 1);
    other.to = other.from;
    itinerary_make_search(other, &elsewhere);
    apply(e, &elsewhere, &found);
    assert_int_equal(found.offers.n, 0);
    itinerary()->free(e);
}

/* Looks for a fault seed whose first booking of the first leg is struck so. */
static struct env *struck_with(enum itinerary_fault_kind kind)
{
    for (uint64_t seed = 0;; seed++) {
        struct env *e = play_new(
            itinerary(),
            (struct env_params){.horizon = 2, .noise = 0.3, .task_seed = 4, .fault_seed = seed});

        if (itinerary_book_fault(itinerary_of(e), 0).kind == kind &&
            itinerary_book_fault(itinerary_of(e), 1).kind == ITINERARY_NO_FAULT)
            return e;
        itinerary()->free(e);
    }
}

/* What each fault answers, leaves behind, and how it is mended. */
static void faults_do_what_they_are_called(void **state)
{
    (void)state;
    for (int32_t kind = ITINERARY_NO_FAULT; kind <= ITINERARY_TIMEOUT_LOST; kind++) {
        struct env *e = struck_with((enum itinerary_fault_kind)kind);
        struct itinerary_reply found = search(e), r = book(e, best_of(&found)), listed = list(e);
        bool late = kind == ITINERARY_TIMEOUT_DONE || kind == ITINERARY_TIMEOUT_LOST;
        bool there = kind == ITINERARY_NO_FAULT || kind == ITINERARY_TIMEOUT_DONE;

        assert_int_equal(r.kind, late ? ITINERARY_SAY_TIMEOUT : ITINERARY_SAY_CONFIRMED);
        assert_int_equal(listed.n, there);
        if (!there && !late) {
            struct itinerary_reply cancelled = cancel(e, r.ref);

            assert_int_equal(cancelled.kind,
                             kind == ITINERARY_WRONG_DAY ? ITINERARY_SAY_OK : ITINERARY_SAY_ERROR);
        }
        if (!there) {
            r = book(e, best_of(&found));
            assert_int_equal(r.kind, ITINERARY_SAY_CONFIRMED);
            listed = list(e);
            assert_int_equal(listed.n, 1);
            assert_int_equal(listed.booking[0].ref, r.ref);
        }
        (void)next(e);
        assert_true(itinerary()->step_right(e, 0));
        assert_int_equal(play_verdict(itinerary(), e).recovered, kind != ITINERARY_NO_FAULT);
        itinerary()->free(e);
    }
}

static void what_is_left_undone_is_wrong(void **state)
{
    (void)state;
    for (int32_t kind = ITINERARY_ABSENT; kind <= ITINERARY_TIMEOUT_LOST; kind++) {
        for (int retry = 0; retry < 2; retry++) {
            struct env *e = struck_with((enum itinerary_fault_kind)kind);
            struct itinerary_reply found = search(e);
            bool right = false;

            (void)book(e, best_of(&found));
            if (retry)
                (void)book(e, best_of(&found));
            (void)next(e);
            if (kind == ITINERARY_ABSENT || kind == ITINERARY_TIMEOUT_LOST)
                right = retry; /* a hole, filled */
            if (kind == ITINERARY_TIMEOUT_DONE)
                right = !retry; /* or made double */
            assert_int_equal(itinerary()->step_right(e, 0), right);
            itinerary()->free(e);
        }
    }
}

/* An extra of an earlier leg can still be cancelled while the trip lasts. */
static void a_trip_is_judged_at_its_end(void **state)
{
    (void)state;
    for (int mend = 0; mend < 2; mend++) {
        struct env *e = struck_with(ITINERARY_TIMEOUT_DONE);
        struct itinerary_reply found = search(e), r;

        (void)book(e, best_of(&found));
        r = book(e, best_of(&found)); /* twice */
        (void)next(e);
        assert_false(itinerary()->step_right(e, 0));
        e->params.noise = 0;
        found = search(e);
        (void)book(e, best_of(&found));
        if (mend)
            assert_int_equal(cancel(e, r.ref).kind, ITINERARY_SAY_OK);
        (void)next(e);
        assert_true(itinerary()->step_right(e, 1));
        assert_int_equal(play_verdict(itinerary(), e).success, mend);
        itinerary()->free(e);
    }
}

/* A stray booking of another leg does not match, whatever the length of the day's list. */
static void a_stray_is_not_taken_for_ones_own(void **state)
{
    struct env *e = play_new(itinerary(), (struct env_params){.horizon = 2, .task_seed = 2});
    struct itinerary *t = itinerary_of(e);
    struct itinerary_reply found = search(e), listed;
    uint16_t own = book(e, best_of(&found)).ref;
    struct env_call call;

    (void)state;
    t->booking[0].active = false; /* absent, and another booking is there */
    t->booking[1] = t->booking[0];
    t->booking[1].ref = (uint16_t)((own + 1) % ITINERARY_REFS);
    t->booking[1].active = true;
    t->n_bookings = 2;
    listed = list(e);
    assert_int_equal(listed.n, 1);
    itinerary()->expert(e, "check", &call);
    assert_int_equal(call.tool, ITINERARY_CANCEL);
    (void)next(e);
    assert_int_equal(play_verdict(itinerary(), e).mismatch_shown, 1);
    itinerary()->free(e);
}

static void a_new_trip_has_no_bookings(void **state)
{
    struct env *e = play_new(itinerary(), (struct env_params){.horizon = 12, .task_seed = 2});
    struct itinerary *t = itinerary_of(e);
    uint16_t ref = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct itinerary_reply found = search(e);

        ref = book(e, best_of(&found)).ref;
        assert_int_equal(t->n_bookings, i + 1);
        (void)next(e);
    }
    assert_int_equal(t->n_bookings, 0);
    assert_int_equal(cancel(e, ref).kind, ITINERARY_SAY_ERROR);
    itinerary()->free(e);
}

static void lists_stay_short(void **state)
{
    struct env *e = play_new(itinerary(), (struct env_params){.horizon = 2, .task_seed = 2});
    struct itinerary_reply found = search(e);

    (void)state;
    for (int i = 0; i < 6; i++)
        (void)book(e, best_of(&found));
    assert_int_equal(list(e).n, ITINERARY_SHOWN);
    itinerary()->free(e);
}

static void faults_come_at_their_rates(void **state)
{
    static const struct {
        double noise, half, late;
    } cases[] = {{-1, 0.005, 0.02}, {0, 0, 0}, {0.002, 0.001, 0.004}, {0.2, 0.1, 0.02}};
    const int32_t n = 100000;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct env *e =
            play_new(itinerary(),
                     (struct env_params){.horizon = n, .noise = cases[i].noise, .fault_seed = 3});
        int64_t count[5] = {0};

        for (e->step = 0; e->step < n; e->step++)
            count[itinerary_book_fault(itinerary_of(e), 2).kind]++;
        assert_rate(count[ITINERARY_ABSENT], n, cases[i].half);
        assert_rate(count[ITINERARY_WRONG_DAY], n, cases[i].half);
        assert_rate(count[ITINERARY_TIMEOUT_DONE], n, cases[i].late);
        assert_rate(count[ITINERARY_TIMEOUT_LOST], n, cases[i].late);
        e->step = 0;
        itinerary()->free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_pinned),
        cmocka_unit_test(trips_are_chains_on_rising_days),
        cmocka_unit_test(offers_are_few_distinct_and_bookable),
        cmocka_unit_test(the_right_offer_is_the_cheapest_with_a_seat),
        cmocka_unit_test(only_offers_of_the_last_search_are_booked),
        cmocka_unit_test(faults_do_what_they_are_called),
        cmocka_unit_test(what_is_left_undone_is_wrong),
        cmocka_unit_test(a_trip_is_judged_at_its_end),
        cmocka_unit_test(a_stray_is_not_taken_for_ones_own),
        cmocka_unit_test(a_new_trip_has_no_bookings),
        cmocka_unit_test(lists_stay_short),
        cmocka_unit_test(faults_come_at_their_rates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
