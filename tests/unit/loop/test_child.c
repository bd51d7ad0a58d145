/* test_child.c - child processes: what they read and write, how they end, and what they may not
 * keep. Each test runs with our own children and with those of a supervisor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>

#include "runtime/base/memory.h"
#include "runtime/base/str.h"
#include "runtime/loop/child.h"
#include "tests/support/check.h"
#include "tests/unit/loop/process_table.h"

struct world {
    struct loop *loop;
    struct supervisor *supervisor; /* NULL: our own children */
    struct child *child;
    struct child_spec more; /* what a test wants besides */
    struct str out, err;
    struct str errors; /* child_errors */
    struct str end;    /* child_put_end */
    int code, signo, n_exits, n_drained;
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
    const char *errors;
    size_t n;

    w->code = code;
    w->signo = signo;
    w->n_exits++;
    str_clear(&w->end);
    child_put_end(w->child, &w->end);
    str_clear(&w->errors);
    errors = child_errors(w->child, &n);
    str_append(&w->errors, errors, n);
    child_free(w->child);
    w->child = NULL;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->stop_after_out = -1;
    str_init(&w->out, (size_t)64 << 20);
    str_init(&w->err, (size_t)1 << 20);
    str_init(&w->errors, (size_t)1 << 20);
    str_init(&w->end, 200);
    *state = w;
    return loop_new(seams_real(), &w->loop, NULL) ? -1 : 0;
}

static int setup_supervised(void **state)
{
    int rc = setup(state);

    ((struct world *)*state)->supervisor = supervisor_new(NULL, NULL);
    return rc;
}

static int teardown(void **state)
{
    struct world *w = *state;

    child_free(w->child);
    supervisor_free(w->supervisor);
    loop_free(w->loop);
    str_deinit(&w->errors);
    str_deinit(&w->end);
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
                              .supervisor = w->supervisor,
                              .errors_max = w->more.errors_max,
                              .on_drained = w->more.on_drained,
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
    struct child_spec spec = {
        .argv = argv, .supervisor = w->supervisor, .on_exit = on_exit_of, .ctx = w};
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

static void expect_gone(const char *pid)
{
    expect_process_gone((int)strtol(pid, NULL, 10));
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
    expect_gone(pid);
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

static void test_a_session_of_its_own(void **state)
{
    struct world *w = *state;
    int pid;

    w->stop_after_out = 0;
    shell(w, "cut -d' ' -f5,6 /proc/$$/stat; sleep 100"); /* group and session */
    pid = child_pid(w->child);
    loop_run(w->loop);
    assert_int_equal(strtol(str_cstr(&w->out), NULL, 10), pid);
    assert_int_equal(strtol(strchr(str_cstr(&w->out), ' '), NULL, 10), pid);
}

/* The PATH that counts is the one that the program gets. */
static void test_the_path_of_its_environment(void **state)
{
    struct world *w = *state;
    const char *argv[] = {"here", NULL}, *env[] = {"PATH=/no/such/folder:bin", NULL};
    char folder[] = "/tmp/troupe-child-XXXXXX", path[64];
    struct str s = STR_INIT;

    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/bin", folder);
    assert_ok(dir_make(path, why));
    (void)snprintf(path, sizeof(path), "%s/bin/here", folder);
    assert_int_equal(symlink("/bin/pwd", path), 0);
    spawn(w, argv, env, folder);
    loop_run(w->loop);
    str_printf(&s, "%s\n", folder);
    assert_string_equal(str_cstr(&w->out), str_cstr(&s));
    str_deinit(&s);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/bin", folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void wild(struct world *w, const char *mode, const char *arg)
{
    const char *argv[] = {wild_program(), "test-child", mode, arg, NULL};

    spawn(w, argv, NULL, NULL);
}

static void test_how_it_ended(void **state)
{
    struct world *w = *state;

    shell(w, "exit 3");
    loop_run(w->loop);
    assert_string_equal(str_cstr(&w->end), "ended with exit code 3");
    shell(w, "kill -9 $$");
    loop_run(w->loop);
    assert_string_equal(str_cstr(&w->end), "was ended by signal 9 (Killed)");
}

/* ---- back-pressure */

static void on_look(void *ctx)
{
    struct world *w = ctx;

    w->ticks = (int)w->out.len; /* what came while it was paused */
    if (w->child)
        child_resume(w->child);
}

static void test_paused_output(void **state)
{
    enum { N = 3 << 20 };
    struct world *w = *state;
    struct loop_timer *look;

    wild(w, "flood", "3145728");
    child_pause(w->child);
    w->ticks = -1;
    look = loop_timer_new(w->loop, 200, on_look, w);
    loop_run(w->loop);
    assert_int_equal(w->ticks, 0);
    assert_int_equal(w->out.len, N);
    assert_int_equal(w->n_exits, 1);
    loop_timer_free(look);
}

/* A program that ended while its output was paused: the output comes first, then the end. */
static void test_paused_at_the_end(void **state)
{
    struct world *w = *state;
    struct loop_timer *look;

    shell(w, "echo all of it; exit 5");
    child_pause(w->child);
    look = loop_timer_new(w->loop, 300, on_look, w);
    w->ticks = -1;
    loop_run(w->loop);
    assert_int_equal(w->ticks, 0);
    assert_string_equal(str_cstr(&w->out), "all of it\n");
    assert_int_equal(w->n_exits, 1);
    assert_int_equal(w->code, 5);
    loop_timer_free(look);
}

static void test_stopping_what_is_paused(void **state)
{
    struct world *w = *state;

    wild(w, "flood", "0");
    child_pause(w->child);
    child_stop(w->child, 2000);
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 1);
    assert_int_equal(w->signo, SIGTERM);
}

static void on_drained(void *ctx)
{
    struct world *w = ctx;

    assert_int_equal(child_unwritten(w->child), 0);
    if (w->n_drained++ == 0)
        assert_true(child_write(w->child, w->err.data, w->err.len)); /* more from inside */
    else
        child_end_input(w->child);
}

static void test_drained_input(void **state)
{
    struct world *w = *state;
    const char *argv[] = {"wc", "-c", NULL};

    for (int i = 0; i < 1000; i++)
        str_append(&w->err, (char[1000]){0}, 1000);
    w->more.on_drained = on_drained;
    spawn(w, argv, NULL, NULL);
    assert_true(child_write(w->child, "x", 1)); /* fits: nothing has to drain */
    assert_int_equal(child_unwritten(w->child), 0);
    assert_true(child_write(w->child, w->err.data, w->err.len));
    assert_true(child_unwritten(w->child) > 0);
    loop_run(w->loop);
    assert_int_equal(w->n_drained, 2);
    assert_string_equal(str_cstr(&w->out), "2000001\n");
}

static void test_the_last_errors(void **state)
{
    struct world *w = *state;

    w->more.errors_max = 100;
    wild(w, "errors", "5000");
    loop_run(w->loop);
    assert_int_equal(w->code, 3);
    assert_true(w->errors.len <= 100);
    assert_string_equal(str_cstr(&w->errors), "line 4996 of the log\nline 4997 of the log\n"
                                              "line 4998 of the log\nline 4999 of the log\n");
    shell(w, "echo short >&2");
    loop_run(w->loop);
    assert_string_equal(str_cstr(&w->errors), "short\n");
}

/* ---- shutdown in three steps */

static int64_t now_ms(void)
{
    return seams_mono_us(seams_real()) / 1000;
}

static void test_the_end_of_the_input_is_enough(void **state)
{
    struct world *w = *state;

    shell(w, "cat; exit 6");
    assert_true(child_write(w->child, "last words", 10));
    child_shut_down(w->child, 10000, 10000);
    loop_run(w->loop);
    assert_int_equal(w->code, 6);
    assert_string_equal(str_cstr(&w->out), "last words");
}

static void test_then_it_is_asked(void **state)
{
    struct world *w = *state;
    int64_t start = now_ms();

    shell(w, "trap 'exit 7' TERM; while :; do sleep 0.02; done");
    child_shut_down(w->child, 300, 10000);
    loop_run(w->loop);
    assert_int_equal(w->code, 7);
    assert_true(now_ms() - start >= 300);
}

static void test_then_it_is_ended(void **state)
{
    struct world *w = *state;
    int64_t start = now_ms();

    wild(w, "deaf", "0");
    child_shut_down(w->child, 100, 10000);
    child_shut_down(w->child, 100, 200); /* sooner */
    child_shut_down(w->child, 100, 9000);
    loop_run(w->loop);
    assert_int_equal(w->signo, SIGKILL);
    assert_in_range(now_ms() - start, 300, 3000);
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

int main(int argc, char **argv)
{
#define BOTH(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, setup, teardown),                                        \
    {                                                                                              \
#name "_supervised", name, setup_supervised, teardown, NULL                                \
    }
    static const struct CMUnitTest tests[] = {
        BOTH(test_output_and_code),
        BOTH(test_arguments_are_text),
        BOTH(test_much_goes_through),
        BOTH(test_input_that_nobody_reads),
        BOTH(test_what_is_not_there),
        BOTH(test_stopping),
        BOTH(test_stopping_what_does_not_listen),
        BOTH(test_a_grandchild_delays_nothing),
        BOTH(test_freeing_ends_it),
        BOTH(test_it_inherits_nothing),
        BOTH(test_a_session_of_its_own),
        BOTH(test_the_path_of_its_environment),
        BOTH(test_how_it_ended),
        BOTH(test_paused_output),
        BOTH(test_paused_at_the_end),
        BOTH(test_stopping_what_is_paused),
        BOTH(test_drained_input),
        BOTH(test_the_last_errors),
        BOTH(test_the_end_of_the_input_is_enough),
        BOTH(test_then_it_is_asked),
        BOTH(test_then_it_is_ended),
        cmocka_unit_test_setup_teardown(test_a_timer_that_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_descriptor, setup, teardown),
    };

    if (supervisor_is_asked(argc, argv))
        return supervisor_main();
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
