/* supervisor_wire.h - what the hub, its supervisor and the keepers send each other.
 *
 * All three are the same program file, so the messages are plain structs. The sockets are
 * SOCK_SEQPACKET: one message, one packet.
 *
 *   hub -> supervisor   one byte with N_JOB_FDS descriptors: a keeper for this job
 *   supervisor -> hub   one byte, once: it is ready
 *   keeper -> hub       struct keeper_report, on the job's own socket
 *   hub -> keeper       struct keeper_order; the end of the socket is the death of the hub
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_LOOP_SUPERVISOR_WIRE_H
#define TROUPE_RUNTIME_LOOP_SUPERVISOR_WIRE_H

#include <stdint.h>

#define SUPERVISOR_ARGUMENT "--supervise-children"
#define SUPERVISOR_FD       3 /* its end of the socket to the hub */

enum job_fd { JOB_SOCKET, JOB_SPEC, JOB_FOLDER, JOB_STDIN, JOB_STDOUT, JOB_STDERR, N_JOB_FDS };

/* JOB_SPEC is a file in memory: this, then the strings, each with its NUL. */
struct job_spec {
    uint32_t n_argv, n_env;
};

enum keeper_event { KEEPER_STARTED, KEEPER_FAILED, KEEPER_ENDED };

struct keeper_report {
    int32_t event; /* enum keeper_event */
    int32_t value; /* the pid; the errno; the status of waitpid */
    int32_t lost;  /* of KEEPER_ENDED: 1 because the supervisor ended */
};

struct keeper_order {
    int32_t signo; /* for the program's group; KEEPER_END: end everything */
};
#define KEEPER_END 0

#endif
