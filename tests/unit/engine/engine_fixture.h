/* engine_fixture.h - a tiny random model and calls that wait, for the tests of the engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H
#define TROUPE_TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H

#include "kernels/cpu/cpu_backend.h"
#include "models/engine/engine.h"
#include "tests/support/check.h"

#define TINY_VOCAB   67
#define TINY_CONTEXT 256
#define REPLY_MAX    64

struct model_config tiny_config(void);
/* New weights; every seed gives another model. */
struct weights *tiny_weights(const struct backend *b, uint64_t seed);

/* Defaults for tests: the best backend, one thread, a context of TINY_CONTEXT. `weights` is lent.
 */
struct engine_options tiny_options(struct weights *w);

struct bed {
    struct engine *engine;
    struct model *model;
    struct mailbox *box;
};
void bed_open(struct bed *b, const struct engine_options *o); /* fails the test on an error */
void bed_close(struct bed *b);
struct model_session *bed_session(struct bed *b);
struct model_session *bed_fork(struct bed *b, struct model_session *from);
void bed_end(struct bed *b, struct model_session *s);
struct engine_stats bed_stats(struct bed *b);

/* A call with room for its answer. */
struct ask {
    struct model_call call;
    int32_t ids[REPLY_MAX];
    float logp[REPLY_MAX], logp_sampled[REPLY_MAX];
};
/* Sets what is asked; sampling and the rest may be changed before ask_start. */
void ask_init(struct ask *a, struct bed *b, struct model_session *s, int32_t keep,
              const int32_t *delta, int32_t n_delta, int32_t max_tokens);
void ask_start(struct ask *a, struct bed *b);
void bed_wait(struct bed *b, int n_answers);
void ask_run(struct ask *a, struct bed *b); /* start and wait */

/* n ids that depend on the seed alone. */
void random_ids(uint64_t seed, int32_t n, int32_t *out);
/* Same ids, and the same bits of both log-probs. */
void assert_same_reply(const struct ask *a, const struct ask *b);

#endif
