/* loop_internal.h - struct loop, for the files of runtime/loop.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_LOOP_INTERNAL_H
#define TROUPE_RUNTIME_LOOP_LOOP_INTERNAL_H

#include <uv.h>

#include "runtime/loop/loop.h"

struct loop_deferred {
    struct loop_deferred *next;
    void (*fn)(void *ctx);
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_idle_t idle; /* active while something is deferred, so that the loop does not wait */
    const struct seams *seams;
    bool running; /* inside loop_run */
    struct loop_deferred *first, *last;
};

#endif
