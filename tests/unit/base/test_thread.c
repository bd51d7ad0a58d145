/* test_thread.c - a host's crash handler runs in our threads; signals from outside do not reach
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "tests/support/check.h"

#define HANDLER_RAN 42

static void *read_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

static void faults_are_not_blocked(void **state)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    static const int others[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGPIPE};
    sigset_t mask, before, after;
    pthread_t thread;

    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(thread_start(&thread, read_mask, &mask), 0);
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        assert_false(sigismember(&mask, faults[i]));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_true(sigismember(&mask, others[i]));
        assert_int_equal(sigismember(&before, others[i]), sigismember(&after, others[i]));
    }
}

static void handler(int signo)
{
    (void)signo;
    _exit(HANDLER_RAN);
}

static void *write_where_one_may_not(void *arg)
{
    *(volatile char *)arg = 1;
    return NULL;
}

static void a_crash_handler_of_the_host_runs(void **state)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t child;

    (void)state;
    assert_true(page != MAP_FAILED);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sigaction action;
        pthread_t thread;

        memset(&action, 0, sizeof(action));
        action.sa_handler = handler;
        if (sigaction(SIGSEGV, &action, NULL) || sigaction(SIGBUS, &action, NULL) ||
            thread_start(&thread, write_where_one_may_not, page))
            _exit(1);
        pthread_join(thread, NULL);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), HANDLER_RAN);
    munmap(page, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_not_blocked),
        cmocka_unit_test(a_crash_handler_of_the_host_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
