/* thread.h - the one way to start a thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_THREAD_H
#define TROUPE_RUNTIME_BASE_THREAD_H

#include <pthread.h>

/* Signals from outside go to the threads that expect them: the new thread has them blocked. Those
 * that a fault of its own raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT) are
 * not, so that a host's crash handler runs. Returns 0 or an errno. */
int thread_start(pthread_t *out, void *(*run)(void *), void *arg);

#endif
