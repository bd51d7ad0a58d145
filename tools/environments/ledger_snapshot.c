/* ledger_snapshot.c - the whole state of an episode as bytes, and back.
 *
 * Layout, little endian: magic "LDGR", version, then the fields in the order of visit(), then the
 * flags of the ended orders, then CRC-32C of all before. One list of fields serves both ways, so
 * that they cannot drift apart. Bytes read back are hostile: checksum first, then every bound.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/hash.h"
#include "tools/environments/ledger.h"

#define MAGIC   0x5247444cU
#define VERSION 1U

struct io {
    struct str *out;   /* writing when not NULL */
    const uint8_t *in; /* reading */
    size_t n, at;
    bool bad; /* ran out of bytes, or a value that its field cannot hold */
};

static uint64_t io_bits(struct io *io, uint64_t v, size_t n_bytes)
{
    uint8_t b[8];

    if (io->out) {
        for (size_t i = 0; i < n_bytes; i++)
            b[i] = (uint8_t)(v >> (8 * i));
        str_append(io->out, (const char *)b, n_bytes);
        return v;
    }
    if (io->n - io->at < n_bytes) {
        io->bad = true;
        return 0;
    }
    v = 0;
    for (size_t i = 0; i < n_bytes; i++)
        v |= (uint64_t)io->in[io->at + i] << (8 * i);
    io->at += n_bytes;
    return v;
}

static int32_t io_i32(struct io *io, int32_t v, int32_t min, int32_t max)
{
    int32_t got = (int32_t)(uint32_t)io_bits(io, (uint32_t)v, 4);

    if (got < min || got > max)
        io->bad = true;
    return got;
}

static void io_count(struct io *io, int32_t *v)
{
    *v = io_i32(io, *v, 0, INT32_MAX);
}

static void io_small(struct io *io, int8_t *v, int32_t min, int32_t max)
{
    *v = (int8_t)io_i32(io, *v, min, max);
}

static void io_bool(struct io *io, bool *v)
{
    *v = io_i32(io, *v, 0, 1) == 1;
}

static void io_values(struct io *io, uint8_t v[LEDGER_KEYS])
{
    for (int32_t k = 0; k < LEDGER_KEYS; k++)
        v[k] = (uint8_t)io_i32(io, v[k], 0, LEDGER_VALUES - 1);
}

static void visit_params(struct io *io, struct env_params *p)
{
    uint64_t noise;

    memcpy(&noise, &p->noise, sizeof(noise));
    p->horizon = io_i32(io, p->horizon, 1, LEDGER_MAX_HORIZON);
    noise = io_bits(io, noise, 8);
    memcpy(&p->noise, &noise, sizeof(noise));
    p->profile = (enum env_profile)io_i32(io, (int32_t)p->profile, ENV_STD, ENV_HARD);
    p->ablation =
        (enum env_ablation)io_i32(io, (int32_t)p->ablation, ENV_ABLATE_NONE, ENV_ABLATE_ALARM);
    p->task_seed = io_bits(io, p->task_seed, 8);
    p->fault_seed = io_bits(io, p->fault_seed, 8);
}

static void visit_step(struct io *io, struct ledger_step *s)
{
    s->calls = io_i32(io, s->calls, 0, LEDGER_MAX_CALLS + 1);
    for (int32_t t = 0; t < LEDGER_N_TOOLS; t++)
        s->tries[t] = io_i32(io, s->tries[t], 0, LEDGER_MAX_CALLS);
    io_bool(io, &s->fault);
    io_bool(io, &s->slip);
    io_bool(io, &s->wrote);
    io_small(io, &s->asked_key, -1, LEDGER_KEYS - 1);
    io_small(io, &s->asked_value, 0, LEDGER_VALUES - 1);
    s->pending = (uint8_t)io_i32(io, s->pending, LEDGER_NOTHING, LEDGER_MISMATCHED);
    io_small(io, &s->seen, -1, LEDGER_VALUES - 1);
    io_bool(io, &s->written);
    io_bool(io, &s->looked);
    io_bool(io, &s->refused);
}

static void visit_tally(struct io *io, struct env_verdict *v)
{
    io_count(io, &v->steps_right);
    io_count(io, &v->calls);
    io_count(io, &v->faults);
    io_count(io, &v->own_slips);
    io_count(io, &v->at_risk);
    io_count(io, &v->recovered);
    io_count(io, &v->mismatch_shown);
    io_count(io, &v->repaired);
    io_count(io, &v->match_shown);
    io_count(io, &v->false_alarms);
}

/* All but the parameters and the flags. The order follows from seed and step. */
static void visit_state(struct io *io, struct ledger *l)
{
    l->step = io_i32(io, l->step, 0, l->params.horizon);
    io_bool(io, &l->done);
    io_bool(io, &l->capped);
    io_values(io, l->account);
    io_values(io, l->start);
    io_values(io, l->want);
    visit_step(io, &l->now);
    visit_tally(io, &l->tally);
}

void ledger_snapshot(const struct env *e, struct str *out)
{
    struct ledger copy = *ledger_of_const(e); /* visit() reads through the same pointers it fills */
    struct io io = {.out = out};
    size_t from = out->len;

    (void)io_bits(&io, MAGIC, 4);
    (void)io_bits(&io, VERSION, 4);
    visit_params(&io, &copy.params);
    visit_state(&io, &copy);
    str_append(out, (const char *)copy.flags, (size_t)copy.step);
    if (str_ok(out))
        (void)io_bits(&io, crc32c(0, out->data + from, out->len - from), 4);
}

static enum status check_frame(const uint8_t *bytes, size_t n, struct error *err)
{
    struct io io = {.in = bytes, .n = n};
    uint64_t magic = io_bits(&io, 0, 4);
    uint64_t version = io_bits(&io, 0, 4);

    if (n < 12 || magic != MAGIC)
        return error_set(err, STATUS_CORRUPT, "not a snapshot of a ledger");
    if (version != VERSION)
        return error_set(err, STATUS_UNSUPPORTED,
                         "a ledger snapshot of version %u; this build reads version %u",
                         (unsigned)version, VERSION);
    io.at = n - 4;
    if (io_bits(&io, 0, 4) != crc32c(0, bytes, n - 4))
        return error_set(err, STATUS_CORRUPT, "a ledger snapshot whose checksum is wrong");
    return STATUS_OK;
}

enum status ledger_restore(const void *bytes, size_t n, struct env **out, struct error *err)
{
    struct io io = {.in = bytes, .n = n < 12 ? 0 : n - 4, .at = 8};
    struct env_params params = {0};
    struct ledger *l = NULL;
    enum status st = check_frame(bytes, n, err);

    if (st)
        return st;
    visit_params(&io, &params);
    if (io.bad || !(params.noise >= 0))
        return error_set(err, STATUS_CORRUPT, "a ledger snapshot with impossible parameters");
    st = ledger_alloc(&params, &l, err);
    if (st)
        return st;
    visit_state(&io, l);
    if (io.bad || io.n - io.at != (size_t)l->step || (!l->done && l->step == params.horizon)) {
        ledger_free((struct env *)(void *)l);
        return error_set(err, STATUS_CORRUPT, "a ledger snapshot with an impossible state");
    }
    memcpy(l->flags, (const uint8_t *)bytes + io.at, (size_t)l->step);
    l->order = ledger_order_at(params.task_seed, l->done ? l->step - 1 : l->step);
    *out = (struct env *)(void *)l;
    return STATUS_OK;
}
