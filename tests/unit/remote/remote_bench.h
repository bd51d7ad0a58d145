/* remote_bench.h - a remote model over a server in memory, and calls on it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_REMOTE_BENCH_H
#define TROUPE_TESTS_REMOTE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/remote/remote_model.h"
#include "models/remote/remote_server.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "tests/support/http_memory.h"

#define BENCH_URL "https://model.example/v1"

struct remote_bench {
    struct loop *loop;
    struct http_memory *memory;
    struct http_client *client;
    struct remote_servers *servers;
    struct remote_spec spec; /* of the next bench_open; owned */
    struct model *model;
    struct loop_box *box;
    struct loop_timer *guard;
    struct json *messages;
    int32_t n_open; /* calls that are not answered */
};

/* One call and what came of it. */
struct remote_ask {
    struct model_call call;
    struct remote_bench *bench;
    struct str news;
    bool answered;
    int32_t order; /* of its answer */
    /* Called with each new text; may be NULL. */
    void (*on_news)(struct remote_ask *a);
};

void remote_bench_init(struct remote_bench *b); /* with a specification of BENCH_URL, "m" */
void remote_bench_open(struct remote_bench *b); /* the model, by b->spec */
void remote_bench_deinit(struct remote_bench *b);

void ask_begin(struct remote_bench *b, struct remote_ask *a); /* zeroes it */
void ask_start(struct remote_ask *a);
void ask_wait(struct remote_bench *b); /* until all are answered */
void ask_end(struct remote_ask *a);
/* All of it; ask_end follows. */
void ask(struct remote_bench *b, struct remote_ask *a);
/* Runs the loop for that long, whatever happens. */
void bench_pass(struct remote_bench *b, int64_t ms);

#define SSE_TEXT(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define SSE_STOP       "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define SSE_DONE       "data: [DONE]\n\n"
#define SSE_HI         SSE_TEXT("h") SSE_TEXT("i") SSE_STOP SSE_DONE

#endif
