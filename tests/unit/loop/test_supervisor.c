/* test_supervisor.c - no process outlives its hub, its job or its supervisor, whatever it does.
 *
 * The tests are hubs; the one that is killed is this program once more, called with "hub".
 * TROUPE_SOAK=1 makes the loop of kills 1,000 long.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "runtime/base/str.h"
#include "runtime/loop/child.h"
#include "tests/unit/loop/process_table.h"

#define N_CHILDREN  50
#define N_PROCESSES 140 /* of the fifty: see spawn_many */
#define GONE_MS     2000

struct world {
    struct loop *loop;
    struct supervisor *supervisor;
    char mark[64];
    int n_up, n_exits, n_lost, code, signo;
    size_t n_out;
    int64_t exit_at_ms;
    int wait_up;    /* the loop stops at this many, */
    int wait_exits; /* and at this many */
};

struct job {
    struct world *world;
    struct child *child;
};

static int64_t now_ms(void)
{
    return seams_mono_us(seams_real()) / 1000;
}

static void on_output(void *ctx, bool is_error, const char *bytes, size_t n)
{
    struct job *j = ctx;
    struct world *w = j->world;

    (void)is_error;
    w->n_out += n;
    if (n >= 3 && memcmp(bytes, "up\n", 3) == 0 && ++w->n_up == w->wait_up)
        loop_stop(w->loop);
}

static void on_exit_of(void *ctx, int code, int signo)
{
    struct job *j = ctx;
    struct world *w = j->world;

    w->n_exits++;
    w->n_lost += child_is_lost(j->child);
    w->code = code;
    w->signo = signo;
    w->exit_at_ms = now_ms();
    child_free(j->child);
    j->child = NULL;
    if (w->n_exits == w->wait_exits)
        loop_stop(w->loop);
}

static enum status spawn(struct world *w, struct job *j, const char *mode, const char *arg,
                         struct error *err)
{
    const char *argv[] = {wild_program(), w->mark, mode, arg, NULL};
    struct child_spec spec = {.argv = argv,
                              .supervisor = w->supervisor,
                              .on_output = on_output,
                              .on_exit = on_exit_of,
                              .ctx = j};

    j->world = w;
    return child_spawn(w->loop, &spec, &j->child, err);
}

static void start(struct world *w, struct job *j, const char *mode, const char *arg)
{
    assert_ok(spawn(w, j, mode, arg, why));
    w->wait_up = w->n_up + 1;
    loop_run(w->loop); /* until it says "up" */
}

/* Ten jobs of each kind, of 2 + 1 + 5 + 1 + 5 processes: deaf, forked twice, in many sessions. */
static enum status spawn_many(struct world *w, struct job jobs[N_CHILDREN], struct error *err)
{
    static const char *const modes[] = {"daemon", "deaf", "chain", "stay", "tree"};
    enum status st = STATUS_OK;

    w->wait_up = N_CHILDREN;
    for (size_t i = 0; i < N_CHILDREN && st == STATUS_OK; i++)
        st = spawn(w, &jobs[i], modes[i % ARRAY_LEN(modes)], "5", err);
    if (st == STATUS_OK)
        loop_run(w->loop);
    return st;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    (void)snprintf(w->mark, sizeof(w->mark), "mark-%d-%llx", (int)getpid(),
                   (unsigned long long)seams_random_u64(seams_real()));
    w->supervisor = supervisor_new(NULL, NULL);
    *state = w;
    return loop_new(seams_real(), &w->loop, NULL) ? -1 : 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    supervisor_free(w->supervisor);
    loop_free(w->loop);
    free(w);
    return 0;
}

/* ---- the hub that is killed */

static int hub(char **argv)
{
    struct world w = {.supervisor = supervisor_new(argv[2][0] ? argv[2] : NULL, NULL)};
    static struct job jobs[N_CHILDREN];
    struct error err = ERROR_INIT;

    (void)snprintf(w.mark, sizeof(w.mark), "%s", argv[1]);
    if (loop_new(seams_real(), &w.loop, &err) || spawn_many(&w, jobs, &err)) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    (void)printf("%d\n", (int)supervisor_pid(w.supervisor));
    (void)fflush(stdout);
    loop_run(w.loop);
    return 0;
}

/* Starts a hub; its pid and the one of its supervisor, when all its children are up. */
static pid_t start_hub(const char *mark, const char *program, pid_t *supervisor)
{
    char self[512], line[32] = "";
    int out[2];
    pid_t pid;

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        char *argv[] = {(char[]){"hub"}, (char *)(uintptr_t)mark, (char *)(uintptr_t)program, NULL};

        (void)dup2(out[1], STDOUT_FILENO);
        (void)snprintf(self, sizeof(self), "/proc/%d/exe", (int)getpid());
        execv(self, argv);
        _exit(1);
    }
    close(out[1]);
    assert_true(read(out[0], line, sizeof(line) - 1) > 0);
    close(out[0]);
    *supervisor = (pid_t)strtol(line, NULL, 10);
    return pid;
}

static void expect_nothing_after_kill(const struct world *w, const char *program)
{
    int keepers[2 * N_CHILDREN], n_keepers, status, ms;
    pid_t supervisor, pid = start_hub(w->mark, program, &supervisor);
    int n_processes = processes_marked(w->mark) - 1; /* without the hub */
    int64_t killed_ms;

    n_keepers = processes(NULL, supervisor, 0, keepers, 2 * N_CHILDREN);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(n_processes, N_PROCESSES);
    assert_int_equal(n_keepers, N_CHILDREN);
    killed_ms = now_ms();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    while (processes_marked(w->mark) > 0 && now_ms() - killed_ms < GONE_MS)
        (void)usleep(10000);
    ms = (int)(now_ms() - killed_ms);
    assert_int_equal(processes_marked(w->mark), 0);
    expect_process_gone(supervisor);
    for (int i = 0; i < n_keepers; i++)
        expect_process_gone(keepers[i]);
    print_message("%d ms until the last of %d jobs was gone\n", ms, N_CHILDREN);
}

static void test_a_killed_hub_leaves_nothing(void **state)
{
    expect_nothing_after_kill(*state, "");
}

/* The same with the program that people run as the supervisor. */
static void test_the_program_is_a_supervisor(void **state)
{
    char path[512];
    const char *build = getenv("TROUPE_BINARY_DIR");

    (void)snprintf(path, sizeof(path), "%s/runtime/app/troupe", build ? build : "build/default");
    expect_nothing_after_kill(*state, path);
}

/* A server that saves its work at SIGTERM has time for that when the hub is killed. */
static void test_a_killed_hub_is_announced(void **state)
{
    struct world *w = *state;
    struct job j = {0};
    char path[] = "/tmp/troupe-saved-XXXXXX", text[16] = "";
    int fd = mkstemp(path), control;

    assert_true(fd >= 0);
    start(w, &j, "save", path);
    control = child_pid(j.child);
    /* The death of a hub is the end of its descriptors. */
    for (int i = 3; i < 1024; i++) {
        int type;
        socklen_t n = sizeof(type);

        if (getsockopt(i, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET)
            (void)shutdown(i, SHUT_RDWR);
    }
    expect_process_gone(control);
    loop_run(w->loop);
    assert_int_equal(read(fd, text, sizeof(text) - 1), 5);
    assert_string_equal(text, "saved");
    assert_int_equal(w->n_exits, 1);
    close(fd);
    assert_int_equal(unlink(path), 0);
}

/* ---- jobs */

static void test_stopping_ends_every_descendant(void **state)
{
    static const char *const modes[] = {"deaf", "daemon", "chain", "tree", "comet"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct job j = {0};
        int64_t start_ms;

        start(w, &j, modes[i], "50");
        start_ms = now_ms();
        child_stop(j.child, 50);
        loop_run(w->loop);
        assert_int_equal(w->signo, SIGKILL);
        assert_int_equal(processes_marked(w->mark), 0); /* by then, not later */
        assert_in_range(w->exit_at_ms - start_ms, 50, GONE_MS);
    }
}

static void test_freeing_ends_every_descendant(void **state)
{
    struct world *w = *state;
    struct job j = {0};

    start(w, &j, "chain", "50");
    child_free(j.child);
    assert_in_range(processes_end(w->mark, GONE_MS), 0, GONE_MS);
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 0);
}

/* As npx and uvx do: the program that was started ends, what it started does not. */
static void test_a_wrapper_that_ends(void **state)
{
    struct world *w = *state;
    struct job j = {0};

    assert_ok(spawn(w, &j, "leave", "", why));
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 1);
    assert_int_equal(w->code, 0);
    assert_int_equal(processes_marked(w->mark), 0);
}

static void test_a_flood_that_outlives_the_program(void **state)
{
    struct world *w = *state;
    struct job j = {0};

    assert_ok(spawn(w, &j, "flood-after-exit", "", why));
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 1);
    assert_int_equal(w->code, 4);
    assert_int_equal(processes_marked(w->mark), 0);
}

/* The end of one job does not end another. */
static void test_jobs_are_apart(void **state)
{
    struct world *w = *state;
    struct job a = {0}, b = {0};

    start(w, &a, "daemon", "");
    start(w, &b, "daemon", "");
    child_kill(a.child);
    w->wait_exits = 1;
    loop_run(w->loop);
    assert_int_equal(w->n_exits, 1);
    assert_int_equal(processes_marked(w->mark), 2);
    child_free(b.child);
    assert_in_range(processes_end(w->mark, GONE_MS), 0, GONE_MS);
}

/* ---- what is killed besides */

static void test_a_killed_keeper(void **state)
{
    struct world *w = *state;
    struct job j = {0};
    int keeper = 0;

    start(w, &j, "chain", "10");
    assert_int_equal(processes(NULL, supervisor_pid(w->supervisor), 0, &keeper, 1), 1);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    loop_run(w->loop);
    assert_int_equal(w->n_lost, 1);
    assert_in_range(processes_end(w->mark, GONE_MS), 0, GONE_MS);
    assert_int_equal(processes(NULL, supervisor_pid(w->supervisor), 'Z', NULL, 0), 0);
    start(w, &j, "stay", ""); /* the same supervisor */
    child_free(j.child);
}

/* Nobody is left to sweep: the kernel ends the program with its keeper (PR_SET_PDEATHSIG). */
static void test_a_killed_keeper_of_a_supervisor_that_hangs(void **state)
{
    struct world *w = *state;
    struct job j = {0};
    int keeper = 0, program;

    start(w, &j, "daemon", "");
    program = child_pid(j.child);
    assert_int_equal(processes(NULL, supervisor_pid(w->supervisor), 0, &keeper, 1), 1);
    assert_int_equal(kill(supervisor_pid(w->supervisor), SIGSTOP), 0);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    expect_process_gone(program);
    assert_int_equal(processes_marked(w->mark), 1); /* the daemon */
    assert_int_equal(kill(supervisor_pid(w->supervisor), SIGCONT), 0);
    assert_in_range(processes_end(w->mark, GONE_MS), 0, GONE_MS);
    loop_run(w->loop);
    assert_int_equal(w->n_lost, 1);
}

static void test_a_killed_supervisor(void **state)
{
    struct world *w = *state;
    struct job jobs[N_CHILDREN] = {{0}}, j = {0};
    pid_t first;

    assert_ok(spawn_many(w, jobs, why));
    first = supervisor_pid(w->supervisor);
    assert_int_equal(kill(first, SIGKILL), 0);
    loop_run(w->loop); /* until all have ended */
    assert_int_equal(w->n_exits, N_CHILDREN);
    assert_int_equal(w->n_lost, N_CHILDREN);
    assert_int_equal(processes_marked(w->mark), 0);
    assert_int_equal(supervisor_pid(w->supervisor), 0);
    start(w, &j, "stay", "");
    assert_int_not_equal(supervisor_pid(w->supervisor), first);
    child_free(j.child);
}

/* It was killed while nothing ran: the next start notices. */
static void test_a_supervisor_killed_in_idle_time(void **state)
{
    struct world *w = *state;
    struct job j = {0};

    for (int i = 0; i < 3; i++) {
        start(w, &j, "stay", "");
        child_free(j.child);
        assert_int_equal(kill(supervisor_pid(w->supervisor), SIGKILL), 0);
    }
    start(w, &j, "stay", "");
    child_free(j.child);
}

/* A supervisor that hangs is an error after a while, and what was given to it never starts. */
static void test_a_supervisor_that_hangs(void **state)
{
    struct world *w = *state;
    struct job j = {0};
    struct error err = ERROR_INIT;
    int64_t start_ms;

    start(w, &j, "stay", "");
    child_free(j.child);
    j.child = NULL;
    assert_int_equal(kill(supervisor_pid(w->supervisor), SIGSTOP), 0);
    start_ms = now_ms();
    assert_int_equal(spawn(w, &j, "save", "/no/such/file", &err), STATUS_TIMEOUT);
    assert_in_range(now_ms() - start_ms, SUPERVISOR_WAIT_MS, 2 * SUPERVISOR_WAIT_MS);
    assert_null(j.child);
    assert_int_equal(kill(supervisor_pid(w->supervisor), SIGCONT), 0);
    start(w, &j, "stay", "");
    assert_in_range(processes_marked(w->mark), 1, 1); /* not the one before */
    child_free(j.child);
}

static void test_a_program_that_cannot_supervise(void **state)
{
    struct world *w = *state;
    struct job j = {0};
    struct error err = ERROR_INIT;

    supervisor_free(w->supervisor);
    w->supervisor = supervisor_new("/bin/true", NULL);
    assert_int_equal(spawn(w, &j, "stay", "", &err), STATUS_FAILED);
    assert_non_null(strstr(err.message, "supervisor"));
    supervisor_free(w->supervisor);
    w->supervisor = supervisor_new("/no/such/program", NULL);
    assert_int_equal(spawn(w, &j, "stay", "", &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such/program"));
    assert_null(j.child);
    assert_int_equal(supervisor_pid(w->supervisor), 0);
}

static void test_an_environment_that_is_too_large(void **state)
{
    enum { N = 3 << 20 };
    struct world *w = *state;
    const char *argv[] = {wild_program(), w->mark, "stay", NULL}, *env[] = {NULL, NULL};
    char *text = malloc(N);
    struct child_spec spec = {.argv = argv, .env = env, .supervisor = w->supervisor};
    struct child *c = NULL;
    struct error err = ERROR_INIT;

    assert_non_null(text);
    memset(text, 'x', N);
    memcpy(text, "A=", 2);
    text[N - 1] = '\0';
    env[0] = text;
    assert_int_equal(child_spawn(w->loop, &spec, &c, &err), STATUS_LIMIT);
    text[1 << 20] = '\0'; /* Linux takes 128 KiB a string: the error comes from exec */
    assert_int_equal(child_spawn(w->loop, &spec, &c, &err), STATUS_IO);
    assert_non_null(strstr(err.message, "Argument list too long"));
    assert_null(c);
    free(text);
}

/* Nothing is started for a hub that starts no child. */
static void test_it_starts_with_the_first_child(void **state)
{
    struct world *w = *state;
    struct job j = {0};

    assert_int_equal(supervisor_pid(w->supervisor), 0);
    start(w, &j, "stay", "");
    assert_true(supervisor_pid(w->supervisor) > 0);
    child_free(j.child);
}

/* It has only PATH, no descriptor of the hub, and the hub's terminal cannot reach it. */
static void test_it_keeps_nothing_of_the_hub(void **state)
{
    struct world *w = *state;
    struct job j = {0};
    char text[4096], path[64], target[256];
    int pid;

    assert_int_equal(setenv("TROUPE_TEST_SECRET", "canary", 1), 0);
    start(w, &j, "stay", "");
    assert_int_equal(unsetenv("TROUPE_TEST_SECRET"), 0);
    pid = supervisor_pid(w->supervisor);
    process_file(pid, "environ", text, sizeof(text));
    assert_null(strstr(text, "canary"));
    assert_int_equal(getsid(pid), pid);
    for (int fd = 0; fd < 64; fd++) {
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0 || fd == STDERR_FILENO || fd == 3)
            continue;
        target[n] = '\0';
        if (strncmp(target, "pipe:", 5) != 0 && strncmp(target, "anon_inode:", 11) != 0)
            assert_string_equal(target, "/dev/null");
    }
    assert_int_equal(kill(pid, SIGTERM), 0); /* only the end of the hub ends it */
    assert_int_equal(kill(pid, SIGINT), 0);
    (void)usleep(20000);
    assert_true(process_runs(pid));
    child_free(j.child);
}

/* ---- many */

/* With the zombies. */
static int n_children(int parent)
{
    return processes(NULL, parent, 0, NULL, 0) + processes(NULL, parent, 'Z', NULL, 0);
}

static void test_a_thousand_kills(void **state)
{
    static const char *const modes[] = {"daemon", "deaf", "chain", "stay", "comet", "tree"};
    struct world *w = *state;
    struct job j = {0};
    int n = getenv("TROUPE_SOAK") ? 1000 : 60, n_open, n_own_zombies;
    pid_t supervisor;

    start(w, &j, "stay", "");
    child_free(j.child);
    j.child = NULL;
    loop_run(w->loop);
    supervisor = supervisor_pid(w->supervisor);
    n_open = open_descriptors();
    n_own_zombies = processes(NULL, getpid(), 'Z', NULL, 0);
    for (int i = 0; i < n; i++) {
        start(w, &j, modes[(size_t)i % ARRAY_LEN(modes)], "4");
        if (i % 3 == 0)
            assert_int_equal(kill(child_pid(j.child), SIGKILL), 0); /* from outside */
        else if (i % 3 == 1)
            child_stop(j.child, 0);
        else
            child_free(j.child);
        loop_run(w->loop);
    }
    assert_in_range(processes_end(w->mark, GONE_MS), 0, GONE_MS);
    for (int i = 0; i < 100 && n_children(supervisor) > 0; i++)
        (void)usleep(10000);
    assert_int_equal(n_children(supervisor), 0);
    assert_int_equal(processes(NULL, getpid(), 'Z', NULL, 0), n_own_zombies);
    assert_int_equal(open_descriptors(), n_open);
    assert_int_equal(supervisor_pid(w->supervisor), supervisor);
    assert_int_equal(w->n_exits, n - n / 3);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(test_a_killed_hub_leaves_nothing),
        T(test_the_program_is_a_supervisor),
        T(test_a_killed_hub_is_announced),
        T(test_stopping_ends_every_descendant),
        T(test_freeing_ends_every_descendant),
        T(test_a_wrapper_that_ends),
        T(test_a_flood_that_outlives_the_program),
        T(test_jobs_are_apart),
        T(test_a_killed_keeper),
        T(test_a_killed_keeper_of_a_supervisor_that_hangs),
        T(test_a_killed_supervisor),
        T(test_a_supervisor_killed_in_idle_time),
        T(test_a_supervisor_that_hangs),
        T(test_a_program_that_cannot_supervise),
        T(test_an_environment_that_is_too_large),
        T(test_it_starts_with_the_first_child),
        T(test_it_keeps_nothing_of_the_hub),
        T(test_a_thousand_kills),
    };

    if (supervisor_is_asked(argc, argv))
        return supervisor_main();
    (void)signal(SIGPIPE, SIG_IGN);
    if (strcmp(argv[0], "hub") == 0)
        return hub(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
