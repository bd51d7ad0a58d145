/* fake_device_impl.h - memory of the fake device, for fake_device.c and fake_device_ops.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_FAKE_DEVICE_IMPL_H
#define TROUPE_TESTS_FAKE_DEVICE_IMPL_H

#include "kernels/cpu/cpu_backend.h"
#include "tests/support/fake_device.h"

/* The ops' view of `bytes` at p, which must lie in one allocation. NULL stays NULL, and so does
 * anything of no bytes. */
void *fake_view(const char *op, const char *argument, const void *p, size_t bytes);
/* p must be host memory. */
void fake_host(const char *op, const char *argument, const void *p);
/* Counts an op, and fails it when its turn has come. */
void fake_count(enum backend_op op);

/* The ops that are computed. */
const struct backend *fake_cpu(void);

/* One prototype a line of ops.def. Weak: the device lacks an op that has no function, so that a
 * model which needs it is refused by its name. */
#define OP(id, name, parameters) __attribute__((weak)) void fake_##name parameters;
#include "kernels/ops.def"
#undef OP

#endif
