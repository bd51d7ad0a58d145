/* serve_count.c - counts what is under way, so that a server that drains knows when it may stop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/loop/loop.h"
#include "runtime/serve/serve_internal.h"

void serve_count(struct serve *s, int32_t delta)
{
    s->n_calls += delta;
    if (s->draining && !s->stopping && s->n_calls == 0)
        loop_defer(s->loop, s->stop, s);
}
