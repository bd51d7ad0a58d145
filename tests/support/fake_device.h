/* fake_device.h - a backend whose memory the host cannot touch: the CPU's ops behind memory that is
 * mapped twice. The host's view is inaccessible for ever, so that code which reads or writes it
 * ends with a SIGSEGV at that line; ops get the other view. Each op checks that what is backend
 * memory by kernels/ops.def lies within one allocation, and that index tables are host memory;
 * where they do not, the process ends with the name of the op and of the argument.
 *
 * Its bits are those of the CPU. One device a process; any thread may call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_FAKE_DEVICE_H
#define TROUPE_TESTS_FAKE_DEVICE_H

#include "kernels/backend.h"

const struct backend *fake_device(void);

/* Ops and packings that ran since the start. */
int64_t fake_device_n_ops(void);
/* Allocations that are not yet released. */
int64_t fake_device_n_allocations(void);
/* The nth next call of this op (from 1) fails as launches do: late, in the next sync of any lane.
 */
void fake_device_fail(enum backend_op op, int64_t nth);

#endif
