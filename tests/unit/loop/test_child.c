/* test_child.c - child processes: what they read and write, how they end, and what they may not
 * keep.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>

#include "runtime/base/memory.h"
#include "runtime/base/str.h"
#include "runtime/loop/child.h"
#include "tests/support/check.h"

struct world {
    struct loop *loop;
    struct child *child;
    struct str out, err;
    int code, signo, n_exits;
    int64_t stop_after_out; /* bytes; -1: never */
    int ticks;
    struct loop_timer *timer;
};

static void on_output(void *ctx, bool is_error, const char *bytes, size_t n)
{
    struct world *w = ctx;

    str_append(is_error ? &w->err : &w->out, bytes, n);
    if (w->stop_after_out >= 0 && (int64_t)w->out.len > w->stop_after_out) {
        w->stop_after_out = -1;
        child_stop(w->child, 300);
    }
}

static void on_exit_of(void *ctx, int code, int signo)
{
    struct world *w = ctx;

    w->code = code;
    w->signo = signo;
    w->n_exits++;
    child_free(w->child);
    w->child = NULL;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->stop_after_out = -1;
    str_init(&w->out, (size_t)64 << 20);
    str_init(&w->err, (size_t)1 << 20);
    *state = w;
    return loop_new(seams_real(), &w->loop, NULL) ? -1 : 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    child_free(w->child);
    loop_free(w->loop);
    str_deinit(&w->out);
    str_deinit(&w->err);
    free(w);
    return 0;
}

static void spawn(struct world *w, const char *const *argv, const char *const *env,
                  const char *folder)
{
    struct child_spec spec = {.argv = argv,
                              .env = env,
                              .folder = folder,
                              .on_output = on_output,
                              .on_exit = on_exit_of,
                              .ctx = w};

    assert_ok(child_spawn(w->loop, &spec, &w->child, why));
}

static void shell(struct world *w, const char *text)
{
    const char *argv[] = {"sh", "-c", text, NULL};

    spawn(w, argv, NULL, NULL);
}

static void test_output_and_code(void **state)
{
    struct world *w = *state;
    const char *argv[] = {"sh", "-c", "echo \"$A in $(pwd)\"; echo oops >&2; exit 7", NULL};
    const char *env[] = {"A=b", "PATH=/usr/bin:/bin", NULL};

    spawn(w, argv, env, "/");
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 1);
    assert_int_equal(w->code, 7);
    assert_int_equal(w->signo, 0);
    assert_string_equal(str_cstr(&w->out), "b in /\n");
    assert_string_equal(str_cstr(&w->err), "oops\n");
}

/* No shell between: what would mean something to one is only text. */
static void test_arguments_are_text(void **state)
{
    struct world *w = *state;
    const char *argv[] = {"printf", "%s|", "$(id) `id` ; \"x\" *", "", NULL};

    spawn(w, argv, NULL, NULL);
    loop_run(w->loop);
    assert_string_equal(str_cstr(&w->out), "$(id) `id` ; \"x\" *||");
}

static void test_much_goes_through(void **state)
{
    enum { N = 3 << 20 };
    struct world *w = *state;
    const char *argv[] = {"cat", NULL};
    char *bytes = malloc(N);

    assert_non_null(bytes);
    for (size_t i = 0; i < N; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    spawn(w, argv, NULL, NULL);
    assert_true(child_write(w->child, bytes, N));
    assert_true(child_write(w->child, "end", 3));
    child_end_input(w->child);
    assert_false(child_write(w->child, "x", 1));
    loop_run(w->loop);
    assert_int_equal(w->out.len, N + 3);
    assert_memory_equal(w->out.data, bytes, N);
    assert_int_equal(w->code, 0);
    free(bytes);
}

static void test_input_that_nobody_reads(void **state)
{
    struct world *w = *state;
    char bytes[1000] = "";

    (void)signal(SIGPIPE, SIG_IGN);
    shell(w, "exec 0<&-; sleep 0.2; exit 3");
    for (int i = 0; i < 200; i++)
        (void)child_write(w->child, bytes, sizeof(bytes));
    loop_run(w->loop);
    assert_int_equal(w->code, 3);
}

static void test_what_is_not_there(void **state)
{
    struct world *w = *state;
    const char *argv[] = {"no-such-program-here", NULL};
    const char *sh[] = {"sh", "-c", "exit", NULL};
    struct child_spec spec = {.argv = argv, .on_exit = on_exit_of, .ctx = w};
    struct error err = ERROR_INIT;

    assert_int_equal(child_spawn(w->loop, &spec, &w->child, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "no-such-program-here"));
    spec.argv = sh;
    spec.folder = "/no/such/folder";
    assert_int_equal(child_spawn(w->loop, &spec, &w->child, &err), STATUS_NOT_FOUND);
    assert_null(w->child);
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 0);
}

static bool is_running(const char *pid)
{
    char path[64], stat[256] = "";
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", atoi(pid));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, stat, sizeof(stat) - 1) < 0)
        stat[0] = '\0';
    close(fd);
    return !strstr(stat, ") Z");
}

static void expect_gone(const char *pid)
{
    for (int i = 0; i < 200 && is_running(pid); i++)
        (void)usleep(10000);
    assert_false(is_running(pid));
}

/* It and what it started end together, politely where they listen. */
static void test_stopping(void **state)
{
    struct world *w = *state;

    w->stop_after_out = 0;
    shell(w, "sleep 100 & echo $!; wait");
    loop_run(w->loop);
    assert_int_equal(w->signo, SIGTERM);
    expect_gone(str_cstr(&w->out));
}

static void test_stopping_what_does_not_listen(void **state)
{
    struct world *w = *state;

    w->stop_after_out = 0;
    shell(w, "trap '' TERM; echo $$; while :; do sleep 0.05; done");
    loop_run(w->loop);
    assert_int_equal(w->signo, SIGKILL);
    expect_gone(str_cstr(&w->out));
}

static void test_a_grandchild_delays_nothing(void **state)
{
    struct world *w = *state;

    shell(w, "sleep 100 & echo $!"); /* it keeps both pipes open */
    loop_run(w->loop);
    assert_int_equal(w->code, 0);
    expect_gone(str_cstr(&w->out));
}

static void test_freeing_ends_it(void **state)
{
    struct world *w = *state;
    char pid[16];

    shell(w, "sleep 100");
    (void)snprintf(pid, sizeof(pid), "%d", child_pid(w->child));
    child_free(w->child);
    w->child = NULL;
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 0);
    assert_false(is_running(pid));
}

static void test_it_inherits_nothing(void **state)
{
    struct world *w = *state;
    int fd = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    sigset_t block, old;

    assert_true(fd >= 0);
    (void)signal(SIGUSR1, SIG_IGN);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &block, &old);
    shell(w, "cd /proc/self/fd; for f in *; do [ -e $f ] && [ $f -gt 2 ] && readlink $f; done;"
             " grep -E 'SigBlk|SigIgn' /proc/self/status");
    loop_run(w->loop);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    close(fd);
    assert_null(strstr(str_cstr(&w->out), "/dev/null"));
    assert_non_null(strstr(str_cstr(&w->out), "SigBlk:\t0000000000000000"));
    assert_non_null(strstr(str_cstr(&w->out), "SigIgn:\t0000000000000000"));
}

static void on_tick(void *ctx)
{
    struct world *w = ctx;

    if (++w->ticks == 5) {
        loop_timer_free(w->timer);
        w->timer = NULL;
    }
}

static void test_a_timer_that_repeats(void **state)
{
    struct world *w = *state;

    w->timer = loop_timer_every(w->loop, 2, on_tick, w);
    loop_run(w->loop);
    assert_int_equal(w->ticks, 5);
}

struct pipe_end {
    int fd[2];
    struct loop_fd *watch;
    char text[16];
};

static void on_pipe(void *ctx, int ready)
{
    struct pipe_end *p = ctx;
    ssize_t n = read(p->fd[0], p->text + strlen(p->text), 4);

    assert_int_equal(ready, LOOP_READ);
    if (n > 0)
        return;
    loop_fd_free(p->watch); /* the writing end is closed */
    p->watch = NULL;
}

static void test_a_descriptor(void **state)
{
    struct world *w = *state;
    struct pipe_end p = {.text = ""};
    struct loop_fd *none = NULL;
    struct error err = ERROR_INIT;

    assert_int_equal(pipe(p.fd), 0);
    assert_int_equal(loop_fd_new(w->loop, p.fd[0], on_pipe, &p, &p.watch, &err), STATUS_OK);
    loop_run(w->loop); /* nothing is wanted: nothing holds the loop */
    assert_int_equal(write(p.fd[1], "some words", 10), 10);
    close(p.fd[1]);
    loop_fd_want(p.watch, LOOP_READ);
    loop_run(w->loop);
    assert_string_equal(p.text, "some words");
    close(p.fd[0]);
    assert_int_not_equal(loop_fd_new(w->loop, p.fd[0], on_pipe, &p, &none, &err), STATUS_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(test_output_and_code),
        T(test_arguments_are_text),
        T(test_much_goes_through),
        T(test_input_that_nobody_reads),
        T(test_what_is_not_there),
        T(test_stopping),
        T(test_stopping_what_does_not_listen),
        T(test_a_grandchild_delays_nothing),
        T(test_freeing_ends_it),
        T(test_it_inherits_nothing),
        T(test_a_timer_that_repeats),
        T(test_a_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
