/* learning.c - see learning.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/learning.h"

#include <math.h>

enum status learning_check(const struct learning *l, struct error *err)
{
    const struct optimizer_step *s = &l->step;

    if (!(s->lr > 0) || !(l->lr_min >= 0) || l->lr_min > s->lr || l->warmup < 0)
        return error_set(err, STATUS_USAGE,
                         "lr must be above 0, lr_min from 0 to lr, warmup at least 0");
    if (!(s->beta1 >= 0 && s->beta1 < 1) || !(s->beta2 >= 0 && s->beta2 < 1) || !(s->eps > 0))
        return error_set(err, STATUS_USAGE, "beta1 and beta2 must be in [0, 1), eps above 0");
    if (!(s->weight_decay >= 0) || !(s->clip >= 0))
        return error_set(err, STATUS_USAGE, "weight_decay and clip must be at least 0");
    return STATUS_OK;
}

void learning_fix(const struct learning *l, struct fixed_options *f)
{
    fixed_put(f, "lr", "learning rate (--lr)", jv_real(l->step.lr));
    fixed_put(f, "lr_min", "final learning rate (--lr-min)", jv_real(l->lr_min));
    fixed_put(f, "warmup", "warm-up (--warmup)", jv_int(l->warmup));
    fixed_put(f, "beta1", "AdamW beta1 (--beta1)", jv_real(l->step.beta1));
    fixed_put(f, "beta2", "AdamW beta2 (--beta2)", jv_real(l->step.beta2));
    fixed_put(f, "eps", "AdamW epsilon", jv_real(l->step.eps));
    fixed_put(f, "weight_decay", "weight decay (--weight-decay)", jv_real(l->step.weight_decay));
    fixed_put(f, "clip", "gradient clipping (--clip)", jv_real(l->step.clip));
}

enum status learning_schedule(const struct learning *l, const char *out, int64_t *schedule,
                              struct error *err)
{
    return l->continues ? fixed_schedule(out, schedule, err) : STATUS_OK;
}

/* Linear from lr/warmup to lr, then half a cosine to lr_min (Loshchilov and Hutter 2017). */
double learning_rate(const struct learning *l, int64_t update, int64_t schedule, int64_t end)
{
    const double lr = l->step.lr;
    double at;

    if (update >= schedule)
        return l->lr_min;
    if (update < l->warmup)
        return lr * (double)(update + 1) / (double)l->warmup;
    if (end <= l->warmup)
        return lr;
    at = (double)(update - l->warmup) / (double)(end - l->warmup);
    return l->lr_min + 0.5 * (lr - l->lr_min) * (1.0 + cos(3.14159265358979323846 * at));
}
