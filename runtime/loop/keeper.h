/* keeper.h - the process between the supervisor and one program.
 *
 * Each job has a keeper: a subreaper, so that it knows which processes belong to its job, however
 * often they forked. It ends all of them when the program ends, when the hub orders it, when the
 * hub is gone, and when the supervisor is gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_KEEPER_H
#define TROUPE_RUNTIME_LOOP_KEEPER_H

#include "runtime/loop/supervisor_wire.h"

/* After the death of the hub the program gets SIGTERM and may end by itself for so long. */
#define KEEPER_GRACE_MS 300

/* The whole life of a keeper that was just forked. fd: its descriptors, now owned by it; life_fd: a
 * pipe that ends with the supervisor. */
_Noreturn void keeper_main(const int fd[N_JOB_FDS], int life_fd);

#endif
