/* test_dtype.c - element types: values and blocks equal those of the Python package gguf, bit for
 * bit. SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>

#include "kernels/dtype.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"
#include "tests/support/fixture_hex.h"
#include "tests/support/temp_dir.h"

static struct json *vectors(void)
{
    struct json *v = NULL;
    char path[512];

    assert_ok(jv_parse_file(fixture_path(path, "tests/fixtures/gguf/blocks.json"), (size_t)1 << 20,
                            &v, why));
    return v;
}

static void test_blocks_have_the_values_of_the_package(void **state)
{
    struct json *all = vectors(), *one;
    const char *name;
    int n_types = 0;

    (void)state;
    for (void *it = NULL; (it = jv_next(jv_get(all, "read"), it, &name, &one)); n_types++) {
        enum dtype t = dtype_find(name);
        size_t n_bytes, n_values;
        uint8_t *blocks = fixture_hex(jv_get(one, "blocks"), &n_bytes);
        float *want = (float *)(void *)fixture_hex(jv_get(one, "values"), &n_values), *got;
        int64_t n = (int64_t)(n_values / sizeof(float));

        assert_int_not_equal(t, DTYPE_N);
        assert_int_equal(dtype_row_bytes(t, n), n_bytes);
        got = malloc(n_values);
        dtype_info(t)->to_f32(blocks, n, got);
        for (int64_t i = 0; i < n; i++)
            if (memcmp(&got[i], &want[i], sizeof(float)) != 0)
                fail_msg("%s: element %d is %.9g, not %.9g", name, (int)i, (double)got[i],
                         (double)want[i]);
        free(got);
        free(want);
        free(blocks);
    }
    assert_int_equal(n_types, DTYPE_N - 1); /* all but f32 */
    jv_unref(all);
}

static void test_values_become_the_blocks_of_the_package(void **state)
{
    struct json *all = vectors(), *one;
    size_t n_values;
    float *x = (float *)(void *)fixture_hex(jv_get(all, "values"), &n_values);
    const char *name;

    (void)state;
    for (void *it = NULL; (it = jv_next(jv_get(all, "written"), it, &name, &one));) {
        enum dtype t = dtype_find(name);
        size_t n_bytes;
        uint8_t *want = fixture_hex(one, &n_bytes), *got = malloc(n_bytes);

        assert_int_equal(dtype_row_bytes(t, (int64_t)(n_values / 4)), n_bytes);
        dtype_info(t)->from_f32(x, (int64_t)(n_values / 4), got);
        for (size_t i = 0; i < n_bytes; i++)
            if (got[i] != want[i])
                fail_msg("%s: byte %zu of block %zu is %02x, not %02x", name,
                         i % (size_t)dtype_info(t)->block_bytes,
                         i / (size_t)dtype_info(t)->block_bytes, got[i], want[i]);
        free(got);
        free(want);
    }
    free(x);
    jv_unref(all);
}

/* Root of the mean square of what is lost, over that of the values: normal numbers. */
static double loss(enum dtype t, float scale)
{
    enum { N = 4096 };
    float *x = malloc(N * sizeof(float)), *y = malloc(N * sizeof(float));
    uint8_t *blocks = malloc(dtype_row_bytes(t, N));
    double off = 0, sum = 0;

    for (uint32_t i = 0; i < N; i++) { /* twelve uniform numbers make a nearly normal one */
        double z = -6;

        for (uint32_t k = 0; k < 6; k++) {
            struct rng_block r = rng_philox(7, i, k, 0, 0);
            z += rng_unit_double(r.word[0], r.word[1]) + rng_unit_double(r.word[2], r.word[3]);
        }
        x[i] = scale * (float)z;
    }
    dtype_info(t)->from_f32(x, N, blocks);
    dtype_info(t)->to_f32(blocks, N, y);
    for (int i = 0; i < N; i++) {
        off += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        sum += (double)x[i] * (double)x[i];
    }
    free(x);
    free(y);
    free(blocks);
    return sqrt(off / sum);
}

/* Bounds a little above what the writers reach; a wrong bit plane or scale is far outside. */
static void test_writing_loses_little(void **state)
{
    static const struct {
        enum dtype t;
        double most;
    } cases[] = {{DTYPE_F32, 0},     {DTYPE_BF16, .0025}, {DTYPE_F16, .0005}, {DTYPE_Q8_0, .006},
                 {DTYPE_Q6_K, .02},  {DTYPE_Q5_1, .041},  {DTYPE_Q5_0, .046}, {DTYPE_Q5_K, .038},
                 {DTYPE_Q4_1, .085}, {DTYPE_Q4_0, .094},  {DTYPE_Q4_K, .077}, {DTYPE_MXFP4, .13}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (float scale = .01f; scale < 20.0f; scale *= 10.0f) {
            double lost = loss(cases[i].t, scale);

            if (!(lost <= cases[i].most))
                fail_msg("%s loses %.5f of normal numbers", dtype_name(cases[i].t), lost);
        }
}

/* Of blocks that the format holds exactly, writing gives the same values again. */
static void test_exact_values_stay(void **state)
{
    static const enum dtype types[] = {DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K};

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(types); k++) {
        float x[256] = {0}, y[256];
        uint8_t block[256];

        dtype_info(types[k])->from_f32(x, 256, block);
        dtype_info(types[k])->to_f32(block, 256, y);
        for (int i = 0; i < 256; i++)
            assert_true(y[i] == 0.0f);
        for (int i = 0; i < 256; i++) /* every scale is .5 and every code is used by its group */
            x[i] = .5f * (float)((i % 16) - (types[k] == DTYPE_Q6_K ? 8 : 0));
        dtype_info(types[k])->from_f32(x, 256, block);
        dtype_info(types[k])->to_f32(block, 256, y);
        for (int i = 0; i < 256; i++)
            if (fabsf(y[i] - x[i]) > .002f * 8.0f)
                fail_msg("%s: %g became %g", dtype_name(types[k]), (double)x[i], (double)y[i]);
    }
}

static void test_names_are_found(void **state)
{
    (void)state;
    for (int t = 0; t < DTYPE_N; t++)
        assert_int_equal(dtype_find(dtype_name((enum dtype)t)), t);
    assert_int_equal(dtype_find("q9_9"), DTYPE_N);
    assert_int_equal(DTYPE_F32, 0); /* in hashes of weights */
    assert_int_equal(DTYPE_BF16, 1);
    assert_int_equal(DTYPE_F16, 2);
    assert_true(dtype_is_plain(DTYPE_F16) && !dtype_is_plain(DTYPE_Q8_0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_have_the_values_of_the_package),
        cmocka_unit_test(test_values_become_the_blocks_of_the_package),
        cmocka_unit_test(test_writing_loses_little),
        cmocka_unit_test(test_exact_values_stay),
        cmocka_unit_test(test_names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
