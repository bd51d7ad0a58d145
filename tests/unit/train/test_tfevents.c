/* test_tfevents.c - records byte by byte as TensorFlow's reader expects them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/tfevents.h"
#include "runtime/base/hash.h"
#include "tests/support/check.h"

static uint64_t little(const char *p, int n)
{
    uint64_t v = 0;

    for (int i = n - 1; i >= 0; i--)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

static uint32_t masked(const char *p, size_t n)
{
    uint32_t c = crc32c(0, p, n);

    return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

/* Checks one record and returns its data; *at moves past it. */
static const char *record(const struct str *s, size_t *at, size_t *n)
{
    const char *p = str_cstr(s) + *at;

    assert_true(*at + 12 <= s->len);
    *n = (size_t)little(p, 8);
    assert_int_equal(little(p + 8, 4), masked(p, 8));
    assert_true(*at + 12 + *n + 4 <= s->len);
    assert_int_equal(little(p + 12 + *n, 4), masked(p + 12, *n));
    *at += 16 + *n;
    return p + 12;
}

static void test_header_and_scalar(void **state)
{
    /* Event{wall_time 1.5, file_version "brain.Event:2"}; Event{wall_time 1.5, step 300,
     * summary{value{tag "a/b", simple_value 0.25}}}, encoded by hand. */
    static const char header[] = "\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x1a\x0d"
                                 "brain.Event:2";
    static const char scalar[] =
        "\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\xac\x02\x2a\x0c\x0a\x0a\x0a\x03"
        "a/b\x15\x00\x00\x80\x3e";
    struct str s = STR_INIT;
    size_t at = 0, n;
    const char *data;

    (void)state;
    tfevents_put_header(&s, 1.5);
    tfevents_put_scalar(&s, 1.5, 300, "a/b", 0.25f);
    data = record(&s, &at, &n);
    assert_int_equal(n, sizeof(header) - 1);
    assert_memory_equal(data, header, n);
    data = record(&s, &at, &n);
    assert_int_equal(n, sizeof(scalar) - 1);
    assert_memory_equal(data, scalar, n);
    assert_int_equal(at, s.len);
    str_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_and_scalar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
