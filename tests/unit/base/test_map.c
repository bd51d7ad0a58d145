/* test_map.c - maps keep the order of insertion, and near words are found.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

static void *value_of(intptr_t i)
{
    return (void *)i;
}

static void put_get_remove(void **state)
{
    struct map *m = map_new();

    (void)state;
    assert_null(map_get(m, "a"));
    assert_null(map_remove(m, "a"));
    assert_null(map_put(m, "a", value_of(1)));
    assert_ptr_equal(map_put(m, "a", value_of(2)), value_of(1));
    assert_int_equal(map_size(m), 1);
    assert_ptr_equal(map_get(m, "a"), value_of(2));
    assert_null(map_get(m, ""));
    map_put(m, "", value_of(3));
    assert_ptr_equal(map_get(m, ""), value_of(3));
    assert_ptr_equal(map_remove(m, "a"), value_of(2));
    assert_null(map_get(m, "a"));
    assert_int_equal(map_size(m), 1);
    map_free(m, NULL);
    map_free(NULL, NULL);
}

static void keys_may_hold_any_byte(void **state)
{
    struct map *m = map_new();

    (void)state;
    map_put_n(m, "a\0b", 3, value_of(1));
    map_put_n(m, "a\0c", 3, value_of(2));
    assert_ptr_equal(map_get_n(m, "a\0b", 3), value_of(1));
    assert_ptr_equal(map_get_n(m, "a\0c", 3), value_of(2));
    assert_null(map_get(m, "a"));
    map_free(m, NULL);
}

static void keys_are_copied_and_values_freed(void **state)
{
    struct map *m = map_new();
    char key[8] = "one";

    (void)state;
    map_put(m, key, xstrdup("1"));
    key[0] = 'x';
    assert_string_equal((char *)map_get(m, "one"), "1");
    map_free(m, free);
}

static void iteration_follows_insertion(void **state)
{
    struct map *m = map_new();
    const char *key;
    void *value;
    size_t i = 0;
    intptr_t expected = 0;
    char name[16];

    (void)state;
    for (intptr_t k = 0; k < 500; k++) {
        snprintf(name, sizeof(name), "key%d", (int)(k * 7919 % 500));
        map_put(m, name, value_of(k + 1));
    }
    for (int k = 0; k < 500; k += 2) {
        snprintf(name, sizeof(name), "key%d", k * 7919 % 500);
        assert_non_null(map_remove(m, name));
    }
    while (map_next(m, &i, &key, &value)) {
        snprintf(name, sizeof(name), "key%d", (int)((expected + 1) * 7919 % 500));
        assert_string_equal(key, name);
        assert_ptr_equal(value, value_of(expected + 2));
        expected += 2;
    }
    assert_int_equal(expected, 500);
    map_free(m, NULL);
}

/* Against an array, through thousands of random puts and removals. */
static void behaves_like_an_array(void **state)
{
    struct map *m = map_new();
    intptr_t model[64] = {0};
    size_t live = 0;
    char name[8];

    (void)state;
    for (uint32_t step = 0; step < 20000; step++) {
        struct rng_block b = rng_philox(7, step, 0, 0, 0);
        uint32_t k = rng_below(b.word[0], 64);

        snprintf(name, sizeof(name), "%u", k);
        if (rng_below(b.word[1], 2)) {
            assert_ptr_equal(map_put(m, name, value_of((intptr_t)step + 1)), value_of(model[k]));
            live += model[k] == 0;
            model[k] = (intptr_t)step + 1;
        } else {
            assert_ptr_equal(map_remove(m, name), value_of(model[k]));
            live -= model[k] != 0;
            model[k] = 0;
        }
        assert_int_equal(map_size(m), live);
        k = rng_below(b.word[2], 64);
        snprintf(name, sizeof(name), "%u", k);
        assert_ptr_equal(map_get(m, name), value_of(model[k]));
    }
    map_free(m, NULL);
}

static void near_words(void **state)
{
    static const char *const words[] = {"model",       "name", "steps",
                                        "temperature", "id",   "max_tokens"};
    static const struct {
        const char *word;
        const char *nearest;
    } cases[] = {{"modle", "model"},
                 {"nam", "name"},
                 {"stepps", "steps"},
                 {"model", "model"},
                 {"temperatuer", "temperature"},
                 {"tmprtr", NULL},
                 {"maxtokens", "max_tokens"},
                 {"quite else", NULL},
                 {"", NULL},
                 {"if", "id"},
                 {"xy", NULL},
                 {"mode", "model"},
                 {"mods", NULL},
                 {"ids", "id"},
                 {"tem", "temperature"},
                 {"te", NULL},
                 {"temperator", "temperature"},
                 {"Temprature", "temperature"}};
    char longest[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = nearest_word(cases[i].word, words, ARRAY_LEN(words));

        if (cases[i].nearest)
            assert_string_equal(got, cases[i].nearest);
        else
            assert_null(got);
    }
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_null(nearest_word(longest, words, ARRAY_LEN(words)));
    assert_null(nearest_word("model", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_remove),
        cmocka_unit_test(keys_may_hold_any_byte),
        cmocka_unit_test(keys_are_copied_and_values_freed),
        cmocka_unit_test(iteration_follows_insertion),
        cmocka_unit_test(behaves_like_an_array),
        cmocka_unit_test(near_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
