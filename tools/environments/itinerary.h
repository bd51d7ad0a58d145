/* itinerary.h - the internals of the itinerary environment, used only by its files.
 *
 * Sixteen cities a..p, days 1..30. A step is one leg of a trip: search for offers, book the
 * cheapest that has a seat. A trip has ten legs on rising days, each from where the last one ended.
 * Then a new trip begins, and the bookings of the old one are no longer listed, so that lists stay
 * short in long episodes. Bookings can fail silently, and an answer can time out.
 * Source: Troupe's "OffCourse" benchmark, E3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ITINERARY_H
#define TROUPE_TOOLS_ENVIRONMENTS_ITINERARY_H

#include "tools/environments/env_core.h"

#define ITINERARY_CITIES    16
#define ITINERARY_DAYS      30
#define ITINERARY_TRIP      10 /* legs of a trip */
#define ITINERARY_OFFERS    4  /* of a search, at most */
#define ITINERARY_SHOWN     4  /* bookings of a list, at most, the oldest first */
#define ITINERARY_REFS      1000
#define ITINERARY_MAX_CALLS 10 /* of one leg; one more fails the episode */
#define ITINERARY_BOOKINGS  (ITINERARY_TRIP * ITINERARY_MAX_CALLS)
#define ITINERARY_NOISE     0.01
/* The rate of each sort of timeout is 2 x the noise, and at most this. */
#define ITINERARY_MAX_TIMEOUT 0.02

/* Indices into the tools. */
enum itinerary_tool {
    ITINERARY_NEXT,
    ITINERARY_SEARCH,
    ITINERARY_BOOK,
    ITINERARY_LIST,
    ITINERARY_CANCEL,
    ITINERARY_N_TOOLS
};

struct itinerary_leg {
    uint8_t from, to; /* 0..15 */
    uint8_t day;      /* 1..30 */
};
struct itinerary_offer {
    uint8_t id; /* 0..9: "o3" */
    uint8_t price, seats;
};
struct itinerary_offers {
    struct itinerary_offer offer[ITINERARY_OFFERS];
    uint8_t n;
};
struct itinerary_booking {
    uint16_t ref; /* 0..999, unique in the trip */
    uint8_t day;  /* its true day */
    uint8_t offer;
    uint8_t leg; /* of the trip */
    bool right;  /* the leg's own cheapest offer, on its day */
    bool active; /* there, and not cancelled */
};

struct itinerary_step {
    int32_t tries[ITINERARY_N_TOOLS]; /* earlier calls on each channel: keys the faults */
    struct itinerary_leg searched;    /* what the offers below are for */
    struct itinerary_offers shown;    /* by the last search; none before it */
    bool harmed;                      /* an earlier leg was right and no longer is */
    bool wrote;                       /* a booking was asked for in this leg */
    /* What the scripted experts remember of the replies. */
    bool booked;   /* asked for since the last cancellation of this leg's own */
    uint8_t asked; /* the offer */
    int16_t ref;   /* of the last confirmed booking; -1: none, or cancelled */
    bool looked;   /* asked for the list since the last booking or cancellation */
    bool listed;   /* and was answered with these */
    bool matched;  /* exactly the booking that was asked for */
    uint8_t n_listed;
    uint16_t listed_ref[ITINERARY_SHOWN];
    bool refused; /* an ablation refused a call */
};

struct itinerary {
    struct env base;
    struct itinerary_leg leg;
    int32_t failed_legs; /* of the ended trips */
    int32_t n_bookings;  /* of this trip, absent and cancelled ones included */
    struct itinerary_booking booking[ITINERARY_BOOKINGS];
    struct itinerary_step now;
};

enum itinerary_answer {
    ITINERARY_SAY_LEG,
    ITINERARY_SAY_DONE,
    ITINERARY_SAY_OFFERS,
    ITINERARY_SAY_CONFIRMED,
    ITINERARY_SAY_TIMEOUT,
    ITINERARY_SAY_BOOKINGS,
    ITINERARY_SAY_OK,
    ITINERARY_SAY_ERROR
};
struct itinerary_reply {
    enum itinerary_answer kind;
    struct itinerary_leg leg;       /* LEG */
    struct itinerary_offers offers; /* OFFERS */
    uint16_t ref;                   /* CONFIRMED */
    int32_t n;                      /* BOOKINGS */
    struct {
        uint16_t ref;
        uint8_t offer;
    } booking[ITINERARY_SHOWN];
    const char *error; /* ERROR: words for the JSON codec; static */
};

static inline struct itinerary *itinerary_of(struct env *e)
{
    return (struct itinerary *)(void *)e;
}

static inline const struct itinerary *itinerary_of_const(const struct env *e)
{
    return (const struct itinerary *)(const void *)e;
}

/* itinerary_task.c */
struct itinerary_leg itinerary_leg_at(uint64_t task_seed, int32_t step);
/* Two to four offers, at least one with a seat, no two of one price; drawn under (a, b). */
void itinerary_draw_offers(uint64_t seed, uint32_t a, uint32_t b, struct itinerary_offers *out);
/* The offers that a search for `leg` finds in step `step`; none from a city to itself. */
void itinerary_find_offers(uint64_t task_seed, int32_t step, struct itinerary_leg leg,
                           struct itinerary_offers *out);
/* The index of the cheapest with a seat, or -1. */
int32_t itinerary_best(const struct itinerary_offers *o);
uint16_t itinerary_draw_ref(uint64_t seed, uint32_t a, uint32_t b);

/* itinerary_state.c */
MUST_CHECK enum status itinerary_alloc(const struct env_params *p, struct itinerary **out,
                                       struct error *err);
MUST_CHECK enum status itinerary_create(const struct env_params *p, struct env **out,
                                        struct error *err);
void itinerary_free(struct env *e);
void itinerary_apply(struct itinerary *t, const struct env_call *c, struct itinerary_reply *out,
                     struct env_effect *fx);
bool itinerary_read_city(const struct env_value *v, uint8_t *out);
bool itinerary_read_offer(const struct env_value *v, uint8_t *out);
bool itinerary_read_ref(const struct env_value *v, uint16_t *out);

/* itinerary_verify.c */
bool itinerary_leg_right(const struct itinerary *t, int32_t leg_of_trip); /* at the moment */
void itinerary_end_step(struct itinerary *t);
void itinerary_end_trip(struct itinerary *t); /* counts its failed legs and forgets its bookings */
void itinerary_verify(const struct env *e, struct env_verdict *out);
double itinerary_ceiling(const struct env_params *p);

/* itinerary_fault.c */
enum itinerary_fault_kind {
    ITINERARY_NO_FAULT,
    ITINERARY_ABSENT,
    ITINERARY_WRONG_DAY,
    ITINERARY_TIMEOUT_DONE,
    ITINERARY_TIMEOUT_LOST
};
/* The kinds for --faults: all, in their order. The first two share the rate p; each sort of timeout
 * has its own rate, which is 0 if it is not selected. */
#define ITINERARY_N_SILENT 2
#define ITINERARY_N_FAULTS 4
extern const char *const itinerary_faults[ITINERARY_N_FAULTS];
struct itinerary_rates {
    double silent, done, lost;
};
struct itinerary_fault {
    enum itinerary_fault_kind kind;
    uint32_t detail; /* random bits: which day */
};
struct itinerary_rates itinerary_rates_of(const struct env_params *p, double noise);
struct itinerary_fault itinerary_book_fault(const struct itinerary *t, int32_t try_index);
/* Profile `hard`: the cheapest offer is shown as sold out. True if it happened. */
bool itinerary_stale(const struct itinerary *t, struct itinerary_offers *shown);
/* The ablation `alarm`: is this right list shown as empty? */
bool itinerary_false_alarm(const struct itinerary *t);

/* itinerary_codec.c */
struct json *itinerary_observe(struct env *e);
void itinerary_observe_compact(struct env *e, struct str *out);
struct json *itinerary_call(struct env *e, const struct env_call *c, struct env_effect *fx);
void itinerary_call_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                            struct str *out);
void itinerary_parse_compact(const struct env *e, const char *text, size_t n, struct env_call *out);
void itinerary_render_call(const struct env_call *c, struct str *out);
/* The longest is a search's answer, ">OFFER145SEAT2" four times: 54 with its ends. */
#define ITINERARY_TEXT 64
size_t itinerary_reply_text(const struct itinerary_reply *r, char out[ITINERARY_TEXT]);
size_t itinerary_call_text(const struct env_call *c, char out[ITINERARY_TEXT]);

/* itinerary_expert.c */
void itinerary_expert(const struct env *e, const char *how, struct env_call *out);
#define ITINERARY_N_EXPERTS 2
extern const char *const itinerary_experts[ITINERARY_N_EXPERTS];
void itinerary_make_search(struct itinerary_leg leg, struct env_call *out);
void itinerary_make_book(uint8_t offer, struct env_call *out);
void itinerary_make_list(uint8_t day, struct env_call *out);
void itinerary_make_cancel(uint16_t ref, struct env_call *out);
void itinerary_make_next(struct env_call *out);

/* itinerary_demo.c, itinerary_probe.c */
#define ITINERARY_N_DEMO_KINDS 4
extern const char *const itinerary_demo_kinds[ITINERARY_N_DEMO_KINDS];
int32_t itinerary_demo(const struct env_demo_spec *spec, struct env_piece *out, int32_t max);
#define ITINERARY_N_PROBES 4180
void itinerary_probe(int32_t i, struct env_probe *out);

/* itinerary_snapshot.c */
void itinerary_snapshot(const struct env *e, struct str *out);
bool itinerary_anchor(const struct env *e, uint8_t hash[16]);
MUST_CHECK enum status itinerary_restore(const void *bytes, size_t n, struct env **out,
                                         struct error *err);

#endif
