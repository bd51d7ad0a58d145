/* test_memory.c - allocators keep their promises, and arenas reuse their blocks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/wait.h>

#include "runtime/base/memory.h"
#include "tests/support/check.h"

static void sizes_that_overflow_are_refused(void **state)
{
    void *p = NULL;

    (void)state;
    assert_null(mem_alloc(SIZE_MAX / 2, 3));
    assert_null(mem_alloc(SIZE_MAX, 1));
    assert_null(mem_aligned_alloc(SIZE_MAX / 8, 16));
    assert_false(mem_grow(&p, SIZE_MAX / 2, 3));
    assert_null(p);
}

static void memory_is_zeroed_and_nothing_has_an_address(void **state)
{
    unsigned char *p = mem_alloc(100, 3);
    void *none = mem_alloc(0, 8);

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    assert_non_null(none);
    free(none);
    free(p);
}

static void tensors_are_aligned_and_zeroed(void **state)
{
    static const size_t sizes[] = {1, 63, 64, 65, 4097};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        unsigned char *p = mem_aligned_alloc(sizes[i], 1);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[k], 0);
        mem_aligned_free(p);
    }
    mem_aligned_free(NULL);
}

static void a_test_chooses_the_call_that_fails(void **state)
{
    void *a = NULL;
    void *b;

    (void)state;
    mem_fail_after(3);
    assert_true(mem_grow(&a, 10, 1));
    memset(a, 7, 10);
    b = mem_alloc(1, 1);
    assert_non_null(b);
    assert_false(mem_grow(&a, 20, 1)); /* the third */
    assert_int_equal(((unsigned char *)a)[9], 7);
    assert_true(mem_grow(&a, 20, 1)); /* only the third */
    mem_fail_after(1);
    mem_fail_after(0);
    free(b);
    b = mem_alloc(1, 1);
    assert_non_null(b);
    free(a);
    free(b);
}

static void exhaustion_ends_the_process_with_one_line(void **state)
{
    char line[200] = "";
    int ends[2];
    int status = 0;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        mem_exhausted(12345);
    }
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(line, "troupe: out of memory (12345 bytes asked)\n");
}

static void strings_are_copied(void **state)
{
    char *a = xstrdup("abc");
    char *b = xstrndup("abcdef", 2);
    char *c = xstrndup("ab", 10);

    (void)state;
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "ab");
    free(a);
    free(b);
    free(c);
}

static void arena_memory_is_aligned_zeroed_and_apart(void **state)
{
    struct arena *a = arena_new(0);
    unsigned char *before = NULL;
    size_t before_bytes = 0;

    (void)state;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = arena_alloc(a, n);

        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        for (size_t i = 0; i < before_bytes; i++)
            assert_int_equal(before[i], 0xee);
        memset(p, 0xee, n);
        before = p;
        before_bytes = n;
    }
    arena_free(a);
    arena_free(NULL);
}

static void a_reset_arena_hands_out_the_same_blocks_zeroed(void **state)
{
    struct arena *a = arena_new(4096);
    void *first[8];

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        first[i] = arena_alloc(a, i == 3 ? 20000 : 2000); /* one larger than a block */
        memset(first[i], 0xff, 2000);
    }
    arena_reset(a);
    for (size_t i = 0; i < 8; i++) {
        unsigned char *again = arena_alloc(a, i == 3 ? 20000 : 2000);

        assert_ptr_equal(again, first[i]);
        assert_int_equal(again[0] | again[1999], 0);
    }
    arena_free(a);
}

static void arena_strings(void **state)
{
    struct arena *a = arena_new(1024);
    char *wide;

    (void)state;
    assert_string_equal(arena_strdup(a, "hello"), "hello");
    assert_string_equal(arena_strndup(a, "hello", 4), "hell");
    assert_string_equal(arena_printf(a, "%s-%d", "x", 42), "x-42");
    wide = arena_printf(a, "%5000d", 1);
    assert_int_equal(strlen(wide), 5000);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(memory_is_zeroed_and_nothing_has_an_address),
        cmocka_unit_test(tensors_are_aligned_and_zeroed),
        cmocka_unit_test(a_test_chooses_the_call_that_fails),
        cmocka_unit_test(exhaustion_ends_the_process_with_one_line),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(arena_memory_is_aligned_zeroed_and_apart),
        cmocka_unit_test(a_reset_arena_hands_out_the_same_blocks_zeroed),
        cmocka_unit_test(arena_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
