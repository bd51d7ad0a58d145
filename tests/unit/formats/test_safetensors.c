/* test_safetensors.c - the reader: valid files of every shape, and every kind of invalid file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>

#include "models/formats/safetensors.h"
#include "runtime/base/memory.h"
#include "tests/support/temp_dir.h"

/* A file: length, header, n zero bytes of data. malloc'd in its exact size, so that ASan detects
 * any read outside it. */
static uint8_t *make_file(const char *header, size_t data_bytes, size_t *n)
{
    const size_t h = strlen(header);
    uint8_t *p = calloc(1, 8 + h + data_bytes);

    assert_non_null(p);
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)((uint64_t)h >> (8 * i));
    memcpy(p + 8, header, h);
    *n = 8 + h + data_bytes;
    return p;
}

static enum status open_text(const char *header, size_t data_bytes, struct tensor_file **out,
                             uint8_t **bytes, struct error *err)
{
    size_t n;

    *bytes = make_file(header, data_bytes, &n);
    return safetensors_from_memory("mem.safetensors", *bytes, n, out, err);
}

static void test_reads_what_is_there(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,4],\"data_offsets\":[20,20]},"
        "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[20,28]}}   ";
    const float two[2] = {1.5f, -2.0f};
    struct tensor_file *st = NULL;
    const struct file_tensor *t;
    uint8_t *bytes;
    float out[6];

    (void)state;
    assert_ok(open_text(header, 28, &st, &bytes, why));
    memcpy(bytes + 8 + strlen(header), two, sizeof(two));
    bytes[8 + strlen(header) + 8 + 1] = 0x40; /* b[0] = 0x4000 as bfloat16: 2.0 */
    assert_int_equal(tensor_file_count(st), 4);
    t = tensor_file_find(st, "b");
    assert_non_null(t);
    assert_int_equal(t->dtype, DTYPE_BF16);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->shape[1], 3);
    assert_int_equal(t->n_elements, 6);
    file_tensor_to_f32(t, 0, 6, out);
    assert_true(out[0] == 2.0f && out[1] == 0.0f);
    file_tensor_to_f32(tensor_file_find(st, "a"), 1, 1, out);
    assert_true(out[0] == -2.0f);
    assert_int_equal(tensor_file_find(st, "empty")->bytes, 0);
    assert_int_equal(tensor_file_find(st, "scalar")->dtype, DTYPE_N);
    assert_null(tensor_file_find(st, "c"));
    assert_null(tensor_file_at(st, 4));
    tensor_file_close(st);
    free(bytes);
}

static void test_require_says_what_is_wrong(void **state)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                                 "\"i\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[8,16]}}";
    const int64_t two = 2, three = 3;
    struct tensor_file *st = NULL;
    const struct file_tensor *t = NULL;
    struct error err = ERROR_INIT;
    uint8_t *bytes;

    (void)state;
    assert_int_equal(open_text(header, 16, &st, &bytes, &err), STATUS_OK);
    assert_int_equal(tensor_file_require(st, "a", 1, &two, &t, &err), STATUS_OK);
    assert_ptr_equal(t, tensor_file_find(st, "a"));
    assert_int_equal(tensor_file_require(st, "zz", 1, &two, &t, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "\"zz\""));
    assert_int_equal(tensor_file_require(st, "a", 1, &three, &t, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "(2)"));
    assert_non_null(strstr(err.message, "(3)"));
    assert_int_equal(tensor_file_require(st, "i", 1, &two, &t, &err), STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.message, "I32"));
    tensor_file_close(st);
    free(bytes);
}

#define T(name, dtype, shape, b, e)                                                                \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #b "," #e "]}"

static void test_lies_are_refused_by_name(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        enum status status;
        const char *says;
    } cases[] = {
        {"", 0, STATUS_INVALID, "does not start with '{'"},
        {"[]", 0, STATUS_INVALID, "does not start with '{'"},
        {"{", 0, STATUS_INVALID, "JSON"},
        {"{}x", 0, STATUS_INVALID, "JSON"},
        {"{}", 1, STATUS_INVALID, "belong to no tensor"},
        {"{\"a\":1}", 0, STATUS_INVALID, "not an object"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("a", "F32", "[1]", 0, 4) "}", 4, STATUS_INVALID,
         "duplicate"},
        {"{\"\":{}}", 0, STATUS_LIMIT, "1 to 1024"},
        {"{\"a\":{\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, STATUS_UNSUPPORTED,
         "Q4"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, STATUS_UNSUPPORTED, "dtype"},
        {"{" T("a", "F32", "3", 0, 4) "}", 4, STATUS_INVALID, "shape"},
        {"{" T("a", "F32", "[-1]", 0, 4) "}", 4, STATUS_INVALID, "shape"},
        {"{" T("a", "F32", "[1.0]", 0, 4) "}", 4, STATUS_INVALID, "shape"},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, STATUS_LIMIT, "8 dimensions"},
        {"{" T("a", "F32", "[4294967296,4294967296]", 0, 4) "}", 4, STATUS_INVALID, "overflows"},
        {"{" T("a", "F32", "[4611686018427387905]", 0, 4) "}", 4, STATUS_INVALID, "overflows"},
        {"{" T("a", "F32", "[9223372036854775805]", 0, 4) "}", 4, STATUS_INVALID, "overflows"},
        {"{" T("a", "F4", "[3]", 0, 1) "}", 1, STATUS_INVALID, "whole bytes"},
        {"{" T("a", "F32", "[1000,1000]", 0, 4) "}", 4, STATUS_INVALID, "4000000 bytes"},
        {"{" T("a", "F32", "[2]", 0, 8) "}", 7, STATUS_INVALID, "truncated"},
        {"{" T("a", "F32", "[262144]", 1, 1048577) "}", 1048576, STATUS_INVALID, "truncated"},
        {"{" T("a", "F32", "[1]", 4, 0) "}", 4, STATUS_INVALID, "[begin, end]"},
        {"{" T("a", "F32", "[1]", -4, 0) "}", 4, STATUS_INVALID, "[begin, end]"},
        {"{" T("a", "F32", "[1]", 0, 99999999999999999999) "}", 4, STATUS_INVALID, ""},
        {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "F32", "[2]", 4, 12) "}", 12, STATUS_INVALID,
         "overlaps"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 0, 4) "}", 4, STATUS_INVALID,
         "overlaps"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 8, 12) "}", 12, STATUS_INVALID,
         "gap"},
        {"{" T("a", "F32", "[1]", 4, 8) "}", 8, STATUS_INVALID, "gap"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("e", "F32", "[0]", 2, 2) "}", 4, STATUS_INVALID,
         "overlaps"},
        {"{\"__metadata__\":{\"a\":1}}", 0, STATUS_INVALID, "not a string"},
        {"{\"__metadata__\":3}", 0, STATUS_INVALID, "__metadata__"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tensor_file *st = NULL;
        struct error err = ERROR_INIT;
        uint8_t *bytes;
        const enum status got = open_text(cases[i].header, cases[i].data, &st, &bytes, &err);

        if (got != cases[i].status || strstr(err.message, cases[i].says) == NULL)
            fail_msg("case %zu: status %s, \"%s\" where %s", i, status_name(got), err.message,
                     err.where);
        assert_null(st);
        free(bytes);
    }
}

static void test_lengths_beyond_the_file(void **state)
{
    static const uint64_t claims[] = {
        1, 3, 16u << 20, (16u << 20) + 1, UINT64_MAX, UINT64_MAX - 7, (uint64_t)INT64_MAX};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        struct tensor_file *st = NULL;
        uint8_t *p = malloc(10);

        for (int b = 0; b < 8; b++)
            p[b] = (uint8_t)(claims[i] >> (8 * b));
        memcpy(p + 8, "{}", 2);
        assert_int_not_equal(safetensors_from_memory("x", p, 10, &st, &err), STATUS_OK);
        for (size_t n = 0; n < 10; n++)
            assert_int_not_equal(safetensors_from_memory("x", p, n, &st, &err), STATUS_OK);
        assert_null(st);
        free(p);
    }
}

/* Every prefix of a good file, and every single bit of its head flipped: an error or a set whose
 * tensors lie inside, never a crash. */
static void test_every_cut_and_flip(void **state)
{
    static const char header[] =
        "{" T("a", "F32", "[2]", 0, 8) "," T("b", "BF16", "[3]", 8, 14) "}";
    size_t n;
    uint8_t *good = make_file(header, 14, &n);

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        struct tensor_file *st = NULL;
        uint8_t *p = malloc(cut ? cut : 1);

        memcpy(p, good, cut);
        assert_int_not_equal(safetensors_from_memory("x", p, cut, &st, NULL), STATUS_OK);
        free(p);
    }
    for (size_t bit = 0; bit < (n - 14) * 8; bit++) {
        struct tensor_file *st = NULL;

        good[bit / 8] = (uint8_t)(good[bit / 8] ^ (1u << (bit % 8)));
        if (safetensors_from_memory("x", good, n, &st, NULL) == STATUS_OK) {
            for (int32_t i = 0; i < tensor_file_count(st); i++) {
                const struct file_tensor *t = tensor_file_at(st, i);
                const uint8_t *data = t->data;

                assert_true(data >= good && data + t->bytes <= good + n);
            }
            tensor_file_close(st);
        }
        good[bit / 8] = (uint8_t)(good[bit / 8] ^ (1u << (bit % 8)));
    }
    free(good);
}

static void test_folders_and_their_index(void **state)
{
    static const struct {
        const char *index;
        enum status status;
        const char *says;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}", STATUS_OK, ""},
        {"{\"weight_map\":{\"a\":\"s1.safetensors\"}}", STATUS_OK, ""},
        {"{\"weight_map\":{\"a\":\"s2.safetensors\",\"b\":\"s1.safetensors\"}}", STATUS_INVALID,
         "not in"},
        {"{\"weight_map\":{\"a\":\"s1.safetensors\",\"c\":\"s1.safetensors\"}}", STATUS_INVALID,
         "\"c\""},
        {"{\"weight_map\":{\"a\":\"../s1.safetensors\"}}", STATUS_INVALID, "same folder"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", STATUS_INVALID, "same folder"},
        {"{\"weight_map\":{\"a\":\".safetensors\"}}", STATUS_INVALID, "same folder"},
        {"{\"weight_map\":{\"a\":7}}", STATUS_INVALID, "same folder"},
        {"{\"weight_map\":{\"a\":\"none.safetensors\"}}", STATUS_NOT_FOUND, "none.safetensors"},
        {"{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s3.safetensors\"}}", STATUS_INVALID,
         "both"},
        {"{\"weight_map\":{}}", STATUS_INVALID, "empty"},
        {"{\"weight_map\":[]}", STATUS_INVALID, "not an object"},
        {"{}", STATUS_INVALID, "not an object"},
    };
    char dir[64];
    size_t n;
    uint8_t *p;
    struct tensor_file *st = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    temp_dir(dir);
    assert_int_equal(safetensors_open_dir(dir, &st, &err), STATUS_NOT_FOUND);
    p = make_file("{" T("a", "F32", "[2]", 0, 8) "}", 8, &n);
    temp_dir_put(dir, "s1.safetensors", p, n);
    free(p);
    p = make_file("{" T("b", "F16", "[2]", 0, 4) "}", 4, &n);
    temp_dir_put(dir, "s2.safetensors", p, n);
    free(p);
    p = make_file("{" T("b", "F16", "[2]", 0, 4) "," T("a", "F16", "[1]", 4, 6) "}", 6, &n);
    temp_dir_put(dir, "s3.safetensors", p, n);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum status got;

        st = NULL;
        err = ERROR_INIT;
        temp_dir_put(dir, "model.safetensors.index.json", cases[i].index, strlen(cases[i].index));
        got = safetensors_open_dir(dir, &st, &err);
        if (got != cases[i].status || strstr(err.message, cases[i].says) == NULL)
            fail_msg("case %zu: status %s, \"%s\"", i, status_name(got), err.message);
        tensor_file_close(st);
    }
    temp_dir_put(dir, "model.safetensors", p, n); /* wins over the index */
    free(p);
    assert_int_equal(safetensors_open_dir(dir, &st, &err), STATUS_OK);
    assert_int_equal(tensor_file_count(st), 2);
    tensor_file_close(st);
    temp_dir_put(dir, "model.safetensors", "", 0);
    assert_int_equal(safetensors_open_dir(dir, &st, &err), STATUS_INVALID);
    assert_int_equal(safetensors_open_file(dir, &st, &err), STATUS_INVALID); /* a folder */
    temp_dir_remove(dir);
}

static void test_no_memory_is_an_error(void **state)
{
    struct tensor_file *st = NULL;
    struct error err = ERROR_INIT;
    uint8_t *bytes;

    (void)state;
    for (uint64_t nth = 1; nth <= 2; nth++) { /* the table, then the list that is sorted */
        mem_fail_after(nth);
        assert_int_equal(open_text("{" T("a", "F32", "[1]", 0, 4) "}", 4, &st, &bytes, &err),
                         STATUS_NO_MEMORY);
        free(bytes);
    }
    mem_fail_after(0);
    assert_null(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_is_there),
        cmocka_unit_test(test_require_says_what_is_wrong),
        cmocka_unit_test(test_lies_are_refused_by_name),
        cmocka_unit_test(test_lengths_beyond_the_file),
        cmocka_unit_test(test_every_cut_and_flip),
        cmocka_unit_test(test_folders_and_their_index),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
