/* test_env_snapshot.c - in every environment an episode can be put down and taken up at any call,
 * and bytes that were touched are refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/env_play.h"

#include "runtime/base/hash.h"

#define STEPS 12

static const struct env_params rough = {
    .horizon = STEPS, .noise = 0.4, .profile = ENV_HARD, .task_seed = 21, .fault_seed = 22};

static struct env *copy_of(const struct env_ops *ops, const struct env *e)
{
    struct str bytes = STR_INIT, again = STR_INIT;
    struct env *copy = NULL;

    ops->snapshot(e, &bytes);
    assert_ok(ops->restore(bytes.data, bytes.len, &copy, why));
    ops->snapshot(copy, &again);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);
    str_deinit(&bytes);
    str_deinit(&again);
    return copy;
}

static void assert_same_anchor(const struct env_ops *ops, const struct env *a, const struct env *b)
{
    uint8_t x[16] = {0}, y[16] = {0};

    assert_int_equal(ops->anchor(a, x), ops->anchor(b, y));
    assert_memory_equal(x, y, sizeof(x));
}

/* Not by their bytes: those between the fields are anything. */
static void assert_same_verdict(const struct env_verdict *a, const struct env_verdict *b)
{
    struct json *x = env_verdict_json(a), *y = env_verdict_json(b);

    assert_true(jv_equal(x, y));
    jv_unref(x);
    jv_unref(y);
}

/* Restores at every point of an episode; each copy must go on like the original. */
static void copies_go_on_alike(const struct env_ops *ops, struct env_params p, const char *how)
{
    struct env *whole = play_new(ops, p), *e;
    struct str want = STR_INIT, got = STR_INIT, ignored = STR_INIT;
    struct env_verdict v, w = play_expert(ops, whole, how, &want);
    struct env_effect fx = {0};
    struct env_call call;

    e = play_new(ops, p);
    ops->observe_compact(e, &got);
    while (!fx.done) {
        struct env *copy = copy_of(ops, e);

        assert_same_anchor(ops, e, copy);
        str_clear(&ignored);
        v = play_expert(ops, copy, how, &ignored);
        assert_same_verdict(&v, &w);
        for (int32_t i = 0; i < p.horizon; i++)
            assert_int_equal(ops->step_right(copy, i), ops->step_right(whole, i));
        ops->free(copy);
        /* And the original lives on through copies of itself only. */
        copy = copy_of(ops, e);
        ops->free(e);
        e = copy;
        ops->expert(e, how, &call);
        ops->render_call(&call, &got);
        ops->call_compact(e, &call, &fx, &got);
    }
    assert_string_equal(str_cstr(&got), str_cstr(&want));
    v = play_verdict(ops, e);
    assert_same_verdict(&v, &w);
    ops->free(copy_of(ops, e));
    ops->free(e);
    ops->free(whole);
    str_deinit(&want);
    str_deinit(&got);
    str_deinit(&ignored);
}

static void a_copy_at_any_call_goes_on_alike(void **state)
{
    (void)state;
    for (int32_t i = 0; env_at(i); i++) {
        for (int ablation = ENV_ABLATE_NONE; ablation < ENV_ABLATIONS; ablation++) {
            struct env_params p = rough;

            p.ablation = (enum env_ablation)ablation;
            for (int32_t k = 0; k < env_at(i)->n_experts; k++)
                copies_go_on_alike(env_at(i), p, env_at(i)->experts[k]);
        }
    }
}

/* In the middle of a step, after calls that leave something behind in every environment. */
static void make_bytes(const struct env_ops *ops, struct str *bytes)
{
    struct env *e = play_new(ops, rough);
    struct env_effect fx = {0};
    struct env_call call;
    struct str ignored = STR_INIT;

    for (int i = 0; i < 9 && !fx.done; i++) {
        ops->expert(e, "check", &call);
        ops->call_compact(e, &call, &fx, &ignored);
    }
    assert_false(fx.done);
    ops->snapshot(e, bytes);
    ops->free(e);
    str_deinit(&ignored);
}

static void touched_bytes_are_refused(void **state)
{
    (void)state;
    for (int32_t k = 0; env_at(k); k++) {
        const struct env_ops *ops = env_at(k);
        struct error err = ERROR_INIT;
        struct str bytes = STR_INIT;
        struct env *e = NULL;

        make_bytes(ops, &bytes);
        for (size_t i = 0; i < bytes.len; i++) {
            for (int bit = 0; bit < 8; bit++) {
                bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
                assert_int_not_equal(ops->restore(bytes.data, bytes.len, &e, &err), STATUS_OK);
                bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
            }
        }
        for (size_t n = 0; n < bytes.len; n++) {
            char *cut = malloc(n ? n : 1);

            assert_non_null(cut);
            memcpy(cut, bytes.data, n);
            assert_int_not_equal(ops->restore(cut, n, &e, &err), STATUS_OK);
            free(cut);
        }
        assert_null(e);
        str_deinit(&bytes);
    }
}

static void another_environment_refuses_them(void **state)
{
    (void)state;
    for (int32_t i = 0; env_at(i); i++) {
        struct str bytes = STR_INIT;

        make_bytes(env_at(i), &bytes);
        for (int32_t j = 0; env_at(j); j++) {
            struct error err = ERROR_INIT;
            struct env *e = NULL;
            enum status st = env_at(j)->restore(bytes.data, bytes.len, &e, &err);

            assert_int_equal(st, i == j ? STATUS_OK : STATUS_CORRUPT);
            if (e)
                env_at(j)->free(e);
        }
        str_deinit(&bytes);
    }
}

static void seal(struct str *bytes)
{
    uint32_t sum = crc32c(0, bytes->data, bytes->len - 4);

    for (int b = 0; b < 4; b++)
        bytes->data[bytes->len - 4 + (size_t)b] = (char)(sum >> (8 * b));
}

/* Whatever it is, it can be played to its end. */
static void play_out(const struct env_ops *ops, struct env *e)
{
    struct str out = STR_INIT;
    struct env_effect fx = {0};
    struct env_call call;
    uint8_t hash[16];

    ops->observe_compact(e, &out);
    (void)ops->anchor(e, hash);
    for (int i = 0; i < STEPS * 20 && !fx.done; i++) {
        ops->expert(e, "check", &call);
        ops->call_compact(e, &call, &fx, &out);
    }
    assert_true(fx.done);
    (void)play_verdict(ops, e);
    str_deinit(&out);
}

/* A checksum does not stop an attacker who can compute it: every field has bounds. */
static void lies_under_a_right_checksum_are_harmless(void **state)
{
    (void)state;
    for (int32_t k = 0; env_at(k); k++) {
        const struct env_ops *ops = env_at(k);
        struct error err = ERROR_INIT;
        struct str bytes = STR_INIT;
        int64_t taken = 0, refused = 0;

        make_bytes(ops, &bytes);
        for (size_t i = 8; i < bytes.len - 4; i++) {
            for (int value = 0; value < 256; value += value < 16 ? 1 : 48) {
                char kept = bytes.data[i];
                struct env *e = NULL;

                /* A longer horizon is valid. */
                if (i >= 9 && i < 12)
                    break;
                bytes.data[i] = (char)value;
                seal(&bytes);
                if (ops->restore(bytes.data, bytes.len, &e, &err) == STATUS_OK) {
                    if (i != 8)
                        play_out(ops, e);
                    ops->free(e);
                    taken++;
                } else {
                    refused++;
                }
                bytes.data[i] = kept;
            }
        }
        assert_true(taken > 100);
        assert_true(refused > 100);
        str_deinit(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_at_any_call_goes_on_alike),
        cmocka_unit_test(touched_bytes_are_refused),
        cmocka_unit_test(another_environment_refuses_them),
        cmocka_unit_test(lies_under_a_right_checksum_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
