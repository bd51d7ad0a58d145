/* kernel_test.h - what the tests of kernels share: variants, guarded buffers, numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_KERNEL_TEST_H
#define TROUPE_TESTS_KERNEL_TEST_H

#include <math.h>

#include "kernels/cpu/cpu_backend.h"
#include "tests/support/check.h"

/* One way to run an op: an instruction set and a number of threads. */
struct variant {
    const struct backend *b;
    struct lane lane;
    char name[32];
};

enum { MAX_VARIANTS = 9 };

/* The first is plain C alone, against which the others are compared. */
struct variants {
    struct variant v[MAX_VARIANTS];
    int n;
    struct pool *pools[2];
};

extern struct variants vs; /* from the setup of the group to its teardown */
int variants_setup(void **state);
int variants_teardown(void **state);

/* Buffers that end right before an inaccessible page and live until guard_free. */
struct guard {
    struct {
        char *base;
        size_t bytes;
    } map[512];
    int n;
};

void *guard_alloc(struct guard *g, size_t bytes);
float *guard_floats(struct guard *g, size_t n); /* poisoned with NaN */
float *guard_copy(struct guard *g, const float *from, size_t n);
void guard_free(struct guard *g);

void poison(float *p, size_t n);

/* A counter-based stream, so that a test draws the same everywhere. */
struct draw {
    uint64_t state;
};
uint32_t draw_u32(struct draw *d);
float draw_float(struct draw *d, float low, float high);
float *draw_floats(struct guard *g, struct draw *d, size_t n, float low, float high);

void assert_bits(const float *a, const float *b, size_t n, const char *what, const char *variant);
/* |a - b| <= tolerance * scale everywhere, scale the largest |b| (at least 1e-30). */
void assert_near(const float *a, const double *b, size_t n, double tolerance, const char *what);

/* d loss / d x by central differences; x is left as it was. */
typedef double (*loss_fn)(void *ctx);
void numeric_gradient(loss_fn loss, void *ctx, double *x, size_t n, double *gradient);

double *doubles(const float *from, size_t n); /* malloc'd */

/* A matrix with random rows of `dtype`, packed; `value` (n_out, n_in) gets the values in double. */
struct matrix test_matrix(struct guard *g, struct draw *d, int32_t n_out, int32_t n_in,
                          enum dtype dtype, double *value);

#endif
