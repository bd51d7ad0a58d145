/* ledger_snapshot.c - the whole state of an episode as bytes, and back; its anchor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_bytes.h"
#include "tools/environments/ledger.h"

#define MAGIC   0x5247444cU /* "LDGR" */
#define VERSION 2U

static void visit_world(struct env_bytes *io, struct ledger *l)
{
    env_bytes_block(io, l->account, LEDGER_KEYS, LEDGER_VALUES - 1);
    env_bytes_block(io, l->start, LEDGER_KEYS, LEDGER_VALUES - 1);
}

static void visit_shown(struct env_bytes *io, struct ledger_step *s)
{
    env_bytes_bool(io, &s->wrote);
    env_bytes_i8(io, &s->asked_key, -1, LEDGER_KEYS - 1);
    env_bytes_i8(io, &s->asked_value, 0, LEDGER_VALUES - 1);
    env_bytes_i8(io, &s->seen, -1, LEDGER_VALUES - 1);
    env_bytes_bool(io, &s->written);
    env_bytes_bool(io, &s->looked);
    env_bytes_bool(io, &s->refused);
}

/* All but the parameters. The order follows from seed and step. */
static void visit(struct env_bytes *io, struct ledger *l)
{
    env_bytes_core(io, &l->base, LEDGER_MAX_CALLS);
    visit_world(io, l);
    env_bytes_block(io, l->want, LEDGER_KEYS, LEDGER_VALUES - 1);
    for (int32_t t = 0; t < LEDGER_N_TOOLS; t++)
        l->now.tries[t] = env_bytes_i32(io, l->now.tries[t], 0, LEDGER_MAX_CALLS);
    visit_shown(io, &l->now);
}

static struct env_frame frame_of(const struct ledger_rules *rules)
{
    return (struct env_frame){
        .name = rules->name, .magic = MAGIC + ((uint32_t)rules->id << 24), .version = VERSION};
}

void ledger_snapshot(const struct env *e, struct str *out)
{
    struct ledger copy = *ledger_of_const(e); /* visit() writes back what it has written out */
    struct env_frame f = frame_of(copy.rules);
    struct env_bytes io = {.out = out};
    size_t from = env_frame_begin(out, f.magic, f.version);

    env_bytes_params(&io, &copy.base.params);
    visit(&io, &copy);
    env_frame_end(out, from);
}

bool ledger_anchor(const struct env *e, uint8_t hash[16])
{
    struct ledger copy = *ledger_of_const(e);
    struct str bytes = STR_INIT;
    struct env_bytes io = {.out = &bytes};

    if (copy.base.done)
        return false;
    (void)env_bytes_bits(&io, copy.base.params.task_seed, 8);
    (void)env_bytes_i32(&io, copy.base.step, 0, ENV_MAX_HORIZON);
    env_bytes_u8(&io, &copy.base.pending, ENV_MISMATCHED);
    visit_world(&io, &copy);
    visit_shown(&io, &copy.now);
    env_anchor_of(&io, hash);
    return true;
}

enum status ledger_restore(const struct ledger_rules *rules, const void *bytes, size_t n,
                           struct env **out, struct error *err)
{
    struct env_frame f = frame_of(rules);
    struct env_bytes io;
    struct env_params params;
    struct ledger *l = NULL;
    enum status st = env_frame_open(&f, bytes, n, &io, &params, err);

    if (st)
        return st;
    st = ledger_alloc(rules, &params, &l, err);
    if (st)
        return st;
    visit(&io, l);
    st = env_frame_finish(&f, &io, err);
    if (st) {
        ledger_free(&l->base);
        return st;
    }
    l->order = ledger_order_at(params.task_seed, l->base.done ? l->base.step - 1 : l->base.step);
    *out = &l->base;
    return STATUS_OK;
}
