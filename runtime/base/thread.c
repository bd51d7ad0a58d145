/* thread.c - starting a thread with its signal mask.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/thread.h"

#include <signal.h>

#include "runtime/base/memory.h"

/* Raised in the thread that causes them. If they were blocked, no handler would run. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

int thread_start(pthread_t *out, void *(*run)(void *), void *arg)
{
    sigset_t blocked, before;
    int failed;

    sigfillset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    failed = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}
