/* itinerary_state.c - the effect of each call on the bookings of the trip.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "tools/environments/env_text.h"
#include "tools/environments/itinerary.h"

enum status itinerary_alloc(const struct env_params *p, struct itinerary **out, struct error *err)
{
    struct itinerary *t = xcalloc(1, sizeof(*t));
    enum status st = env_init(&t->base, "itinerary", ITINERARY_N_FAULTS, p, ITINERARY_NOISE, err);

    if (st) {
        free(t);
        return st;
    }
    *out = t;
    return STATUS_OK;
}

static void begin_step(struct itinerary *t)
{
    env_begin_step(&t->base, false);
    t->leg = itinerary_leg_at(t->base.params.task_seed, t->base.step);
    t->now = (struct itinerary_step){.ref = -1};
}

enum status itinerary_create(const struct env_params *p, struct env **out, struct error *err)
{
    struct itinerary *t;
    enum status st = itinerary_alloc(p, &t, err);

    if (st)
        return st;
    begin_step(t);
    *out = &t->base;
    return STATUS_OK;
}

void itinerary_free(struct env *e)
{
    if (!e)
        return;
    env_deinit(e);
    free(itinerary_of(e));
}

bool itinerary_read_city(const struct env_value *v, uint8_t *out)
{
    *out = (uint8_t)(v->text[0] - 'a');
    return v->is_text && text_in_range(v->text[0], 'a', ITINERARY_CITIES) && v->text[1] == '\0';
}

bool itinerary_read_offer(const struct env_value *v, uint8_t *out)
{
    *out = (uint8_t)(v->text[1] - '0');
    return v->is_text && v->text[0] == 'o' && text_in_range(v->text[1], '0', 10) &&
           v->text[2] == '\0';
}

bool itinerary_read_ref(const struct env_value *v, uint16_t *out)
{
    int64_t n = 0;
    bool fits =
        v->is_text && v->text[0] == 'r' && text_digits(v->text + 1, 3, &n) && v->text[4] == '\0';

    *out = (uint16_t)n;
    return fits;
}

static bool read_day(const struct env_value *v)
{
    return !v->is_text && v->number >= 1 && v->number <= ITINERARY_DAYS;
}

static void say_error(struct itinerary_reply *out, const char *words)
{
    out->kind = ITINERARY_SAY_ERROR;
    out->error = words;
}

static void apply_next(struct itinerary *t, struct itinerary_reply *out, struct env_effect *fx)
{
    bool all_done = t->base.step + 1 == t->base.params.horizon;

    env_deed(&t->base, false);
    itinerary_end_step(t);
    if (all_done || t->base.step % ITINERARY_TRIP == 0)
        itinerary_end_trip(t);
    if (all_done) {
        t->base.done = fx->done = true;
        out->kind = ITINERARY_SAY_DONE;
        return;
    }
    begin_step(t);
    fx->step_boundary = true;
    out->kind = ITINERARY_SAY_LEG;
    out->leg = t->leg;
}

static void apply_search(struct itinerary *t, const struct env_call *c, struct itinerary_reply *out)
{
    struct itinerary_leg what = {.day = (uint8_t)c->arg[2].number};

    (void)itinerary_read_city(&c->arg[0], &what.from);
    (void)itinerary_read_city(&c->arg[1], &what.to);
    out->kind = ITINERARY_SAY_OFFERS;
    itinerary_find_offers(t->base.params.task_seed, t->base.step, what, &out->offers);
    if (itinerary_stale(t, &out->offers))
        env_struck(&t->base);
    t->now.tries[ITINERARY_SEARCH]++;
    t->now.searched = what;
    t->now.shown = out->offers;
}

static uint16_t new_ref(const struct itinerary *t)
{
    uint32_t trip = (uint32_t)(t->base.step / ITINERARY_TRIP);
    uint16_t ref = itinerary_draw_ref(t->base.params.task_seed, trip, (uint32_t)t->n_bookings);

    for (int32_t i = 0; i < t->n_bookings;) {
        if (t->booking[i].ref == ref) {
            ref = (uint16_t)((ref + 1) % ITINERARY_REFS);
            i = 0;
        } else {
            i++;
        }
    }
    return ref;
}

/* The true offer of the last search, even if another one was shown. */
static bool offer_is_right(const struct itinerary *t, uint8_t id, bool *has_seat)
{
    const struct itinerary_leg *what = &t->now.searched;
    bool same = what->from == t->leg.from && what->to == t->leg.to && what->day == t->leg.day;
    struct itinerary_offers true_offers;
    int32_t best;

    itinerary_find_offers(t->base.params.task_seed, t->base.step, *what, &true_offers);
    best = itinerary_best(&true_offers);
    *has_seat = false;
    for (int32_t i = 0; i < true_offers.n; i++) {
        if (true_offers.offer[i].id == id)
            *has_seat = true_offers.offer[i].seats > 0;
    }
    return same && best >= 0 && true_offers.offer[best].id == id;
}

static uint8_t other_day(uint8_t day, uint32_t bits)
{
    return (uint8_t)(1 + ((uint32_t)day + rng_below(bits, ITINERARY_DAYS - 1)) % ITINERARY_DAYS);
}

/* Executes a valid request, with its fault. */
static void make_booking(struct itinerary *t, uint8_t offer, bool right,
                         struct itinerary_reply *out)
{
    struct itinerary_fault f = itinerary_book_fault(t, t->now.tries[ITINERARY_BOOK]);
    struct itinerary_booking *b = &t->booking[t->n_bookings];
    bool late = f.kind == ITINERARY_TIMEOUT_DONE || f.kind == ITINERARY_TIMEOUT_LOST;

    t->now.tries[ITINERARY_BOOK]++;
    if (f.kind != ITINERARY_NO_FAULT)
        env_struck(&t->base);
    *b = (struct itinerary_booking){
        .ref = new_ref(t),
        .day = t->now.searched.day,
        .offer = offer,
        .leg = (uint8_t)(t->base.step % ITINERARY_TRIP),
        .right = right && f.kind != ITINERARY_WRONG_DAY,
        .active = f.kind != ITINERARY_ABSENT && f.kind != ITINERARY_TIMEOUT_LOST,
    };
    if (f.kind == ITINERARY_WRONG_DAY)
        b->day = other_day(b->day, f.detail);
    t->n_bookings++; /* an absent one keeps its ref, so that no other gets it */
    t->now.ref = late ? -1 : (int16_t)b->ref;
    out->kind = late ? ITINERARY_SAY_TIMEOUT : ITINERARY_SAY_CONFIRMED;
    out->ref = b->ref;
    out->error = "timeout";
}

static void apply_book(struct itinerary *t, const struct env_call *c, struct itinerary_reply *out)
{
    uint8_t id;
    bool known = false, has_seat, right;

    (void)itinerary_read_offer(&c->arg[0], &id);
    env_deed(&t->base, true);
    if (t->base.params.ablation == ENV_ABLATE_MASK && t->now.wrote) {
        t->now.refused = true;
        say_error(out, "unknown tool: book");
        return;
    }
    for (int32_t i = 0; i < t->now.shown.n; i++)
        known |= t->now.shown.offer[i].id == id;
    if (!known) {
        say_error(out, "no such offer in the last search");
        return;
    }
    right = offer_is_right(t, id, &has_seat);
    if (!has_seat) {
        say_error(out, "sold out");
        return;
    }
    if (t->n_bookings == ITINERARY_BOOKINGS) {
        say_error(out, "too many bookings");
        return;
    }
    if (!right && !t->base.fault) /* a stale search is not the model's slip */
        t->base.slip = true;
    t->now.wrote = t->now.booked = true;
    t->now.looked = t->now.listed = false;
    t->now.asked = id;
    make_booking(t, id, right, out);
}

/* Is the list exactly the requested booking? After a timeout its reference is unknown. */
static bool is_what_was_asked(const struct itinerary_step *now, const struct itinerary_reply *r)
{
    return r->n == 1 && r->booking[0].offer == now->asked &&
           (now->ref < 0 || r->booking[0].ref == (uint16_t)now->ref);
}

static void apply_list(struct itinerary *t, uint8_t day, struct itinerary_reply *out)
{
    bool match;

    t->now.looked = true;
    if (t->base.params.ablation == ENV_ABLATE_MUTE && t->now.wrote) {
        say_error(out, "muted");
        return;
    }
    out->kind = ITINERARY_SAY_BOOKINGS;
    if (t->base.params.ablation == ENV_ABLATE_ECHO && t->now.wrote) {
        out->booking[0].ref = (uint16_t)(t->now.ref < 0 ? 0 : t->now.ref);
        out->booking[0].offer = t->now.asked;
        out->n = 1;
        return;
    }
    for (int32_t i = 0; i < t->n_bookings && out->n < ITINERARY_SHOWN; i++) {
        const struct itinerary_booking *b = &t->booking[i];

        if (b->active && b->day == day) {
            out->booking[out->n].ref = b->ref;
            out->booking[out->n++].offer = b->offer;
        }
    }
    match = is_what_was_asked(&t->now, out);
    if (match && day == t->leg.day && t->now.wrote && itinerary_false_alarm(t)) {
        out->n = 0;
        match = false;
    }
    t->now.tries[ITINERARY_LIST]++;
    if (day != t->leg.day || !t->now.wrote)
        return;
    env_looked(&t->base, match);
    t->now.listed = true;
    t->now.matched = match;
    t->now.n_listed = (uint8_t)out->n;
    for (int32_t i = 0; i < out->n; i++)
        t->now.listed_ref[i] = out->booking[i].ref;
}

static void apply_cancel(struct itinerary *t, const struct env_call *c, struct itinerary_reply *out)
{
    uint16_t ref;
    bool was_right;

    (void)itinerary_read_ref(&c->arg[0], &ref);
    env_deed(&t->base, true);
    if (env_no_undo(&t->base)) {
        t->now.refused = true;
        say_error(out, "unknown tool: cancel");
        return;
    }
    t->now.looked = t->now.listed = false;
    if (t->now.ref == (int16_t)ref) {
        t->now.ref = -1;
        t->now.booked = false;
    }
    say_error(out, "no such booking");
    for (int32_t i = 0; i < t->n_bookings; i++) {
        struct itinerary_booking *b = &t->booking[i];

        if (!b->active || b->ref != ref)
            continue;
        was_right = itinerary_leg_right(t, b->leg);
        b->active = false;
        /* This leg is judged at its end; an earlier leg has been judged already. */
        if (b->leg != t->base.step % ITINERARY_TRIP && was_right)
            t->now.harmed = true;
        out->kind = ITINERARY_SAY_OK;
    }
}

/* The codecs check their input, but a caller of the API may not. */
static bool call_is_sound(const struct env_call *c)
{
    uint8_t small;
    uint16_t ref;

    switch (c->tool) {
    case ITINERARY_NEXT:
        return true;
    case ITINERARY_SEARCH:
        return itinerary_read_city(&c->arg[0], &small) && itinerary_read_city(&c->arg[1], &small) &&
               read_day(&c->arg[2]);
    case ITINERARY_BOOK:
        return itinerary_read_offer(&c->arg[0], &small);
    case ITINERARY_LIST:
        return read_day(&c->arg[0]);
    case ITINERARY_CANCEL:
        return itinerary_read_ref(&c->arg[0], &ref);
    default:
        return false;
    }
}

void itinerary_apply(struct itinerary *t, const struct env_call *c, struct itinerary_reply *out,
                     struct env_effect *fx)
{
    *out = (struct itinerary_reply){.kind = ITINERARY_SAY_ERROR};
    if (!env_count_call(&t->base, ITINERARY_MAX_CALLS, fx, &out->error))
        return;
    fx->ok = call_is_sound(c);
    if (!fx->ok) {
        out->error = "this is not a call";
        return;
    }
    switch ((enum itinerary_tool)c->tool) {
    case ITINERARY_NEXT:
        apply_next(t, out, fx);
        break;
    case ITINERARY_SEARCH:
        apply_search(t, c, out);
        break;
    case ITINERARY_BOOK:
        apply_book(t, c, out);
        break;
    case ITINERARY_LIST:
        apply_list(t, (uint8_t)c->arg[0].number, out);
        break;
    case ITINERARY_CANCEL:
        apply_cancel(t, c, out);
        break;
    case ITINERARY_N_TOOLS:
        break;
    }
}
