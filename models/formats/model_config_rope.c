/* model_config_rope.c - the rotations of a config.json.
 *
 * transformers 4 has rope_theta and rope_scaling, 5 has rope_parameters, which models with two
 * kinds of layers nest: {"full_attention": {...}, "sliding_attention": {...}}. The type is
 * "rope_type", before 4.45 "type". SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <string.h>

#include "models/formats/model_config_impl.h"
#include "models/formats/model_family.h"
#include "runtime/base/memory.h"

static double number_of(struct config_reader *r, const struct json *rope, const char *key)
{
    return config_number(r, jv_get(rope, key), key, 0, 1e12, 0);
}

static enum rope_kind kind_of(struct config_reader *r, const struct model_config *c,
                              const struct json *rope, const char *place)
{
    static const struct {
        const char *name;
        enum rope_kind kind;
    } kinds[] = {{"default", ROPE_DEFAULT}, {"linear", ROPE_LINEAR}, {"dynamic", ROPE_DYNAMIC},
                 {"llama3", ROPE_LLAMA3},   {"yarn", ROPE_YARN},     {"longrope", ROPE_LONGROPE},
                 {"su", ROPE_LONGROPE}};
    const struct json *type = jv_get(rope, "rope_type");
    const char *text;

    if (config_null(type))
        type = jv_get(rope, "type");
    text = jv_get_string(type, config_null(type) ? "default" : "");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(text, kinds[i].name) == 0)
            /* Early Phi-3 folders call it yarn. */
            return kinds[i].kind == ROPE_YARN && strcmp(c->model_type, "phi3") == 0 ? ROPE_LONGROPE
                                                                                    : kinds[i].kind;
    if (r->st == STATUS_OK)
        r->st =
            error_set(r->err, STATUS_UNSUPPORTED,
                      "%s: \"%s\": type \"%s\" is not supported, only default, linear, dynamic, "
                      "llama3, yarn and longrope",
                      r->name, place, text);
    return ROPE_DEFAULT;
}

static int32_t read_divisors(struct config_reader *r, const struct json *rope, const char *key,
                             float *out)
{
    const struct json *list = jv_get(rope, key);
    const size_t n = jv_size(list);

    if (jv_kind(list) != JV_ARRAY || n == 0 || n > ROPE_MAX_PAIRS) {
        config_fault(r, STATUS_INVALID, key, "must be a list of a number for each pair");
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (float)config_number(r, jv_at(list, i), key, 0, 1e12, 0);
    return (int32_t)n;
}

/* In the object, or beside it as in Phi-3. */
static int32_t read_original(struct config_reader *r, const struct json *rope)
{
    static const char key[] = "original_max_position_embeddings";
    const struct json *v = jv_get(rope, key);
    double d;

    if (config_null(v))
        v = jv_get(r->root, key);
    d = config_number(r, v, key, 0, MAX_POSITIONS, 0);
    if (d != floor(d))
        config_fault(r, STATUS_INVALID, key, "must be an integer");
    return (int32_t)d;
}

static void read_partial(struct config_reader *r, const struct json *rope, struct model_config *c)
{
    const struct json *v = jv_get(rope, "partial_rotary_factor");
    const double part = config_number(r, v, "partial_rotary_factor", 0, 1, 1);
    const int32_t dim = (int32_t)((double)c->head_dim * part);

    if (!config_null(v) && dim < c->head_dim)
        c->rotary_dim = dim;
}

static void read_scaling(struct config_reader *r, const struct json *rope, const char *place,
                         struct model_config *c)
{
    struct rope_scaling *s = &c->rope;
    const struct json *truncate = jv_get(rope, "truncate");

    *s = (struct rope_scaling){.kind = kind_of(r, c, rope, place)};
    if (s->kind == ROPE_DEFAULT)
        return;
    s->factor = number_of(r, rope, "factor");
    if (s->kind == ROPE_LINEAR || s->kind == ROPE_DYNAMIC)
        return;
    s->attention_factor = s->kind == ROPE_LLAMA3 ? 0 : number_of(r, rope, "attention_factor");
    s->original_positions = read_original(r, rope);
    if (s->kind == ROPE_LLAMA3) {
        s->low_freq_factor = number_of(r, rope, "low_freq_factor");
        s->high_freq_factor = number_of(r, rope, "high_freq_factor");
    } else if (s->kind == ROPE_YARN) {
        s->beta_fast = number_of(r, rope, "beta_fast");
        s->beta_slow = number_of(r, rope, "beta_slow");
        s->mscale = number_of(r, rope, "mscale");
        s->mscale_all_dim = number_of(r, rope, "mscale_all_dim");
        s->no_truncate = jv_kind(truncate) == JV_BOOL && !jv_get_bool(truncate, true);
    } else {
        s->n_divisors = read_divisors(r, rope, "short_factor", s->divisor);
        if (read_divisors(r, rope, "long_factor", s->long_divisor) != s->n_divisors)
            config_fault(r, STATUS_INVALID, "long_factor", "is as long as short_factor");
    }
}

/* One of the two spellings; what it does not give stays. */
static void read_place(struct config_reader *r, const struct json *rope, const char *place,
                       struct model_config *c)
{
    const struct json *windowed = jv_get(rope, "sliding_attention");

    if (config_null(rope))
        return;
    if (jv_kind(rope) != JV_OBJECT) {
        config_fault(r, STATUS_INVALID, place, "must be an object");
        return;
    }
    if (jv_kind(jv_get(rope, "full_attention")) == JV_OBJECT) {
        if (jv_kind(windowed) == JV_OBJECT) {
            c->window_rope_theta = config_number(r, jv_get(windowed, "rope_theta"), "rope_theta", 1,
                                                 1e12, c->window_rope_theta);
            if (kind_of(r, c, windowed, place) != ROPE_DEFAULT)
                config_fault(r, STATUS_UNSUPPORTED, place,
                             "scaled rotations of layers with a window are not supported");
        }
        rope = jv_get(rope, "full_attention");
    }
    c->rope_theta =
        config_number(r, jv_get(rope, "rope_theta"), "rope_theta", 1, 1e12, c->rope_theta);
    read_partial(r, rope, c);
    read_scaling(r, rope, place, c);
}

void config_rope(struct config_reader *r, struct model_config *c)
{
    const bool gemma3 = strcmp(c->model_type, "gemma3_text") == 0;

    c->rope_theta = config_number(r, jv_get(r->root, "rope_theta"), "rope_theta", 1, 1e12,
                                  gemma3 ? 1e6 : 10000);
    if (gemma3)
        c->window_rope_theta = config_number(r, jv_get(r->root, "rope_local_base_freq"),
                                             "rope_local_base_freq", 1, 1e12, 10000);
    read_partial(r, r->root, c);
    read_place(r, jv_get(r->root, "rope_scaling"), "rope_scaling", c);
    read_place(r, jv_get(r->root, "rope_parameters"), "rope_parameters", c);
    if (c->window == 0)
        c->window_rope_theta = 0;
}
