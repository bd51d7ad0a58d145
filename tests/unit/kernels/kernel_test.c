/* kernel_test.c - what the tests of kernels share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/kernels/kernel_test.h"

#include <sys/mman.h>

#include "runtime/base/pool.h"

struct variants vs;

int variants_setup(void **state)
{
    static const int32_t threads[3] = {1, 2, 3};

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pool_new(threads[i + 1], &vs.pools[i], NULL), STATUS_OK);
    for (int isa = CPU_ISA_PLAIN; isa <= (int)cpu_isa_best(); isa++)
        for (int t = 0; t < 3; t++) {
            struct variant *v = &vs.v[vs.n++];
            v->b = cpu_backend((enum cpu_isa)isa);
            v->lane.pool = t == 0 ? NULL : vs.pools[t - 1];
            snprintf(v->name, sizeof(v->name), "%s/%d", v->b->name, threads[t]);
        }
    return 0;
}

int variants_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        pool_free(vs.pools[i]);
    return 0;
}

void *guard_alloc(struct guard *g, size_t bytes)
{
    size_t page = 4096, body = (bytes + page - 1) / page * page + page;
    char *base =
        mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(base, MAP_FAILED);
    assert_true(g->n < (int)(sizeof(g->map) / sizeof(g->map[0])));
    assert_int_equal(mprotect(base + body, page, PROT_NONE), 0);
    g->map[g->n].base = base;
    g->map[g->n++].bytes = body + page;
    return base + body - bytes;
}

float *guard_floats(struct guard *g, size_t n)
{
    float *p = guard_alloc(g, n * sizeof(float));
    poison(p, n);
    return p;
}

float *guard_copy(struct guard *g, const float *from, size_t n)
{
    float *p = guard_alloc(g, n * sizeof(float));
    memcpy(p, from, n * sizeof(float));
    return p;
}

void guard_free(struct guard *g)
{
    while (g->n > 0) {
        g->n--;
        munmap(g->map[g->n].base, g->map[g->n].bytes);
    }
}

void poison(float *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = NAN;
}

uint32_t draw_u32(struct draw *d)
{
    uint64_t x = d->state += 0x9e3779b97f4a7c15u; /* splitmix64, Steele and others 2014 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((x ^ (x >> 31)) >> 32);
}

float draw_float(struct draw *d, float low, float high)
{
    return low + (high - low) * (float)(draw_u32(d) >> 8) * (1.0f / 16777216.0f);
}

float *draw_floats(struct guard *g, struct draw *d, size_t n, float low, float high)
{
    float *p = guard_alloc(g, n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        p[i] = draw_float(d, low, high);
    return p;
}

void assert_bits(const float *a, const float *b, size_t n, const char *what, const char *variant)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof(float)) != 0)
            fail_msg("%s, %s: element %zu of %zu is %a, not %a", what, variant, i, n, (double)a[i],
                     (double)b[i]);
}

void assert_near(const float *a, const double *b, size_t n, double tolerance, const char *what)
{
    double scale = 1e-30;

    for (size_t i = 0; i < n; i++)
        scale = fabs(b[i]) > scale ? fabs(b[i]) : scale;
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - b[i]) <= tolerance * scale))
            fail_msg("%s: element %zu of %zu is %.9g, not %.9g (scale %g)", what, i, n,
                     (double)a[i], b[i], scale);
}

struct matrix test_matrix(struct guard *g, struct draw *d, int32_t n_out, int32_t n_in,
                          enum dtype dtype, double *value)
{
    size_t n = (size_t)n_out * (size_t)n_in;
    struct matrix w = {.n_out = n_out, .n_in = n_in, .dtype = dtype};
    const struct backend *b = cpu_backend(CPU_ISA_PLAIN);
    struct lane alone = {0};
    void *rows = guard_alloc(g, n * dtype_size(dtype)), *panels;

    for (size_t i = 0; i < n; i++) {
        float x = draw_float(d, -1.0f, 1.0f);
        void *at = (char *)rows + i * dtype_size(dtype);

        dtype_info(dtype)->from_f32(&x, 1, at);
        dtype_info(dtype)->to_f32(at, 1, &x);
        if (value)
            value[i] = (double)x;
    }
    w.rows = rows;
    panels = guard_alloc(g, b->panels_bytes(&w));
    memset(panels, 0xff, b->panels_bytes(&w));
    b->pack(&alone, &w, panels);
    w.panels = panels;
    return w;
}

void numeric_gradient(loss_fn loss, void *ctx, double *x, size_t n, double *gradient)
{
    const double h = 1e-5;

    for (size_t i = 0; i < n; i++) {
        double was = x[i], above;
        x[i] = was + h;
        above = loss(ctx);
        x[i] = was - h;
        gradient[i] = (above - loss(ctx)) / (2.0 * h);
        x[i] = was;
    }
}

double *doubles(const float *from, size_t n)
{
    double *p = malloc(n * sizeof(double) + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (double)from[i];
    return p;
}
