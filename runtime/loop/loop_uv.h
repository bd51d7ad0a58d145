/* loop_uv.h - the libuv loop itself, for libraries that bring their own handles (runtime/http).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_LOOP_UV_H
#define TROUPE_RUNTIME_LOOP_LOOP_UV_H

#include "runtime/loop/loop.h"

struct uv_loop_s *loop_uv(struct loop *l); /* lent */
/* Runs fn once handles that are closing now are closed, and `rounds` more times those that were
 * closed meanwhile: for a library that closes its handles in steps. loop_free waits for it. */
void loop_after_close(struct loop *l, int rounds, void (*fn)(void *ctx), void *ctx);

#endif
