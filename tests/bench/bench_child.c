/* bench_child.c - the cost of a child process with a supervisor and without.
 *
 *     bench_child [N]
 *
 * For each of N children (default 300): the time of child_spawn, and the time until on_exit of a
 * program that ends at once, /bin/true. The first supervised child also starts the supervisor. Then
 * 50 children at a time: their keepers' own memory, and the time to end all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include "runtime/loop/child.h"

#define N_AT_ONCE 50

struct bench {
    struct loop *loop;
    struct supervisor *supervisor;
    struct child *child[N_AT_ONCE];
    int64_t n_exits;
};

static int64_t now_us(void)
{
    return seams_mono_us(seams_real());
}

static void on_exit_of(void *ctx, int code, int signo)
{
    struct bench *b = ctx;

    (void)code;
    (void)signo;
    b->n_exits++;
}

static void start(struct bench *b, struct child **out, const char *program, const char *arg)
{
    const char *argv[] = {program, arg, NULL};
    struct child_spec spec = {
        .argv = argv, .supervisor = b->supervisor, .on_exit = on_exit_of, .ctx = b};
    struct error err = ERROR_INIT;

    if (child_spawn(b->loop, &spec, out, &err)) {
        (void)fprintf(stderr, "bench_child: %s\n", err.message);
        exit(1);
    }
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void print_median(const char *what, int64_t *us, int64_t n)
{
    qsort(us, (size_t)n, sizeof(*us), by_size);
    (void)printf("  %-28s p50 %7.3f ms   p99 %7.3f ms\n", what, (double)us[n / 2] / 1000,
                 (double)us[n * 99 / 100] / 1000);
}

static void one_by_one(struct bench *b, int64_t n)
{
    int64_t *spawned = xcalloc((size_t)n, sizeof(*spawned));
    int64_t *ended = xcalloc((size_t)n, sizeof(*ended));

    for (int64_t i = 0; i < n; i++) {
        int64_t start_us = now_us();

        start(b, &b->child[0], "/bin/true", NULL);
        spawned[i] = now_us() - start_us;
        loop_run(b->loop);
        ended[i] = now_us() - start_us;
        child_free(b->child[0]);
        if (i == 0)
            (void)printf("  %-28s     %7.3f ms\n", "the first child_spawn",
                         (double)spawned[0] / 1000);
    }
    print_median("child_spawn", spawned, n);
    print_median("until on_exit of true", ended, n);
    free(spawned);
    free(ended);
}

/* Kilobytes that only this process has. */
static int64_t private_kb(pid_t pid)
{
    char path[64], line[256];
    long kb, sum = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Private_Clean: %ld", &kb) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &kb) == 1)
            sum += kb;
    if (f)
        fclose(f);
    return sum;
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[256];
    int parent = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "PPid: %d", &parent) == 1)
            break;
    if (f)
        fclose(f);
    return parent;
}

static void at_once(struct bench *b)
{
    int64_t start_us = now_us();

    for (int i = 0; i < N_AT_ONCE; i++)
        start(b, &b->child[i], "/bin/sleep", "1000");
    (void)printf("  %d children started in     %10.3f ms\n", N_AT_ONCE,
                 (double)(now_us() - start_us) / 1000);
    if (b->supervisor)
        (void)printf("  memory of its own: supervisor %ld kB, a keeper %ld kB\n",
                     (long)private_kb(supervisor_pid(b->supervisor)),
                     (long)private_kb(parent_of(child_pid(b->child[0]))));
    b->n_exits = 0;
    start_us = now_us();
    for (int i = 0; i < N_AT_ONCE; i++)
        child_kill(b->child[i]);
    loop_run(b->loop);
    (void)printf("  and ended in               %10.3f ms\n", (double)(now_us() - start_us) / 1000);
    for (int i = 0; i < N_AT_ONCE; i++)
        child_free(b->child[i]);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    int64_t n = 300;

    if (supervisor_is_asked(argc, argv))
        return supervisor_main();
    if (argc > 1 && (!text_to_i64(argv[1], &n) || n < 1)) {
        (void)fprintf(stderr, "bench_child: %s is not a number of children\n", argv[1]);
        return 2;
    }
    if (loop_new(seams_real(), &b.loop, NULL))
        return 1;
    (void)printf("our own children\n");
    one_by_one(&b, n);
    at_once(&b);
    (void)printf("children of a supervisor\n");
    b.supervisor = supervisor_new(NULL, NULL);
    one_by_one(&b, n);
    at_once(&b);
    supervisor_free(b.supervisor);
    loop_free(b.loop);
    return 0;
}
