/* Decoding allocates nothing: every allocation of our code is counted, by the linker's --wrap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "tests/unit/engine/engine_fixture.h"

static _Atomic int64_t n_allocations;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_realloc(p, n);
}

int __real_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_posix_memalign(p, align, n);
}

void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_aligned_alloc(align, n);
}

/* The watched call is the first of those that decode together. */
struct watched {
    struct ask ask; /* first */
    int32_t n;
    int64_t at_begin, at_end;
};

static void on_token(struct model_call *c, int32_t id, float logp)
{
    struct watched *w = (struct watched *)(void *)c;

    (void)id;
    (void)logp;
    w->n++;
    if (w->n == 12) /* all are decoding by now */
        w->at_begin = atomic_load(&n_allocations);
    if (w->n == 60)
        w->at_end = atomic_load(&n_allocations);
}

static void decoding_allocates_nothing(void **state)
{
    enum { N = 6 };
    static int32_t ids[64];
    struct ask *a = xcalloc(N, sizeof(*a));
    struct weights *w = tiny_weights(cpu_backend(cpu_isa_best()), 1);
    struct engine_options o = tiny_options(w);
    struct model_session *s[N + 1];
    static const int32_t bias_id[] = {1};
    static const float bias[] = {1};

    (void)state;
    for (int32_t threads = 1; threads <= 2; threads++) {
        struct watched first = {0};
        struct bed b;

        o.n_threads = threads;
        bed_open(&b, &o);
        for (int i = 0; i <= N; i++)
            s[i] = bed_session(&b);
        for (int i = 0; i < N; i++) {
            struct sampling *how = &a[i].call.sampling;

            ask_init(&a[i], &b, s[i], 0, ids, 8 + i, REPLY_MAX);
            how->temperature = i == 0 ? 0 : 1;
            how->top_k = i == 1 ? 5 : 0;
            how->top_p = i == 2 ? 0.8f : 1;
            how->min_p = i == 3 ? 0.1f : 0;
            how->repetition_penalty = i == 4 ? 1.3f : 1;
            how->n_bias = i == 5;
            how->bias_id = bias_id;
            how->bias = bias;
            ask_start(&a[i], &b);
        }
        ask_init(&first.ask, &b, s[N], 0, ids, 10, REPLY_MAX);
        first.ask.call.on_token = on_token;
        ask_start(&first.ask, &b);
        bed_wait(&b, N + 1);
        assert_int_equal(first.n, REPLY_MAX);
        assert_true(first.at_begin > 0);
        assert_int_equal(first.at_begin, first.at_end);
        for (int i = 0; i <= N; i++)
            bed_end(&b, s[i]);
        bed_close(&b);
    }
    weights_unref(w);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
