/* chat_bench.h - one chat completion in a test, and a model that says what the test wants.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_CHAT_BENCH_H
#define TROUPE_TESTS_CHAT_BENCH_H

#include "agents/chat_call.h"
#include "tests/unit/agents/agent_fixture.h"

/* A call, what it streamed, and a copy of its end. */
struct talk {
    struct agent_host *host;
    struct chat_call *call;
    struct chat_call_spec spec;
    struct str content, reasoning; /* pieces */
    int32_t n_pieces, cancel_at;   /* 0: never */
    bool over;
    struct chat_result r; /* its pointers are those of the call, which talk_end frees */
};

/* The callbacks of a talk; ctx is the talk. */
void talk_on_piece(void *ctx, enum chat_piece kind, const char *text, size_t n);
void talk_on_done(void *ctx, struct chat_call *c);
void talk_start(struct talk *t, bool stream);
void talk_wait(struct talk *t);
/* Starts and waits; what was streamed must be the content. */
void talk_run(struct talk *t, bool stream);
void talk_end(struct talk *t);
struct agent_host *talk_host(void); /* without a loop */

#define TOOLS                                                                                      \
    "[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\"}}" \
    "}]"
#define HELLO "[{\"role\":\"user\",\"content\":\"hello\"}]"

struct chat_bench {
    struct fake_model m;
    const char *says; /* next */
    struct str asked; /* the text of the last prompt, and its special tokens */
    int32_t n_special;
    struct talk t;
    struct json *messages, *tools, *more; /* more: opens reasoning */
};
/* A call with the fake model; `messages` and `tools` (NULL: none) are JSON. */
void chat_bench_init(struct chat_bench *b, const char *messages, const char *tools);
void chat_bench_deinit(struct chat_bench *b);

#endif
