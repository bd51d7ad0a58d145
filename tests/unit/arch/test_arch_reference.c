/* test_arch_reference.c - a whole model, forward and backward, on the plain references of the ops.
 *
 * Their layouts of panels and of KV pages are others than the CPU's, so this also shows that no
 * layout is known outside a backend. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "models/train/sharded_pass.h"
#include "tests/support/check.h"
#include "tests/support/reference/reference.h"
#include "tests/unit/train/tiny_model.h"

enum { MAX_LEN = 50 };

struct result {
    double loss;
    float *grad, *logp;
    int64_t n_grad, n_logp;
};

static struct result train_on(const struct backend *b, bool tied)
{
    struct model_config c = tiny_config(tied);
    struct weights *w = tiny_weights(&c, b, 8);
    struct sharded_pass_options o = {.max_len = MAX_LEN, .training = true, .recompute = tied};
    struct sharded_pass *pass = NULL;
    struct sharded_pass_output out = {0};
    struct sequences s = {0};
    struct result r = {.n_grad = weights_n_params(w)};

    tiny_batch(&s, &c, 31, 12, MAX_LEN);
    r.n_logp = s.n_tokens;
    r.grad = xcalloc((size_t)r.n_grad, sizeof(*r.grad));
    r.logp = xcalloc((size_t)r.n_logp, sizeof(*r.logp));
    out.logp = r.logp;
    assert_ok(sharded_pass_new(w, &o, &pass, why));
    assert_ok(sharded_pass_train(pass, w, &s, 0.8f, NULL, &out, r.grad, why));
    r.loss = out.loss;
    sharded_pass_free(pass);
    sequences_deinit(&s);
    weights_unref(w);
    return r;
}

static void assert_close(const float *a, const float *b, int64_t n, double tolerance)
{
    double most = 0;

    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)b[i]));
    assert_true(most > 0);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * most))
            fail_msg("element %lld is %.9g, not %.9g", (long long)i, (double)a[i], (double)b[i]);
}

static void test_a_model_on_the_references(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct result want = train_on(reference_backend(), tied);
        struct result got = train_on(cpu_backend(cpu_isa_best()), tied);

        assert_true(fabs(got.loss - want.loss) < 1e-5 * want.loss);
        assert_close(got.logp, want.logp, want.n_logp, 1e-5);
        assert_close(got.grad, want.grad, want.n_grad, 1e-4);
        free(want.grad);
        free(want.logp);
        free(got.grad);
        free(got.logp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_model_on_the_references)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
