/* courier_snapshot.c - the whole state of an episode as bytes, and back; its anchor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/courier.h"
#include "tools/environments/env_bytes.h"

#define MAGIC   0x52554f43U /* "COUR" */
#define VERSION 1U

static void visit_cell(struct env_bytes *io, struct courier_cell *cell)
{
    env_bytes_u8(io, &cell->x, COURIER_SIDE - 1);
    env_bytes_u8(io, &cell->y, COURIER_SIDE - 1);
}

static void visit_shown(struct env_bytes *io, struct courier_step *s)
{
    env_bytes_bool(io, &s->dropped);
    env_bytes_bool(io, &s->looked);
    env_bytes_bool(io, &s->differed);
    env_bytes_bool(io, &s->refused);
}

/* Parcels of the legs that have begun. */
static void visit_parcels(struct env_bytes *io, struct courier *c)
{
    int32_t n = c->base.done ? c->base.step : c->base.step + 1;

    for (int32_t i = 0; i < n && !io->bad; i++) {
        visit_cell(io, &c->lies[i]);
        env_bytes_block(io, &c->down[i], 1, 1);
    }
}

/* All but the parameters and the values that follow from the step (courier_enter_leg). */
static void visit(struct env_bytes *io, struct courier *c)
{
    env_bytes_core(io, &c->base, COURIER_MAX_CALLS);
    visit_cell(io, &c->is);
    visit_cell(io, &c->at);
    c->misplaced = env_bytes_i32(io, c->misplaced, 0, ENV_MAX_HORIZON);
    c->misplaced_at_start = env_bytes_i32(io, c->misplaced_at_start, 0, ENV_MAX_HORIZON);
    for (int32_t t = 0; t < COURIER_N_TOOLS; t++)
        c->now.tries[t] = env_bytes_i32(io, c->now.tries[t], 0, COURIER_MAX_CALLS);
    env_bytes_u8(io, &c->now.planned, COURIER_MAX_CALLS);
    visit_shown(io, &c->now);
    if (!io->bad)
        visit_parcels(io, c);
}

static struct env_frame frame_of(const struct courier_rules *rules)
{
    return (struct env_frame){
        .name = rules->name, .magic = MAGIC + ((uint32_t)rules->id << 24), .version = VERSION};
}

void courier_snapshot(const struct env *e, struct str *out)
{
    struct courier copy = *courier_of_const(e); /* visit() writes back what it has written out */
    struct env_frame f = frame_of(copy.rules);
    struct env_bytes io = {.out = out};
    size_t from = env_frame_begin(out, f.magic, f.version);

    env_bytes_params(&io, &copy.base.params);
    visit(&io, &copy);
    env_frame_end(out, from);
}

/* Only the number of misplaced parcels counts: which of them are misplaced has no effect on later
 * steps. */
bool courier_anchor(const struct env *e, uint8_t hash[16])
{
    struct courier copy = *courier_of_const(e);
    struct str bytes = STR_INIT;
    struct env_bytes io = {.out = &bytes};

    if (copy.base.done)
        return false;
    (void)env_bytes_bits(&io, copy.base.params.task_seed, 8);
    (void)env_bytes_i32(&io, copy.base.step, 0, ENV_MAX_HORIZON);
    env_bytes_u8(&io, &copy.base.pending, ENV_MISMATCHED);
    (void)env_bytes_i32(&io, copy.misplaced, 0, ENV_MAX_HORIZON);
    visit_cell(&io, &copy.is);
    visit_cell(&io, &copy.at);
    visit_shown(&io, &copy.now);
    visit_cell(&io, &copy.lies[copy.base.step]);
    env_anchor_of(&io, hash);
    return true;
}

enum status courier_restore(const struct courier_rules *rules, const void *bytes, size_t n,
                            struct env **out, struct error *err)
{
    struct env_frame f = frame_of(rules);
    struct env_bytes io;
    struct env_params params;
    struct courier *c = NULL;
    int32_t n_legs, step;
    enum status st = env_frame_open(&f, bytes, n, &io, &params, err);

    if (st)
        return st;
    st = courier_alloc(rules, &params, &c, err);
    if (st)
        return st;
    visit(&io, c);
    st = env_frame_finish(&f, &io, err);
    if (st) {
        courier_free(&c->base);
        return st;
    }
    step = c->base.step;
    n_legs = c->base.done ? step : step + 1;
    for (c->base.step = 0; c->base.step < n_legs; c->base.step++)
        courier_enter_leg(c);
    c->base.step = step;
    *out = &c->base;
    return STATUS_OK;
}
