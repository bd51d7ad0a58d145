/* app_mix.h - one environment or several: `--env ledger,courier`, their kinds of faults, and the
 * schedules of noise and horizon. Used by `train sft` and `train grpo`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MIX_H
#define TROUPE_RUNTIME_APP_APP_MIX_H

#include "agents/curriculum.h"
#include "runtime/app/app.h"
#include "tools/environments/environment.h"

struct app_mix {
    const struct env_ops *env[CURRICULUM_MAX_TASKS];
    uint32_t faults[CURRICULUM_MAX_TASKS]; /* kinds that occur; 0: all */
    int32_t n;
};

/* "ledger,courier": no duplicates. */
MUST_CHECK enum status app_mix_read(const char *names, struct app_mix *out, struct error *err);
/* --faults: each kind must belong to an environment; an environment with none of them keeps all its
 * kinds. */
MUST_CHECK enum status app_mix_faults(struct app_mix *m, const char *words, struct error *err);
/* Tokens of the longest step in the compact codec, without and with a reply. */
int32_t app_mix_context(const struct app_mix *m);
int32_t app_mix_chain(const struct app_mix *m);

/* --noise-schedule and --horizon-schedule as one list of phases. Noise is one schedule for all, or
 * ENV=SCHEDULE parts separated by semicolons; a part without a name is for the others. */
MUST_CHECK enum status app_mix_phases(const struct app_mix *m, const struct options *o,
                                      struct curriculum *out, struct error *err);

#endif
