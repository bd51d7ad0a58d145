/* gguf_values.c - metadata as numbers, bools, texts and arrays; the names of types.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/formats/gguf_internal.h"
#include "runtime/base/memory.h"

static const struct {
    const char *name;
    size_t bytes;
} kinds[GGUF_KIND_N] = {
    [GGUF_U8] = {"uint8", 1},    [GGUF_I8] = {"int8", 1},    [GGUF_U16] = {"uint16", 2},
    [GGUF_I16] = {"int16", 2},   [GGUF_U32] = {"uint32", 4}, [GGUF_I32] = {"int32", 4},
    [GGUF_F32] = {"float32", 4}, [GGUF_BOOL] = {"bool", 1},  [GGUF_STRING] = {"string", 0},
    [GGUF_ARRAY] = {"array", 0}, [GGUF_U64] = {"uint64", 8}, [GGUF_I64] = {"int64", 8},
    [GGUF_F64] = {"float64", 8},
};

static const struct gguf_type types[] = {
#define GGUF_TYPE(number, name, block, bytes, dtype) {number, name, block, bytes, dtype},
#include "models/formats/gguf_types.def"
#undef GGUF_TYPE
};

const char *gguf_kind_name(enum gguf_kind kind)
{
    return kinds[kind].name;
}

size_t gguf_kind_bytes(enum gguf_kind kind)
{
    return kinds[kind].bytes;
}

const struct gguf_type *gguf_type_at(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].number == number)
            return &types[i];
    return NULL;
}

const struct gguf_type *gguf_type_of(enum dtype dtype)
{
    size_t i = 0;

    assert(dtype < DTYPE_N);
    while (types[i].dtype != dtype) /* every dtype is in the list: test_gguf.c */
        i++;
    return &types[i];
}

uint64_t gguf_load(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = n; i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

int64_t gguf_int_at(const struct gguf_value *v, uint64_t i)
{
    const size_t n = gguf_kind_bytes(v->element);
    const uint64_t u = gguf_load(v->data + (size_t)i * n, n);

    switch (v->element) {
    case GGUF_I8:
        return (int8_t)u;
    case GGUF_I16:
        return (int16_t)u;
    case GGUF_I32:
        return (int32_t)u;
    case GGUF_I64:
        return (int64_t)u;
    default:
        return u > INT64_MAX ? INT64_MAX : (int64_t)u;
    }
}

double gguf_real_at(const struct gguf_value *v, uint64_t i)
{
    const uint8_t *p = v->data + (size_t)i * gguf_kind_bytes(v->element);
    uint64_t wide = gguf_load(p, gguf_kind_bytes(v->element));
    uint32_t narrow = (uint32_t)wide;
    double d;
    float f;

    if (v->element == GGUF_F64) {
        memcpy(&d, &wide, sizeof(d));
        return d;
    }
    memcpy(&f, &narrow, sizeof(f));
    return (double)f;
}

bool gguf_next_text(const struct gguf_value *v, size_t *at, const char **text, size_t *n)
{
    if (v->element != GGUF_STRING || *at >= v->bytes)
        return false;
    *n = (size_t)gguf_load(v->data + *at, 8); /* checked by gguf_read.c */
    *text = (const char *)v->data + *at + 8;
    *at += 8 + *n;
    return true;
}

static bool is_int(enum gguf_kind kind)
{
    return kind != GGUF_STRING && kind != GGUF_ARRAY && kind != GGUF_F32 && kind != GGUF_F64 &&
           kind != GGUF_BOOL;
}

const struct gguf_value *gguf_find(const struct gguf *g, const char *key)
{
    return map_get(g->file[0].by_key, key);
}

static enum status require(const struct gguf *g, const char *key, const struct gguf_value **out,
                           struct error *err)
{
    *out = gguf_find(g, key);
    if (*out)
        return STATUS_OK;
    return error_set(err, STATUS_NOT_FOUND, "%s: the key \"%s\" is missing", gguf_name(g), key);
}

static enum status wrong_kind(const struct gguf *g, const struct gguf_value *v, const char *want,
                              struct error *err)
{
    return error_set(err, STATUS_INVALID, "%s: \"%s\": is %s%s, but must be %s", gguf_name(g),
                     v->key, v->kind == GGUF_ARRAY ? "an array of " : "",
                     gguf_kind_name(v->element), want);
}

enum status gguf_get_int(const struct gguf *g, const char *key, int64_t min, int64_t max,
                         int64_t *out, struct error *err)
{
    const struct gguf_value *v;
    int64_t i;
    enum status st = require(g, key, &v, err);

    if (st)
        return st;
    if (!is_int(v->kind))
        return wrong_kind(g, v, "an integer", err);
    i = gguf_int_at(v, 0);
    if (i < min || i > max)
        return error_set(err, STATUS_INVALID, "%s: \"%s\": %lld is not between %lld and %lld",
                         gguf_name(g), key, (long long)i, (long long)min, (long long)max);
    *out = i;
    return STATUS_OK;
}

enum status gguf_get_real(const struct gguf *g, const char *key, double *out, struct error *err)
{
    const struct gguf_value *v;
    enum status st = require(g, key, &v, err);

    if (st)
        return st;
    if (v->kind != GGUF_F32 && v->kind != GGUF_F64)
        return wrong_kind(g, v, "a float32 or float64", err);
    if (!isfinite(gguf_real_at(v, 0)))
        return error_set(err, STATUS_INVALID, "%s: \"%s\": must be a finite number", gguf_name(g),
                         key);
    *out = gguf_real_at(v, 0);
    return STATUS_OK;
}

enum status gguf_get_bool(const struct gguf *g, const char *key, bool *out, struct error *err)
{
    const struct gguf_value *v;
    enum status st = require(g, key, &v, err);

    if (st)
        return st;
    if (v->kind != GGUF_BOOL)
        return wrong_kind(g, v, "a bool", err);
    *out = v->data[0] != 0;
    return STATUS_OK;
}

enum status gguf_get_text(const struct gguf *g, const char *key, const char **text, size_t *n,
                          struct error *err)
{
    const struct gguf_value *v;
    size_t at = 0;
    enum status st = require(g, key, &v, err);

    if (st)
        return st;
    if (v->kind != GGUF_STRING)
        return wrong_kind(g, v, "a string", err);
    (void)gguf_next_text(v, &at, text, n);
    return STATUS_OK;
}

enum status gguf_get_array(const struct gguf *g, const char *key, enum gguf_kind element,
                           const struct gguf_value **out, struct error *err)
{
    const struct gguf_value *v;
    enum status st = require(g, key, &v, err);

    if (st)
        return st;
    if (v->kind != GGUF_ARRAY || v->element != element) {
        char want[48];

        (void)snprintf(want, sizeof(want), "an array of %s", gguf_kind_name(element));
        return wrong_kind(g, v, want, err);
    }
    *out = v;
    return STATUS_OK;
}
