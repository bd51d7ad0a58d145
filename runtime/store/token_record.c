/* token_record.c - the packed tokens of a model call.
 *
 * Layout, version 1: one byte version, one byte flags, then in the order of the writer
 * below: varints (LEB128; signed ones zigzag), strings as length and bytes, token ids as
 * varints, floats as 4 little-endian bytes. Every length is checked against
 * the bytes that are left before anything is reserved for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/token_record.h"

#include <string.h>

#include "runtime/base/memory.h"

#define RECORD_VERSION 1

enum record_flag {
    HAS_PATH = 1,
    HAS_PARENT = 2,
    HAS_SAMPLED = 4,
    HAS_BACKEND = 8,
    FLAGS_KNOWN = 15,
};

static void put_varint(struct str *out, uint64_t v)
{
    unsigned char b[10];
    size_t n = 0;

    while (v >= 0x80) {
        b[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    b[n++] = (unsigned char)v;
    str_append(out, (const char *)b, n);
}

static void put_signed(struct str *out, int64_t v)
{
    put_varint(out, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void put_string(struct str *out, const char *s)
{
    size_t n = strlen(s);

    put_varint(out, n);
    str_append(out, s, n);
}

static void put_u32(unsigned char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(v >> 8 * i);
}

static void put_floats(struct str *out, const float *v, int32_t n)
{
    unsigned char block[64 * 4];

    for (int32_t i = 0; i < n;) {
        size_t k = 0;

        for (; i < n && k < sizeof(block); i++, k += 4) {
            uint32_t bits;

            memcpy(&bits, &v[i], sizeof(bits));
            put_u32(block + k, bits);
        }
        str_append(out, (const char *)block, k);
    }
}

static void put_ids(struct str *out, const int32_t *ids, int32_t n)
{
    put_varint(out, (uint64_t)n);
    for (int32_t i = 0; i < n; i++)
        put_varint(out, (uint32_t)ids[i]);
}

void token_record_pack(const struct token_record *t, struct str *out)
{
    float sampling[4] = {t->temperature, t->top_p, t->min_p, t->repetition_penalty};

    str_putc(out, RECORD_VERSION);
    str_putc(out, (char)((t->path ? HAS_PATH : 0) | (t->parent ? HAS_PARENT : 0) |
                         (t->logp_sampled ? HAS_SAMPLED : 0) | (t->backend ? HAS_BACKEND : 0)));
    if (t->path)
        put_string(out, t->path);
    put_signed(out, t->attempt);
    if (t->parent)
        put_string(out, t->parent);
    if (t->backend)
        put_string(out, t->backend);
    put_signed(out, t->prefix_len);
    put_signed(out, t->policy_version);
    put_varint(out, t->seed);
    put_varint(out, t->call_id);
    put_floats(out, sampling, 4);
    put_signed(out, t->top_k);
    put_signed(out, t->finish);
    put_ids(out, t->delta, t->n_delta);
    put_ids(out, t->ids, t->n_ids);
    put_floats(out, t->logp, t->n_ids);
    if (t->logp_sampled)
        put_floats(out, t->logp_sampled, t->n_ids);
}

/* What is left to read; `bad` is kept once it is set, and everything reads as 0 then. */
struct reader {
    const unsigned char *at, *end;
    struct arena *arena;
    bool bad;
};

static uint64_t get_varint(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char b;

        if (r->at == r->end)
            break;
        b = *r->at++;
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    r->bad = true;
    r->at = r->end;
    return 0;
}

static int64_t get_signed(struct reader *r)
{
    uint64_t v = get_varint(r);

    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static int32_t get_i32(struct reader *r)
{
    int64_t v = get_signed(r);

    if (v < INT32_MIN || v > INT32_MAX)
        r->bad = true;
    return r->bad ? 0 : (int32_t)v;
}

/* A count of things that take at least `each` bytes. */
static size_t get_count(struct reader *r, size_t each)
{
    uint64_t n = get_varint(r);

    if (n > (uint64_t)(r->end - r->at) / each || n > INT32_MAX)
        r->bad = true;
    return r->bad ? 0 : (size_t)n;
}

static const char *get_string(struct reader *r)
{
    size_t n = get_count(r, 1);
    const char *s;

    if (r->bad || memchr(r->at, 0, n)) {
        r->bad = true;
        return NULL;
    }
    s = arena_strndup(r->arena, (const char *)r->at, n);
    r->at += n;
    return s;
}

static const float *get_floats(struct reader *r, size_t n)
{
    float *v;

    if (r->bad || n > (size_t)(r->end - r->at) / 4) {
        r->bad = true;
        return NULL;
    }
    v = arena_alloc(r->arena, (n ? n : 1) * sizeof(*v));
    for (size_t i = 0; i < n; i++, r->at += 4) {
        uint32_t bits = (uint32_t)r->at[0] | (uint32_t)r->at[1] << 8 | (uint32_t)r->at[2] << 16 |
                        (uint32_t)r->at[3] << 24;

        memcpy(&v[i], &bits, sizeof(bits));
    }
    return v;
}

static const int32_t *get_ids(struct reader *r, int32_t *n_out)
{
    size_t n = get_count(r, 1);
    int32_t *ids = arena_alloc(r->arena, (n ? n : 1) * sizeof(*ids));

    for (size_t i = 0; i < n && !r->bad; i++) {
        uint64_t id = get_varint(r);

        if (id > INT32_MAX)
            r->bad = true;
        ids[i] = r->bad ? 0 : (int32_t)id;
    }
    *n_out = (int32_t)n;
    return ids;
}

static void get_head(struct reader *r, unsigned flags, struct token_record *t)
{
    const float *sampling;

    t->path = flags & HAS_PATH ? get_string(r) : NULL;
    t->attempt = get_i32(r);
    t->parent = flags & HAS_PARENT ? get_string(r) : NULL;
    t->backend = flags & HAS_BACKEND ? get_string(r) : NULL;
    t->prefix_len = get_i32(r);
    t->policy_version = get_signed(r);
    t->seed = get_varint(r);
    t->call_id = get_varint(r);
    sampling = get_floats(r, 4);
    if (sampling) {
        t->temperature = sampling[0];
        t->top_p = sampling[1];
        t->min_p = sampling[2];
        t->repetition_penalty = sampling[3];
    }
    t->top_k = get_i32(r);
    t->finish = get_i32(r);
}

enum status token_record_unpack(const void *bytes, size_t n, struct arena *a,
                                struct token_record *out, struct error *err)
{
    struct reader r = {.at = bytes, .end = (const unsigned char *)bytes + n, .arena = a};
    struct token_record t = {.path = NULL};
    unsigned flags;

    if (n < 2 || r.at[0] != RECORD_VERSION || r.at[1] & ~FLAGS_KNOWN)
        return error_set(err, STATUS_CORRUPT, "a token record has an unknown format");
    flags = r.at[1];
    r.at += 2;
    get_head(&r, flags, &t);
    t.delta = get_ids(&r, &t.n_delta);
    t.ids = get_ids(&r, &t.n_ids);
    t.logp = get_floats(&r, (size_t)t.n_ids);
    if (flags & HAS_SAMPLED)
        t.logp_sampled = get_floats(&r, (size_t)t.n_ids);
    if (r.bad || r.at != r.end)
        return error_set(err, STATUS_CORRUPT, "a token record is cut off or damaged");
    *out = t;
    return STATUS_OK;
}
