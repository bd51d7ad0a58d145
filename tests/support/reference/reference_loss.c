/* reference_loss.c - log-sum-exp of logits and its gradient, and the optimiser.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "tests/support/reference/reference.h"

static double factor(const float *inv_temperature, int32_t r)
{
    return inv_temperature ? (double)inv_temperature[r] : 1;
}

void reference_logsumexp(const struct lane *l, const float *logits, int64_t ld, int32_t R,
                         int32_t V, const float *inv_temperature, float *lse)
{
    for (int32_t r = 0; r < R; r++) {
        float max = -INFINITY, sum = 0;
        const float *t = inv_temperature ? inv_temperature + r : NULL;

        reference_logsumexp_part(l, logits + r * ld, ld, 1, V, t, &max, &sum);
        reference_logsumexp_end(l, 1, &max, &sum, lse + r);
    }
}

/* (max, sum) is max + log(sum); both are raised to the new maximum. */
void reference_logsumexp_part(const struct lane *l, const float *logits, int64_t ld, int32_t R,
                              int32_t n, const float *inv_temperature, float *max, float *sum)
{
    (void)l;
    for (int32_t r = 0; r < R; r++) {
        double most = (double)max[r], all;

        for (int32_t i = 0; i < n; i++)
            most = fmax(most, (double)logits[r * ld + i] * factor(inv_temperature, r));
        all = (double)sum[r] * exp((double)max[r] - most);
        for (int32_t i = 0; i < n; i++)
            all += exp((double)logits[r * ld + i] * factor(inv_temperature, r) - most);
        max[r] = (float)most;
        sum[r] = (float)all;
    }
}

void reference_logsumexp_end(const struct lane *l, int32_t R, const float *max, const float *sum,
                             float *lse)
{
    (void)l;
    for (int32_t r = 0; r < R; r++)
        lse[r] = (float)((double)max[r] + log((double)sum[r]));
}

void reference_softmax_grad(const struct lane *l, float *logits, int64_t ld, int32_t R, int32_t v0,
                            int32_t n, const int32_t *target, const float *inv_temperature,
                            const float *lse, const float *coef)
{
    (void)l;
    for (int32_t r = 0; r < R; r++)
        for (int32_t i = 0; i < n; i++) {
            double t = factor(inv_temperature, r);
            double p = exp((double)logits[r * ld + i] * t - (double)lse[r]);

            p -= v0 + i == target[r] ? 1 : 0;
            logits[r * ld + i] = (float)((double)coef[r] * t * p);
        }
}

void reference_add(const struct lane *l, const float *x, int64_t n, float *y)
{
    (void)l;
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

void reference_sum_squares(const struct lane *l, const float *x, int64_t n, double *sum)
{
    (void)l;
    *sum = 0;
    for (int64_t i = 0; i < n; i++)
        *sum += (double)x[i] * (double)x[i];
}

void reference_adamw(const struct lane *l, const struct adamw_step *s, int64_t n, const float *grad,
                     float *m, float *v, float *w)
{
    (void)l;
    for (int64_t i = 0; i < n; i++) {
        double g = (double)grad[i] * (double)s->grad_scale;
        double mi = (double)s->beta1 * (double)m[i] + (1 - (double)s->beta1) * g;
        double vi = (double)s->beta2 * (double)v[i] + (1 - (double)s->beta2) * g * g;
        double step = mi / (double)s->bias1 / (sqrt(vi / (double)s->bias2) + (double)s->eps);

        m[i] = (float)mi;
        v[i] = (float)vi;
        w[i] -= (float)((double)s->lr * (step + (double)s->weight_decay * (double)w[i]));
    }
}
