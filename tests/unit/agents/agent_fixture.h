/* agent_fixture.h - a model that plays the ledger by rule, and a driver without a loop.
 *
 * The fake takes ids: it keeps its session's ids as an engine would (keep, delta), decodes them and
 * lets a policy write the reply; log-probs follow from seed, call id and position, so that two
 * calls with equal keys and prompts are equal bit for bit. A second one takes messages and gives
 * text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_AGENT_FIXTURE_H
#define TROUPE_TESTS_AGENT_FIXTURE_H

#include "agents/agent.h"
#include "agents/rollout.h"
#include "models/formats/token_ids.h"
#include "models/formats/tokenizer.h"
#include "tests/unit/store/store_fixture.h"

struct fake_model;
/* Writes a reply to the text of the context. */
typedef void (*fake_policy)(struct fake_model *m, const char *context, const struct model_call *c,
                            struct str *out);

/* The reply of a model that takes messages: {content, tool_calls, reasoning, finish}. */
typedef struct json *(*fake_talk)(struct fake_model *m, const struct model_call *c);

struct fake_model {
    struct model model; /* first */
    struct tokenizer *tokenizer;
    fake_policy policy;
    int32_t eos;
    int32_t n_calls, n_sessions;
    int64_t n_fed;       /* ids that came as delta */
    int32_t hold;        /* answers only after this many calls were let go: fake_release */
    int32_t partial;     /* ids that a held call has sampled when it is cancelled */
    int32_t fail_at;     /* the n-th call (from 1) fails ... */
    enum status fail_as; /* ... with this */
    struct model_call *held;
    fake_talk talk;
    bool processed;
};

/* Byte tokenizer with the environments' words; takes ids. codec: "compact" or NULL. */
void fake_model_init(struct fake_model *m, const char *codec, fake_policy policy);
void fake_text_model_init(struct fake_model *m, fake_talk talk);
void fake_model_deinit(struct fake_model *m);
void fake_release(struct fake_model *m); /* answers the held call */

/* Ledger policies over compact text. */
void policy_plain(struct fake_model *m, const char *context, const struct model_call *c,
                  struct str *out);
/* Looks after each write, repairs what is wrong. */
void policy_check(struct fake_model *m, const char *context, const struct model_call *c,
                  struct str *out);
/* As plain, but decides by the call's random numbers whether it looks. */
void policy_dice(struct fake_model *m, const char *context, const struct model_call *c,
                 struct str *out);

/* An agent driven to its end without a loop; the result is copied. */
struct play {
    struct agent_host *host;
    struct agent *agent;
    struct agent_result result; /* output: a reference of our own */
    bool over;
    struct run *run;            /* flushed after every poll when there is one */
    int32_t n_polls, max_polls; /* 0: no limit */
    void (*each_poll)(struct play *p);
    void *ctx;
};
void play_done(void *ctx, struct agent *a, const struct agent_result *r);
/* Starts and polls until it is over, or max_polls; fails the test when it cannot start. */
void play_agent(struct play *p, const struct agent_task *t);
void play_deinit(struct play *p);

struct agent_role fake_role(struct fake_model *m);
struct agent_task ledger_task(const struct agent_role *role, const char *path, int32_t horizon,
                              double noise);

/* What a test of one agent needs: first a model, then what is asked of it, then scene_play. */
struct scene {
    struct fake_model m;
    struct play p;
    struct agent_role role;
    struct agent_task t;
    struct json *input;
    struct tool *tool;
};
void scene_ids(struct scene *s, const char *codec, fake_policy policy); /* takes ids */
void scene_text(struct scene *s, fake_talk talk);                       /* takes messages */
void scene_ledger(struct scene *s, int32_t horizon, double noise);      /* at the path "play" */
void scene_ask(struct scene *s, const char *path, const char *input);
void scene_tool(struct scene *s, struct tool *tool); /* lent: the one tool of the role */
void scene_journal(struct scene *s, struct run *run);
void scene_play(struct scene *s); /* once more after s->p.over = false */
void scene_close(struct scene *s);

#endif
