/* answer_bench.h - reads an answer from the bytes of a stream, cut where a test wants.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_ANSWER_BENCH_H
#define TROUPE_TESTS_ANSWER_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/remote/chat_answer.h"
#include "runtime/base/memory.h"

#define BENCH_IDS 256

struct answer_bench {
    struct remote_spec spec;
    struct model_call call;
    int32_t ids[BENCH_IDS];
    float logp[BENCH_IDS];
    struct str news; /* all that chat_answer_news gave */
    struct remote_fault fault;
    bool complete, done; /* before the end */
    enum status status;
    struct error err;
};

void bench_free(struct answer_bench *b);
/* The bytes of an event stream, in pieces of `piece` bytes (0: all at once). */
void bench_stream(struct answer_bench *b, const char *bytes, size_t n, size_t piece);
/* In two pieces. */
void bench_stream_cut(struct answer_bench *b, const char *bytes, size_t n, size_t at);
/* Documents, each the data of one event; [DONE] is not added. */
void bench_events(struct answer_bench *b, const char *const *data, size_t n);
void bench_body(struct answer_bench *b, const char *body, size_t n);
/* The body of an answer to a call with this tool_choice. */
void bench_choice_body(struct answer_bench *b, const char *choice, const char *body);
/* A file of tests/fixtures/wire; malloc'd. */
char *bench_wire(const char *name, size_t *n);
/* tool_calls as one line of JSON, "null" without; static until the next call. */
const char *bench_calls(const struct answer_bench *b);

#define BENCH_EVENTS(b, ...)                                                                       \
    bench_events((b), (const char *const[]){__VA_ARGS__},                                          \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

#endif
