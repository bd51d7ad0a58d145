/* app_grpo.h - a GRPO training from the command line: engine, rollouts, validation.
 * Used by `train grpo` and `train replay`. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_GRPO_H
#define TROUPE_RUNTIME_APP_APP_GRPO_H

#include "models/engine/engine.h"
#include "models/formats/tokenizer.h"
#include "models/train/grpo.h"
#include "runtime/app/app_budget.h"
#include "runtime/app/app_mix.h"

struct grpo_job {
    struct app *app;
    const char *model;  /* --model */
    struct app_mix mix; /* the environments of training and validation */
    struct curriculum curriculum;
    struct str task; /* the same as text, which a resumed training must match */
    struct tokenizer *tokenizer;
    char tokenizer_hash[65];
    struct weights *start;
    struct engine *engine; /* used for this training alone */
    struct pool *pool;     /* the engine's, for exclusive use */
    struct store *store;   /* OUT/rollouts.db; NULL in a replay */
    struct rollout_source *rollouts;
    struct example_source *probe;
    struct disk_budget budget;
    struct grpo_options options;
};

/* out: the folder, which is not always --out. from_folder: the options of a come from a folder
 * (app_training.h). writes false: no store is opened. */
MUST_CHECK enum status grpo_job_open(struct grpo_job *j, struct app *a, const char *out,
                                     bool from_folder, bool writes, struct error *err);
void grpo_job_close(struct grpo_job *j); /* also half-built */
extern const enum option_id grpo_job_options[];

#endif
