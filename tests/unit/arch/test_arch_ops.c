/* test_arch_ops.c - what models and training need of a backend is asked for before they run.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/optimizer.h"
#include "models/train/packed_pass.h"
#include "models/train/sharded_pass.h"
#include "tests/support/check.h"
#include "tests/unit/train/tiny_model.h"

/* The table without the ops of a set. */
static void drop_ops(struct backend *b, op_set ops)
{
#define OP(id, name, parameters)                                                                   \
    if (ops & OP_BIT(id))                                                                          \
        b->name = NULL;
#include "kernels/ops.def"
#undef OP
}

static op_set bit(int op)
{
    return (op_set)1 << op;
}

static void assert_lacks(enum status st, const struct error *err, int op, const char *needs)
{
    char want[160];

    snprintf(want, sizeof(want), "backend cpu-plain has no op \"%s\", which %s needs",
             backend_op_name((enum backend_op)op), needs);
    assert_int_equal(st, STATUS_UNSUPPORTED);
    assert_string_equal(err->message, want);
}

static void test_forward_ops(void **state)
{
    struct model_config c = tiny_config(true);
    const struct arch *a = arch_find(c.architecture);
    op_set needed = a->ops(&c, false);
    int n = 0;

    (void)state;
    for (int op = 0; op < BACKEND_OP_N; op++) {
        struct backend b = *cpu_backend(CPU_ISA_PLAIN);
        struct error err = ERROR_INIT;
        enum status st;

        drop_ops(&b, bit(op));
        st = arch_check(a, &c, &b, &err);
        if (needed & bit(op)) {
            assert_lacks(st, &err, op, "qwen3");
            n++;
        } else {
            assert_int_equal(st, STATUS_OK);
        }
    }
    assert_true(n >= 7);
}

/* The same for a pass on weights whose backend lost an op after they were made. */
static enum status pass_without(op_set ops, bool training, struct error *err)
{
    struct model_config c = tiny_config(true);
    struct backend b = *cpu_backend(CPU_ISA_PLAIN);
    struct weights *w = tiny_weights(&c, &b, 5);
    struct packed_pass_shape shape = {.max_rows = 16, .max_pos = 16, .training = training};
    struct packed_pass *p = NULL;
    enum status st;

    drop_ops(&b, ops);
    st = packed_pass_new(w, &shape, &p, err);
    packed_pass_free(p);
    weights_unref(w);
    return st;
}

static void test_training_ops(void **state)
{
    struct model_config c = tiny_config(true);
    const struct arch *a = arch_find(c.architecture);
    op_set forward = a->ops(&c, false) | OP_BIT(LOGSUMEXP), backward = a->ops(&c, true);
    const op_set head = OP_BIT(SOFTMAX_GRAD) | OP_BIT(MATMUL_DX) | OP_BIT(MATMUL_DW);

    (void)state;
    assert_true(backward & OP_BIT(ATTENTION_BACK));
    for (int op = 0; op < BACKEND_OP_N; op++) {
        struct error err = ERROR_INIT;
        enum status st = pass_without(bit(op), true, &err);

        if (bit(op) & OP_BIT(LOGSUMEXP))
            assert_lacks(st, &err, op, "the loss");
        else if (bit(op) & head)
            assert_lacks(st, &err, op, "the gradient of the loss");
        else if (bit(op) & forward)
            assert_lacks(st, &err, op, "qwen3");
        else if (bit(op) & backward)
            assert_lacks(st, &err, op, "training of qwen3");
        else
            assert_int_equal(st, STATUS_OK);
        /* A forward pass asks for nothing of the backward. */
        st = pass_without(backward | head, false, &err);
        assert_int_equal(st, STATUS_OK);
    }
}

/* The sets are whole: with all other ops away, a step of training runs. */
static void test_nothing_else_is_called(void **state)
{
    struct model_config c = tiny_config(true);
    const struct arch *a = arch_find(c.architecture);
    struct backend b = *cpu_backend(CPU_ISA_PLAIN);
    struct weights *w = tiny_weights(&c, &b, 5);
    struct sharded_pass_options o = {.max_len = 16, .training = true};
    struct optimizer_step step = {.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .scale = 1};
    struct sharded_pass_output out = {0};
    struct sharded_pass *pass;
    struct optimizer opt;
    double norm;
    struct sequences batch = {0};
    float *grad = xcalloc((size_t)weights_n_params(w), sizeof(*grad));
    op_set needed = a->ops(&c, false) | a->ops(&c, true) | OP_BIT(LOGSUMEXP) |
                    OP_BIT(SOFTMAX_GRAD) | OP_BIT(ADD) | OP_BIT(SUM_SQUARES) | OP_BIT(ADAMW);

    (void)state;
    drop_ops(&b, ~needed);
    tiny_batch(&batch, &c, 3, 4, 16);
    assert_ok(sharded_pass_new(w, &o, &pass, why));
    assert_ok(optimizer_init_weights(&opt, w, why));
    assert_ok(sharded_pass_train(pass, w, &batch, 1, NULL, &out, grad, why));
    assert_ok(optimizer_step(&opt, NULL, &step, grad, &norm, why));
    assert_true(norm > 0);
    optimizer_deinit(&opt);
    sharded_pass_free(pass);
    sequences_deinit(&batch);
    weights_unref(w);
    free(grad);
}

static void test_training_names_its_own_ops(void **state)
{
    const struct {
        int op;
        const char *needs;
    } cases[] = {{BACKEND_OP_ADD, "training"},
                 {BACKEND_OP_SUM_SQUARES, "the optimiser"},
                 {BACKEND_OP_ADAMW, "the optimiser"}};
    struct model_config c = tiny_config(true);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct backend b = *cpu_backend(CPU_ISA_PLAIN);
        struct weights *w = tiny_weights(&c, &b, 5);
        struct sharded_pass_options o = {.max_len = 16, .training = true};
        struct sharded_pass *pass = NULL;
        struct optimizer opt;
        struct error err = ERROR_INIT;
        enum status st;

        drop_ops(&b, bit(cases[i].op));
        st = cases[i].op == BACKEND_OP_ADD ? sharded_pass_new(w, &o, &pass, &err)
                                           : optimizer_init_weights(&opt, w, &err);
        assert_lacks(st, &err, cases[i].op, cases[i].needs);
        weights_unref(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_ops),
        cmocka_unit_test(test_training_ops),
        cmocka_unit_test(test_nothing_else_is_called),
        cmocka_unit_test(test_training_names_its_own_ops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
