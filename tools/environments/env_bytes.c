/* env_bytes.c - writes and reads the fields of an episode with bounds; frames with a checksum.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/environments/env_bytes.h"

#include <string.h>

#include "runtime/base/hash.h"

#define FRAME_BYTES 12 /* magic, version, checksum */
#define PROFILES    (ENV_HARD + 1)

uint64_t env_bytes_bits(struct env_bytes *io, uint64_t v, size_t n_bytes)
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

int32_t env_bytes_i32(struct env_bytes *io, int32_t v, int32_t min, int32_t max)
{
    int32_t got = (int32_t)(uint32_t)env_bytes_bits(io, (uint32_t)v, 4);

    if (got >= min && got <= max)
        return got;
    io->bad = true;
    return min;
}

static void env_bytes_count(struct env_bytes *io, int32_t *v)
{
    *v = env_bytes_i32(io, *v, 0, INT32_MAX);
}

void env_bytes_i8(struct env_bytes *io, int8_t *v, int32_t min, int32_t max)
{
    *v = (int8_t)env_bytes_i32(io, *v, min, max);
}

void env_bytes_u8(struct env_bytes *io, uint8_t *v, int32_t max)
{
    *v = (uint8_t)env_bytes_i32(io, *v, 0, max);
}

void env_bytes_bool(struct env_bytes *io, bool *v)
{
    *v = env_bytes_i32(io, *v, 0, 1) == 1;
}

void env_bytes_block(struct env_bytes *io, uint8_t *v, size_t n, int32_t max)
{
    if (io->out) {
        str_append(io->out, (const char *)v, n);
        return;
    }
    if (io->n - io->at < n) {
        io->bad = true;
        return;
    }
    memcpy(v, io->in + io->at, n);
    io->at += n;
    for (size_t i = 0; i < n; i++) {
        if (v[i] > max) {
            io->bad = true;
            v[i] = 0;
        }
    }
}

void env_bytes_params(struct env_bytes *io, struct env_params *p)
{
    uint64_t noise;
    int32_t both;

    memcpy(&noise, &p->noise, sizeof(noise));
    p->horizon = env_bytes_i32(io, p->horizon, 1, ENV_MAX_HORIZON);
    noise = env_bytes_bits(io, noise, 8);
    memcpy(&p->noise, &noise, sizeof(noise));
    /* Two values in one field: compatible with snapshots from before --faults. */
    both = env_bytes_i32(io, (int32_t)p->profile + PROFILES * (int32_t)p->faults, 0, INT32_MAX);
    p->profile = (enum env_profile)(both % PROFILES);
    p->faults = (uint32_t)(both / PROFILES);
    p->ablation = (enum env_ablation)env_bytes_i32(io, (int32_t)p->ablation, ENV_ABLATE_NONE,
                                                   ENV_ABLATIONS - 1);
    p->task_seed = env_bytes_bits(io, p->task_seed, 8);
    p->fault_seed = env_bytes_bits(io, p->fault_seed, 8);
}

static void visit_tally(struct env_bytes *io, struct env_verdict *v)
{
#define COUNTER(name) env_bytes_count(io, &v->name);
#include "tools/environments/counters.def"
#undef COUNTER
    env_bytes_bool(io, &v->capped);
    env_bytes_bool(io, &v->over_budget);
}

void env_bytes_core(struct env_bytes *io, struct env *e, int32_t cap)
{
    e->step = env_bytes_i32(io, e->step, 0, e->params.horizon);
    env_bytes_bool(io, &e->done);
    if (!e->done && e->step == e->params.horizon)
        io->bad = true;
    e->step_calls = env_bytes_i32(io, e->step_calls, 0, cap + 1);
    env_bytes_bool(io, &e->fault);
    env_bytes_bool(io, &e->slip);
    env_bytes_bool(io, &e->carried);
    env_bytes_u8(io, &e->pending, ENV_MISMATCHED);
    visit_tally(io, &e->tally);
    env_bytes_block(io, e->flags, (size_t)e->step,
                    ENV_STEP_RIGHT | ENV_STEP_FAULTY | ENV_STEP_SLIPPED);
}

size_t env_frame_begin(struct str *out, uint32_t magic, uint32_t version)
{
    struct env_bytes io = {.out = out};
    size_t from = out->len;

    (void)env_bytes_bits(&io, magic, 4);
    (void)env_bytes_bits(&io, version, 4);
    return from;
}

void env_frame_end(struct str *out, size_t from)
{
    struct env_bytes io = {.out = out};

    if (str_ok(out))
        (void)env_bytes_bits(&io, crc32c(0, out->data + from, out->len - from), 4);
}

enum status env_frame_open(const struct env_frame *f, const void *bytes, size_t n,
                           struct env_bytes *io, struct env_params *params, struct error *err)
{
    uint64_t magic, version;

    *io = (struct env_bytes){.in = bytes, .n = n};
    magic = env_bytes_bits(io, 0, 4);
    version = env_bytes_bits(io, 0, 4);
    if (n < FRAME_BYTES || magic != f->magic)
        return error_set(err, STATUS_CORRUPT, "not a snapshot of the environment %s", f->name);
    if (version != f->version)
        return error_set(err, STATUS_UNSUPPORTED,
                         "the snapshot of %s has version %u; this build reads version %u", f->name,
                         (unsigned)version, f->version);
    io->at = n - 4;
    if (env_bytes_bits(io, 0, 4) != crc32c(0, bytes, n - 4))
        return error_set(err, STATUS_CORRUPT, "the snapshot of %s has a wrong checksum", f->name);
    io->n = n - 4;
    io->at = 8;
    *params = (struct env_params){0};
    env_bytes_params(io, params);
    if (io->bad || !(params->noise >= 0))
        return error_set(err, STATUS_CORRUPT, "the snapshot of %s has impossible parameters",
                         f->name);
    return STATUS_OK;
}

enum status env_frame_finish(const struct env_frame *f, const struct env_bytes *io,
                             struct error *err)
{
    if (io->bad || io->at != io->n)
        return error_set(err, STATUS_CORRUPT, "the snapshot of %s has an impossible state",
                         f->name);
    return STATUS_OK;
}

void env_anchor_of(struct env_bytes *io, uint8_t hash[16])
{
    struct sha256 h = sha256_of(str_cstr(io->out), io->out->len);

    memcpy(hash, h.byte, 16);
    str_deinit(io->out);
}
