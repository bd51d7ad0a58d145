/* run_bench.h - a store, a loop, tools and pretended agents around one blueprint, for tests of the
 * runner.
 *
 * Agents are pretended: run_bench.c defines agent_start, agent_cancel and agent_free. What one does
 * is in its `in`: {"say": X} answers X, {"fail": N} fails while the attempt is below N,
 * {"hang": true} ends only when it is cancelled, {"spend": N} uses N tokens, {"pay": N}
 * costs N of 1e-9 dollars (-1: not known) or ends as `budget`, {"wait": true} waits
 * until there is an effect "answered", {"ms": N} takes that long. In an environment it
 * answers with its parameters as verdict. {"recall": true} answers the history.
 *
 * Effects go into a file of the folder, one line each, so that they can be counted across
 * processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_RUN_BENCH_H
#define TROUPE_TESTS_RUN_BENCH_H

#include <stdatomic.h>

#include "blueprints/runner.h"
#include "models/model.h"
#include "runtime/base/str.h"

struct run_bench {
    const char *folder; /* blueprint_dir */
    struct store *store;
    struct loop *loop;
    struct mailbox *replies;
    struct loop_tick *drain;
    struct tool_registry *tools;
    struct agent_host *agents;
    struct model model; /* of all agents, which are pretended: nobody calls it */
    struct plan *plan;
    struct run *run;
    struct runner *runner;
    char uuid[37];
    struct tool_call *late[8]; /* calls that nobody waits for any more; they end with the bench */
    int n_late;
    int n_flaky, n_active, most_active;
    bool stay, stay_for_waits, unattended, trace;
    _Atomic int full; /* the disk takes no more */
    int64_t max_steps;
    int64_t stop_after_ms; /* 0: never */
    bool stop_keep;
    bool has_ended; /* run_bench_resume takes a run that has ended, as a repair does */
    struct loop_timer *stop_timer;
    void (*while_running)(struct run_bench *b); /* called once, after 300 ms */
    /* Ends the process like kill -9 when this many events have happened; 0: never. */
    _Atomic int crash_after;
    /* What came out. */
    char *status, *output, *error;
    struct runner_result result;
    struct str steps; /* "path kind state\n" from on_step, when trace is set */
};

/* A bench of its own for each test, as *state: for cmocka. */
int run_bench_setup(void **state);
int run_bench_teardown(void **state);
void run_bench_open(struct run_bench *b);
void run_bench_close(struct run_bench *b);
/* The same in a folder of blueprint_dir that is there and stays. */
void run_bench_open_in(struct run_bench *b, const char *folder);
void run_bench_close_in(struct run_bench *b);
void run_bench_reopen(struct run_bench *b); /* the store, as another process would */
/* Loads main.yaml (text, or as it is when NULL), makes a run and drives it until it is done. */
void run_bench_run(struct run_bench *b, const char *text, const char *inputs);
/* Takes the run `uuid` again, with the plan that it has stored, or main.yaml when `from_file`. */
void run_bench_resume(struct run_bench *b, bool from_file);
void run_bench_note(struct run_bench *b, const char *line); /* one more effect */
/* Lines of the effects file that begin with this. */
int run_bench_effects(const struct run_bench *b, const char *prefix);
void run_bench_answer(struct run_bench *b, const char *path, const char *json);
/* "state attempt tries" of a step as stored, or "none". */
void run_bench_step(struct run_bench *b, const char *path, struct str *out);

#endif
