/* test_ledger_snapshot.c - an episode can be put down and taken up at any call, and bytes that
 * were touched are refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/environments/ledger_play.h"

#include "runtime/base/hash.h"

static const struct env_params rough = {
    .horizon = 12, .noise = 0.4, .profile = ENV_HARD, .task_seed = 21, .fault_seed = 22};

static struct env *copy_of(const struct env *e)
{
    struct error err = ERROR_INIT;
    struct str bytes = STR_INIT, again = STR_INIT;
    struct env *copy = NULL;

    ledger()->snapshot(e, &bytes);
    assert_int_equal(ledger()->restore(bytes.data, bytes.len, &copy, &err), STATUS_OK);
    ledger()->snapshot(copy, &again);
    assert_int_equal(again.len, bytes.len);
    assert_memory_equal(again.data, bytes.data, bytes.len);
    str_deinit(&bytes);
    str_deinit(&again);
    return copy;
}

/* Restores at every point of an episode; each copy must go on like the original. */
static void a_copy_at_any_call_goes_on_alike(void **state)
{
    (void)state;
    for (int ablation = ENV_ABLATE_NONE; ablation <= ENV_ABLATE_ALARM; ablation++) {
        struct env_params p = rough;
        struct env *whole, *e;
        struct str want = STR_INIT, got = STR_INIT, ignored = STR_INIT;
        struct env_verdict v, w;
        struct env_effect fx = {0};
        struct env_call call;
        bool right[12];

        p.ablation = (enum env_ablation)ablation;
        whole = play_new(ledger(), p);
        w = play_expert(ledger(), whole, "check", &want);
        for (int32_t i = 0; i < rough.horizon; i++)
            right[i] = ledger()->step_right(whole, i);
        ledger()->free(whole);
        e = play_new(ledger(), p);
        ledger()->observe_compact(e, &got);
        while (!fx.done) {
            struct env *copy = copy_of(e);

            str_clear(&ignored);
            ledger()->observe_compact(copy, &ignored);
            v = play_expert(ledger(), copy, "check", &ignored);
            assert_memory_equal(&v, &w, sizeof(v));
            for (int32_t i = 0; i < rough.horizon; i++)
                assert_int_equal(ledger()->step_right(copy, i), right[i]);
            ledger()->free(copy);
            /* And the original lives on through copies of itself only. */
            copy = copy_of(e);
            ledger()->free(e);
            e = copy;
            ledger()->expert(e, "check", &call);
            ledger()->render_call(&call, &got);
            ledger()->call_compact(e, &call, &fx, &got);
        }
        assert_string_equal(str_cstr(&got), str_cstr(&want));
        v = play_verdict(ledger(), e);
        assert_memory_equal(&v, &w, sizeof(v));
        ledger()->free(copy_of(e));
        ledger()->free(e);
        str_deinit(&want);
        str_deinit(&got);
        str_deinit(&ignored);
    }
}

static void make_bytes(struct str *bytes)
{
    struct env *e = play_new(ledger(), rough);

    (void)play_say(ledger(), e, "UNDO;", ">OK|");
    ledger()->snapshot(e, bytes);
    ledger()->free(e);
}

static void touched_bytes_are_refused(void **state)
{
    struct error err = ERROR_INIT;
    struct str bytes = STR_INIT;
    struct env *e = NULL;

    (void)state;
    make_bytes(&bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
            assert_int_not_equal(ledger()->restore(bytes.data, bytes.len, &e, &err), STATUS_OK);
            bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
        }
    }
    for (size_t n = 0; n < bytes.len; n++) {
        char *cut = malloc(n ? n : 1);

        assert_non_null(cut);
        memcpy(cut, bytes.data, n);
        assert_int_not_equal(ledger()->restore(cut, n, &e, &err), STATUS_OK);
        free(cut);
    }
    assert_null(e);
    str_deinit(&bytes);
}

/* The checksum is no defence against who can compute it: every field has its bounds. */
static void lies_under_a_right_checksum_are_harmless(void **state)
{
    struct error err = ERROR_INIT;
    struct str bytes = STR_INIT;
    int64_t taken = 0, refused = 0;

    (void)state;
    make_bytes(&bytes);
    for (size_t i = 8; i < bytes.len - 4; i++) {
        for (int value = 0; value < 256; value += 51) {
            char kept = bytes.data[i];
            struct env *e = NULL;
            uint32_t sum;

            bytes.data[i] = (char)value;
            sum = crc32c(0, bytes.data, bytes.len - 4);
            for (int b = 0; b < 4; b++)
                bytes.data[bytes.len - 4 + (size_t)b] = (char)(sum >> (8 * b));
            if (ledger()->restore(bytes.data, bytes.len, &e, &err) == STATUS_OK) {
                /* Whatever it is, it can be played to its end. */
                if (play_verdict(ledger(), e).steps < 12)
                    (void)play_expert(ledger(), e, "check", NULL);
                ledger()->free(e);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_at_any_call_goes_on_alike),
        cmocka_unit_test(touched_bytes_are_refused),
        cmocka_unit_test(lies_under_a_right_checksum_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
