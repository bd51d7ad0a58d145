/* memory_world.h - a client whose server is in memory (tests/support/http_memory.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_MEMORY_WORLD_H
#define TROUPE_TESTS_MEMORY_WORLD_H

#include "http_peer.h"
#include "runtime/base/memory.h"
#include "tests/support/http_memory.h"

struct world {
    struct bench *bench;
    struct http_memory *memory;
};

static inline int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->bench = bench_new(NULL);
    w->bench->policy = (struct address_policy){.allow_http = false};
    w->memory = http_memory_new(w->bench->loop);
    http_client_free(w->bench->client);
    w->bench->client = http_client_with(w->bench->loop, NULL, http_memory_ops(w->memory));
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;

    http_client_free(w->bench->client);
    w->bench->client = NULL;
    http_memory_free(w->memory);
    bench_free(w->bench);
    free(w);
    return 0;
}

#endif
