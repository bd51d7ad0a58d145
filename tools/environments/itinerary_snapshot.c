/* itinerary_snapshot.c - the whole state of an episode as bytes, and back; its anchor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_bytes.h"
#include "tools/environments/itinerary.h"

#define MAGIC   0x4e495449U /* "ITIN" */
#define VERSION 1U

static void visit_u16(struct env_bytes *io, uint16_t *v)
{
    *v = (uint16_t)env_bytes_i32(io, *v, 0, ITINERARY_REFS - 1);
}

static void visit_offers(struct env_bytes *io, struct itinerary_offers *o)
{
    env_bytes_u8(io, &o->n, ITINERARY_OFFERS);
    for (int32_t i = 0; i < o->n; i++) {
        env_bytes_u8(io, &o->offer[i].id, 9);
        env_bytes_u8(io, &o->offer[i].price, 99);
        env_bytes_u8(io, &o->offer[i].seats, 9);
    }
}

static void visit_booking(struct env_bytes *io, struct itinerary_booking *b)
{
    visit_u16(io, &b->ref);
    env_bytes_u8(io, &b->day, ITINERARY_DAYS);
    env_bytes_u8(io, &b->offer, 9);
    env_bytes_u8(io, &b->leg, ITINERARY_TRIP - 1);
    env_bytes_bool(io, &b->right);
    env_bytes_bool(io, &b->active);
}

static void visit_shown(struct env_bytes *io, struct itinerary_step *s)
{
    int32_t ref = s->ref;

    env_bytes_u8(io, &s->searched.from, ITINERARY_CITIES - 1);
    env_bytes_u8(io, &s->searched.to, ITINERARY_CITIES - 1);
    env_bytes_u8(io, &s->searched.day, ITINERARY_DAYS);
    visit_offers(io, &s->shown);
    env_bytes_bool(io, &s->harmed);
    env_bytes_bool(io, &s->wrote);
    env_bytes_bool(io, &s->booked);
    env_bytes_u8(io, &s->asked, 9);
    s->ref = (int16_t)env_bytes_i32(io, ref, -1, ITINERARY_REFS - 1);
    env_bytes_bool(io, &s->looked);
    env_bytes_bool(io, &s->listed);
    env_bytes_bool(io, &s->matched);
    env_bytes_u8(io, &s->n_listed, ITINERARY_SHOWN);
    for (int32_t i = 0; i < ITINERARY_SHOWN; i++)
        visit_u16(io, &s->listed_ref[i]);
    env_bytes_bool(io, &s->refused);
}

/* All but the parameters. The leg follows from seed and step. */
static void visit(struct env_bytes *io, struct itinerary *t)
{
    env_bytes_core(io, &t->base, ITINERARY_MAX_CALLS);
    t->failed_legs = env_bytes_i32(io, t->failed_legs, 0, ENV_MAX_HORIZON);
    t->n_bookings = env_bytes_i32(io, t->n_bookings, 0, ITINERARY_BOOKINGS);
    for (int32_t i = 0; i < t->n_bookings; i++)
        visit_booking(io, &t->booking[i]);
    for (int32_t k = 0; k < ITINERARY_N_TOOLS; k++)
        t->now.tries[k] = env_bytes_i32(io, t->now.tries[k], 0, ITINERARY_MAX_CALLS);
    visit_shown(io, &t->now);
}

static const struct env_frame frame = {.name = "itinerary", .magic = MAGIC, .version = VERSION};

void itinerary_snapshot(const struct env *e, struct str *out)
{
    struct itinerary copy = *itinerary_of_const(e); /* visit() writes back what it has written */
    struct env_bytes io = {.out = out};
    size_t from = env_frame_begin(out, frame.magic, frame.version);

    env_bytes_params(&io, &copy.base.params);
    visit(&io, &copy);
    env_frame_end(out, from);
}

/* Cancelled bookings do not count, nor do the references of active ones, which depend on how many
 * were made before. */
bool itinerary_anchor(const struct env *e, uint8_t hash[16])
{
    const struct itinerary *t = itinerary_of_const(e);
    struct itinerary_step now = t->now;
    struct str bytes = STR_INIT;
    struct env_bytes io = {.out = &bytes};

    if (e->done)
        return false;
    (void)env_bytes_bits(&io, e->params.task_seed, 8);
    (void)env_bytes_i32(&io, e->step, 0, ENV_MAX_HORIZON);
    (void)env_bytes_i32(&io, e->pending, 0, ENV_MISMATCHED);
    (void)env_bytes_i32(&io, t->failed_legs, 0, ENV_MAX_HORIZON);
    for (int32_t i = 0; i < t->n_bookings; i++) {
        struct itinerary_booking b = t->booking[i];

        b.ref = 0;
        if (b.active)
            visit_booking(&io, &b);
    }
    now.ref = now.ref < 0 ? -1 : 0;
    for (int32_t i = 0; i < ITINERARY_SHOWN; i++)
        now.listed_ref[i] = 0;
    visit_shown(&io, &now);
    env_anchor_of(&io, hash);
    return true;
}

enum status itinerary_restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    struct env_bytes io;
    struct env_params params;
    struct itinerary *t = NULL;
    enum status st = env_frame_open(&frame, bytes, n, &io, &params, err);

    if (st)
        return st;
    st = itinerary_alloc(&params, &t, err);
    if (st)
        return st;
    visit(&io, t);
    st = env_frame_finish(&frame, &io, err);
    if (st) {
        itinerary_free(&t->base);
        return st;
    }
    t->leg = itinerary_leg_at(params.task_seed,
                              t->base.done && t->base.step > 0 ? t->base.step - 1 : t->base.step);
    *out = &t->base;
    return STATUS_OK;
}
