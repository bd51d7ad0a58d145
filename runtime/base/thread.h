/* thread.h - starting a thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_THREAD_H
#define TROUPE_RUNTIME_BASE_THREAD_H

#include <pthread.h>

/* The new thread blocks signals from outside, so that the threads that expect them get them. The
 * signals of its own errors (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT) are not
 * blocked, so that a host's crash handler runs. Returns 0 or an errno. */
int thread_start(pthread_t *out, void *(*run)(void *), void *arg);

#endif
