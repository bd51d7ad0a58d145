/* rope_scaling.c - see rope_scaling.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/rope_scaling.h"

#include <math.h>

#define TWO_PI 6.283185307179586

int32_t rope_rotary_dim(const struct model_config *c)
{
    return c->rotary_dim ? c->rotary_dim : c->head_dim;
}

bool rope_has_window_table(const struct model_config *c)
{
    return c->window > 0 && c->window_rope_theta != 0;
}

static double original_positions(const struct model_config *c)
{
    return c->rope.original_positions ? c->rope.original_positions : c->max_position_embeddings;
}

/* Long waves are stretched by the factor, short ones are kept, those between are mixed. */
static double llama3_frequency(const struct model_config *c, double f)
{
    const struct rope_scaling *r = &c->rope;
    const double original = original_positions(c), wave = TWO_PI / f;
    double smooth;

    if (wave < original / r->high_freq_factor)
        return f;
    if (wave > original / r->low_freq_factor)
        return f / r->factor;
    smooth = (original / wave - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return (1 - smooth) * f / r->factor + smooth * f;
}

void rope_llama3_divisors(const struct model_config *c, float *out)
{
    const int32_t dim = rope_rotary_dim(c);

    for (int32_t i = 0; i < dim / 2; i++) {
        const double f = pow(c->rope_theta, -2.0 * i / dim);

        out[i] = (float)(f / llama3_frequency(c, f));
    }
}

/* The pair that turns `rotations` times over the original positions. */
static double yarn_pair(const struct model_config *c, double rotations)
{
    return rope_rotary_dim(c) * log(original_positions(c) / (rotations * TWO_PI)) /
           (2 * log(c->rope_theta));
}

static void yarn_frequencies(const struct model_config *c, double *frequency)
{
    const struct rope_scaling *r = &c->rope;
    const int32_t n = rope_rotary_dim(c) / 2;
    double low = yarn_pair(c, r->beta_fast > 0 ? r->beta_fast : 32);
    double high = yarn_pair(c, r->beta_slow > 0 ? r->beta_slow : 1);

    if (!r->no_truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, 2 * n - 1);
    if (low == high)
        high += 0.001;
    for (int32_t i = 0; i < n; i++) {
        const double ramp = fmin(fmax((i - low) / (high - low), 0), 1);

        frequency[i] = frequency[i] / r->factor * ramp + frequency[i] * (1 - ramp);
    }
}

static double yarn_scale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static double yarn_factor(const struct rope_scaling *r)
{
    if (r->mscale > 0 && r->mscale_all_dim > 0)
        return yarn_scale(r->factor, r->mscale) / yarn_scale(r->factor, r->mscale_all_dim);
    return yarn_scale(r->factor, 1);
}

static double longrope_factor(const struct model_config *c)
{
    const double original = original_positions(c);
    const double factor =
        c->rope.factor > 0 ? c->rope.factor : c->max_position_embeddings / original;

    return factor <= 1 ? 1 : sqrt(1 + log(factor) / log(original));
}

/* Those of longrope are a choice of the model and not of a text's length, so that a row's bits are
 * its own. Those of llama3 are rounded as a GGUF has them, so that it has the same bits. */
static const float *divisors_of(const struct model_config *c, float *space)
{
    if (c->rope.kind == ROPE_LLAMA3 && !c->rope.n_divisors) {
        rope_llama3_divisors(c, space);
        return space;
    }
    const bool is_long = c->rope.kind == ROPE_LONGROPE && !c->rope.short_context &&
                         c->max_position_embeddings > original_positions(c);

    return is_long ? c->rope.long_divisor : c->rope.divisor;
}

void rope_set_context(struct model_config *c, int32_t context)
{
    c->rope.short_context =
        c->rope.kind == ROPE_LONGROPE && context > 0 && context <= original_positions(c);
}

void rope_frequencies(const struct model_config *c, bool windowed, double *frequency,
                      double *factor)
{
    const struct rope_scaling *r = &c->rope;
    const int32_t dim = rope_rotary_dim(c), n = dim / 2;
    const bool own = windowed && rope_has_window_table(c);
    const double base = own ? c->window_rope_theta : c->rope_theta;
    const float *divisor;
    float space[ROPE_MAX_PAIRS];

    *factor = 1;
    for (int32_t i = 0; i < n; i++)
        frequency[i] = pow(base, -2.0 * i / dim);
    if (own)
        return;
    if (r->kind == ROPE_YARN)
        yarn_frequencies(c, frequency);
    if (r->kind == ROPE_LLAMA3 || r->n_divisors) {
        divisor = divisors_of(c, space);
        for (int32_t i = 0; i < n; i++)
            frequency[i] /= (double)divisor[i];
    }
    for (int32_t i = 0; i < n && r->kind == ROPE_LINEAR; i++)
        frequency[i] /= r->factor;
    if (r->attention_factor > 0)
        *factor = r->attention_factor;
    else if (r->kind == ROPE_YARN)
        *factor = yarn_factor(r);
    else if (r->kind == ROPE_LONGROPE)
        *factor = longrope_factor(c);
    *factor = (double)(float)*factor; /* as a GGUF has it */
}

static enum status bad(const char *name, const char *problem, struct error *err)
{
    return error_set(err, STATUS_INVALID, "%s: rotations: %s", name, problem);
}

static enum status check_divisors(const struct model_config *c, const char *name, struct error *err)
{
    const struct rope_scaling *r = &c->rope;
    const int32_t pairs = rope_rotary_dim(c) / 2;

    if (pairs > ROPE_MAX_PAIRS)
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s: rotations: divisors of %d pairs, but at most %d are supported", name,
                         pairs, ROPE_MAX_PAIRS);
    if (r->n_divisors != pairs)
        return error_set(err, STATUS_INVALID, "%s: rotations: %d divisors, but %d pairs rotate",
                         name, r->n_divisors, pairs);
    for (int32_t i = 0; i < pairs; i++)
        if (!(r->divisor[i] > 0 && r->divisor[i] <= 1e12f) ||
            (r->kind == ROPE_LONGROPE && !(r->long_divisor[i] > 0 && r->long_divisor[i] <= 1e12f)))
            return bad(name, "a divisor is not a number above 0", err);
    return STATUS_OK;
}

enum status rope_scaling_check(const struct model_config *c, const char *name, struct error *err)
{
    const struct rope_scaling *r = &c->rope;
    const bool needs_factor = r->kind == ROPE_LINEAR || r->kind == ROPE_DYNAMIC ||
                              r->kind == ROPE_YARN || (r->kind == ROPE_LLAMA3 && !r->n_divisors);

    if (r->original_positions < 0)
        return bad(name, "the original positions are negative", err);
    if (needs_factor && !(r->factor >= 1 && r->factor <= 1e6))
        return bad(name, "the factor is not between 1 and 1e6", err);
    if (r->factor != 0 && !(r->factor > 0 && r->factor <= 1e6))
        return bad(name, "the factor is not between 0 and 1e6", err);
    if (!(r->attention_factor >= 0 && r->attention_factor <= 1e3))
        return bad(name, "the attention factor is not between 0 and 1000", err);
    if (r->kind == ROPE_LONGROPE && original_positions(c) < 2)
        return bad(name, "the original positions are less than 2", err);
    if (r->n_divisors || r->kind == ROPE_LONGROPE)
        return check_divisors(c, name, err);
    if (r->kind == ROPE_LLAMA3 && rope_rotary_dim(c) / 2 > ROPE_MAX_PAIRS)
        return error_set(err, STATUS_UNSUPPORTED, "%s: rotations: llama3 of more than %d pairs",
                         name, ROPE_MAX_PAIRS);
    if (r->kind == ROPE_LLAMA3 &&
        !(r->low_freq_factor > 0 && r->high_freq_factor > r->low_freq_factor &&
          r->high_freq_factor <= 1e6))
        return bad(name, "llama3 needs 0 < low_freq_factor < high_freq_factor", err);
    if (r->kind == ROPE_YARN && !(original_positions(c) > 1 && r->beta_fast >= 0 &&
                                  r->beta_fast <= 1e6 && r->beta_slow >= 0 && r->beta_slow <= 1e6))
        return bad(name, "a beta of yarn is out of range", err);
    return STATUS_OK;
}
