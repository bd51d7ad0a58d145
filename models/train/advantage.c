/* advantage.c - from rewards of a group to advantages, by a named convention.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/advantage.h"

#include <math.h>
#include <string.h>

static const char *const names[ADVANTAGE_N] = {
    [ADVANTAGE_TRL] = "trl",         [ADVANTAGE_VERL] = "verl",
    [ADVANTAGE_NEMO_LOO] = "nemo",   [ADVANTAGE_TORCHTITAN] = "torchtitan",
    [ADVANTAGE_DR_GRPO] = "dr_grpo", [ADVANTAGE_RLOO] = "rloo",
    [ADVANTAGE_MAX_RL] = "max_rl",
};

const char *advantage_name(enum advantage_kind kind)
{
    return names[kind];
}

bool advantage_of_name(const char *name, enum advantage_kind *out)
{
    for (int i = 0; i < ADVANTAGE_N; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum advantage_kind)i;
            return true;
        }
    return false;
}

struct moments {
    int32_t n;
    double mean, squares; /* sum of squared deviations */
    double least, most;
};

/* Do the smallest and the largest differ by more than rounding? Equal rewards may differ in their
 * last bits when they were added up in a different order. */
static bool is_spread(double least, double most)
{
    if (!isfinite(most - least))
        return most > least; /* its gradient ends the run with an error */
    return most - least > ADVANTAGE_SAME * fmax(fabs(least), fabs(most));
}

/* Of all valid rewards except index `skip` (-1: none). Two passes, in order. For equal rewards the
 * deviation is exactly 0 and the mean is one of them, without rounding. */
static struct moments moments_of(const double *reward, int32_t n, int32_t skip)
{
    struct moments m = {.least = INFINITY, .most = -INFINITY};

    for (int32_t i = 0; i < n; i++)
        if (i != skip && !isnan(reward[i])) {
            m.mean += reward[i];
            m.least = fmin(m.least, reward[i]);
            m.most = fmax(m.most, reward[i]);
            m.n++;
        }
    if (m.n > 0)
        m.mean /= m.n;
    if (!is_spread(m.least, m.most)) {
        m.mean = m.n > 0 ? m.most : 0;
        return m;
    }
    for (int32_t i = 0; i < n; i++)
        if (i != skip && !isnan(reward[i]))
            m.squares += (reward[i] - m.mean) * (reward[i] - m.mean);
    return m;
}

static double sample_std(const struct moments *m)
{
    return m->n > 1 ? sqrt(m->squares / (m->n - 1)) : 0;
}

static double leave_one_out(const double *reward, int32_t n, int32_t i, int32_t n_all, bool divide)
{
    struct moments others = moments_of(reward, n, i);
    double centred = reward[i] - others.mean, std = sample_std(&others);

    /* A bound of n: rewards 0 and 1 never exceed sqrt(n). */
    return divide && std > fabs(centred) / n_all ? centred / (std + 1e-6) : centred;
}

/* Among rewards from 0 on the mean is the larger divisor: it is at least most / n. */
static double max_rl(double centred, const struct moments *m)
{
    return m->most > 0 ? centred / fmax(m->mean, (m->most - m->least) / m->n) : 0;
}

/* m, of the whole group, has spread. */
static double advantage_of(enum advantage_kind kind, const double *reward, int32_t n, int32_t i,
                           const struct moments *m)
{
    double centred = reward[i] - m->mean;

    switch (kind) {
    case ADVANTAGE_TRL:
        return centred / (sample_std(m) + 1e-4);
    case ADVANTAGE_VERL:
        return centred / (sample_std(m) + 1e-6);
    case ADVANTAGE_NEMO_LOO:
        return leave_one_out(reward, n, i, m->n, true);
    case ADVANTAGE_TORCHTITAN:
        return centred / (sqrt(m->squares / m->n) + 1e-6);
    case ADVANTAGE_RLOO:
        return leave_one_out(reward, n, i, m->n, false);
    case ADVANTAGE_MAX_RL:
        return max_rl(centred, m);
    default:
        return centred;
    }
}

void advantage_group(enum advantage_kind kind, const double *reward, int32_t n, double *out)
{
    struct moments all = moments_of(reward, n, -1);
    bool spread = is_spread(all.least, all.most);

    for (int32_t i = 0; i < n; i++)
        out[i] = spread && !isnan(reward[i]) ? advantage_of(kind, reward, n, i, &all) : 0;
}

bool advantage_has_spread(const double *reward, int32_t n)
{
    double least = INFINITY, most = -INFINITY;

    for (int32_t i = 0; i < n; i++)
        if (!isnan(reward[i])) {
            least = fmin(least, reward[i]);
            most = fmax(most, reward[i]);
        }
    return is_spread(least, most);
}

void advantage_scale_batch(double *advantage, const uint8_t *valid, int64_t n, double eps)
{
    double mean = 0, squares = 0;
    int64_t count = 0;

    for (int64_t i = 0; i < n; i++)
        if (valid[i]) {
            mean += advantage[i];
            count++;
        }
    if (count < 2)
        return;
    mean /= (double)count;
    for (int64_t i = 0; i < n; i++)
        if (valid[i])
            squares += (advantage[i] - mean) * (advantage[i] - mean);
    double scale = 1 / (sqrt(squares / (double)(count - 1)) + eps);
    for (int64_t i = 0; i < n; i++)
        advantage[i] *= scale;
}
