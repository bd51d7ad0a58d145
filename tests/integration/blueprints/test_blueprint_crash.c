/* test_blueprint_crash.c - a run whose process dies at any point ends as without the crash.
 *
 * The points are each commit of the store, each start and end of an agent, and each moment before
 * and after an effect. For every k, the run starts in a process that dies at the k-th point. Other
 * processes then resume it and also die at their k-th point, until one finishes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/wait.h>

#include "runtime/base/memory.h"
#include "runtime/store/query.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"
#include "tests/unit/blueprints/run_bench.h"

#define HEAD "schema: blueprint/v1\n"

/* Every kind of step, and every kind of effect. */
static const char blueprint[] = HEAD
    "agents: {a: {}}\n"
    "steps:\n"
    "  plan: {agent: a, in: {say: [p, q, r], spend: 5}, budget: {tokens: 1000}}\n"
    "  each: {map: \"${plan}\", max_parallel: 2, tool: send, in: {to: \"${item}\"}}\n"
    "  twice: {loop: {max: 2}, do: {one: {agent: a, in: {say: \"${round}\"}},\n"
    "    two: {tool: send, in: {to: \"${one}\"}}}}\n"
    "  both: {parallel: {branches: {left: {tool: pay, in: {to: left}},\n"
    "    right: {do: {deep: {blueprint: file://inner.yaml, in: {x: 4}}}}}}}\n"
    "  again: {do: {b: {agent: a, in: {fail: 1, say: 3}, retry: {max: 1, backoff: 1}}}}\n"
    "  choose: {if: {cond: \"size(each) == 3\", then: {t: {tool: pay, in: {to: last}}}}}\n"
    "output: {each: \"${each}\", twice: \"${twice}\", both: \"${both}\", again: \"${again}\",\n"
    "  choose: \"${choose}\"}\n";
static const char inner[] = HEAD "inputs: {x: {type: integer}}\n"
                                 "steps: {s: {tool: send, in: {to: \"${inputs.x}\"}}}\n";
static const char expected[] = "{\"each\":[\"p\",\"q\",\"r\"],\"twice\":1,\"both\":{\"left\":"
                               "\"left\",\"right\":4},\"again\":3,"
                               "\"choose\":\"last\"}";

static bool take_end(void *ctx, const struct run_row *row)
{
    char **output = ctx;

    if (row->status == RUN_OK)
        *output = jv_dump(row->output);
    return false;
}

/* In its own process: opens the store of the folder, starts the run or takes the existing one, and
 * dies after k points. Exit 0: the run ended as ok. */
static int child(const char *folder, int k)
{
    struct run_bench b = {.crash_after = 0};
    struct store_reader *q = NULL;
    char *output = NULL; /* of a run that ended before its process died */
    bool good;

    run_bench_open_in(&b, folder);
    if (store_reader_open(b.store, &q, NULL))
        return 2;
    atomic_store(&b.crash_after, k);
    if (query_resolve_run(q, "last", b.uuid, NULL))
        run_bench_run(&b, NULL, NULL);
    else if (!query_run(q, b.uuid, take_end, &output, NULL) && !output)
        run_bench_resume(&b, false);
    store_reader_close(q);
    atomic_store(&b.crash_after, 0);
    if (output)
        good = strcmp(output, expected) == 0;
    else
        good = strcmp(b.status, "ok") == 0 && b.output && strcmp(b.output, expected) == 0;
    if (!good)
        fprintf(stderr, "ended %s: %s %s\n", b.status ? b.status : "", b.output ? b.output : "",
                b.error ? b.error : "");
    free(output);
    run_bench_close_in(&b);
    return good ? 0 : 3;
}

static int run_child(const char *folder, int k)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0)
        _exit(child(folder, k));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool check_step(void *ctx, const struct step_row *s)
{
    int *n = ctx;

    /* Everything ended in the same way as the uninterrupted run. */
    if (s->state != STEP_OK && !(s->state == STEP_ERROR && strcmp(s->path, "again/b") == 0))
        fail_msg("%s is %s", s->path, step_state_name(s->state));
    ++*n;
    return true;
}

static void check_after(const char *folder, int k)
{
    struct run_bench b = {.crash_after = 0};
    struct store_reader *q = NULL;
    char uuid[37];
    int n = 0;

    run_bench_open_in(&b, folder);
    /* An effect with a key happens once for any number of calls; without a key it is called only
     * once. */
    if (run_bench_effects(&b, "send ") != 6 || run_bench_effects(&b, "pay ") != 2)
        fail_msg("k = %d: %d sent, %d paid", k, run_bench_effects(&b, "send "),
                 run_bench_effects(&b, "pay "));
    assert_int_equal(store_reader_open(b.store, &q, NULL), STATUS_OK);
    assert_int_equal(query_resolve_run(q, "last", uuid, NULL), STATUS_OK);
    assert_int_equal(query_steps(q, uuid, NULL, -1, false, check_step, &n, NULL), STATUS_OK);
    assert_int_equal(n, 22);
    store_reader_close(q);
    run_bench_close_in(&b);
}

/* Dies after k points, is resumed and dies again after k points, at most `deaths` times. */
static bool survives(int k, int deaths)
{
    const char *folder = blueprint_dir_make();
    bool died = false;
    int code = 9;

    blueprint_dir_write("main.yaml", blueprint, sizeof(blueprint) - 1);
    blueprint_dir_write("inner.yaml", inner, sizeof(inner) - 1);
    for (int i = 0; code == 9 && i <= deaths; i++) {
        code = run_child(folder, i < deaths ? k : 0);
        died = died || code == 9;
    }
    if (code != 0)
        fail_msg("k = %d: exit %d", k, code);
    check_after(folder, k);
    blueprint_dir_remove();
    return died;
}

static void a_run_survives_death_at_every_point(void **state)
{
    int k = 1;

    (void)state;
    while (survives(k, 1))
        k++;
    printf("%d points\n", k - 1);
    assert_true(k > 30); /* the run reached the points */
}

static void a_run_survives_many_deaths(void **state)
{
    (void)state;
    for (int k = 4; k <= 20; k += 4)
        survives(k, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_survives_death_at_every_point),
        cmocka_unit_test(a_run_survives_many_deaths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
