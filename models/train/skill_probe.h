/* skill_probe.h - measures a skill of a model: fixed questions with one right answer each.
 *
 * The questions are made once, so every measurement uses the same ones. An answer is right when
 * each position of the expected reply has the largest logit (the lowest id among equals, as a
 * greedy sampler chooses): teacher-forced, which for a right reply equals decoding. Every 16th
 * question is in a sample that is tried first. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_TRAIN_SKILL_PROBE_H
#define TROUPE_MODELS_TRAIN_SKILL_PROBE_H

#include "models/train/example_source.h"
#include "models/train/sharded_pass.h"
#include "runtime/base/json.h"

#define PROBE_MAX_CATEGORIES 32

struct probe_category {
    const char *name; /* lent by the source */
    double need;
    int64_t n_right, n;
};

/* Zeroed, it has no questions and every measurement is empty. */
struct skill_probe {
    struct sequences all, sample;
    uint8_t *category, *sample_category; /* (n) index below n_categories */
    int32_t n_categories;
    struct probe_category table[PROBE_MAX_CATEGORIES];
    bool full; /* the table is of all questions, not of the sample */
    bool held; /* and every category reaches its `need` */
};

/* A source without a probe gives none. max_len: ids of the longest question and its answer. */
MUST_CHECK enum status skill_probe_init(struct skill_probe *p, const struct example_source *s,
                                        int32_t max_len, int32_t vocab, struct error *err);
void skill_probe_deinit(struct skill_probe *p); /* also of a zeroed one */
/* Asks all questions, or the sample alone; fills the table. */
MUST_CHECK enum status skill_probe_ask(struct skill_probe *p, bool all, struct sharded_pass *pass,
                                       const struct weights *w, struct error *err);
/* The table in the form of the metrics: new. */
struct json *skill_probe_json(const struct skill_probe *p);

#endif
