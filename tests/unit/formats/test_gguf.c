/* test_gguf.c - the GGUF reader: a file of the Python package, and every kind of invalid file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/stat.h>
#include <time.h>

#include "models/formats/gguf.h"
#include "runtime/base/seams.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/temp_dir.h"

/* A copy in its exact size, so that ASan detects any read outside it. */
static enum status open_bytes(const struct str *s, struct gguf **out, uint8_t **copy,
                              struct error *err)
{
    *copy = malloc(s->len ? s->len : 1);
    assert_non_null(*copy);
    memcpy(*copy, str_cstr(s), s->len);
    return gguf_from_memory("mem.gguf", *copy, s->len, out, err);
}

static void test_reads_what_the_package_writes(void **state)
{
    struct gguf *g = NULL;
    const struct gguf_value *v;
    const char *text;
    char path[512];
    int64_t i = 0;
    double d = 0;
    bool b = false;
    size_t n, at = 0;

    (void)state;
    assert_ok(gguf_open(fixture_path(path, "tests/fixtures/gguf/package.gguf"), &g, why));
    assert_int_equal(gguf_version(g), 3);
    assert_ok(gguf_get_text(g, "general.architecture", &text, &n, why));
    assert_true(n == 5 && memcmp(text, "qwen3", 5) == 0);
    static const struct {
        const char *key;
        int64_t value;
    } ints[] = {{"test.u8", 200},
                {"test.i8", -100},
                {"test.u16", 60000},
                {"test.i16", -30000},
                {"test.u32", 4000000000},
                {"test.i32", -2000000000},
                {"test.u64", INT64_MAX}, /* 2^63 does not fit */
                {"test.i64", -((int64_t)1 << 62)}};
    for (size_t k = 0; k < ARRAY_LEN(ints); k++) {
        assert_ok(gguf_get_int(g, ints[k].key, INT64_MIN, INT64_MAX, &i, why));
        assert_int_equal(i, ints[k].value);
    }
    assert_ok(gguf_get_real(g, "test.f32", &d, why));
    assert_true(d == 1.5);
    assert_ok(gguf_get_real(g, "test.f64", &d, why));
    assert_true(d == .1);
    assert_ok(gguf_get_bool(g, "test.true", &b, why));
    assert_true(b);
    assert_ok(gguf_get_bool(g, "test.false", &b, why));
    assert_false(b);
    assert_ok(gguf_get_array(g, "test.ints", GGUF_I32, &v, why));
    assert_int_equal(v->count, 3);
    assert_int_equal(gguf_int_at(v, 1), -1);
    assert_ok(gguf_get_array(g, "test.texts", GGUF_STRING, &v, why));
    for (int k = 0; k < 3; k++) {
        static const char *const want[] = {"a", "", "b c"};

        assert_true(gguf_next_text(v, &at, &text, &n));
        assert_true(n == strlen(want[k]) && memcmp(text, want[k], n) == 0);
    }
    assert_false(gguf_next_text(v, &at, &text, &n));
    assert_int_equal(gguf_n_tensors(g), 4);
    assert_int_equal(gguf_tensor_find(g, "half")->dim[0], 5);
    assert_int_equal(gguf_tensor_find(g, "half")->dim[1], 3);
    assert_string_equal(gguf_tensor_find(g, "eight")->type->name, "Q8_0");
    assert_int_equal(gguf_tensor_find(g, "six")->bytes, 210);
    assert_null(gguf_tensor_find(g, "seven"));
    gguf_unref(g);
}

static void test_types_and_kinds_agree_with_their_tables(void **state)
{
    (void)state;
    for (int t = 0; t < DTYPE_N; t++) {
        const struct gguf_type *type = gguf_type_of((enum dtype)t);

        assert_int_equal(type->dtype, t);
        assert_int_equal(type->block, dtype_info((enum dtype)t)->block);
        assert_int_equal(type->block_bytes, dtype_info((enum dtype)t)->block_bytes);
        assert_ptr_equal(gguf_type_at(type->number), type);
    }
    assert_null(gguf_type_at(4)); /* types 4 and 5 are not in use any more */
    assert_string_equal(gguf_kind_name(GGUF_F64), "float64");
}

static void test_values_are_read_only_as_their_type(void **state)
{
    struct gguf *g = NULL;
    struct error err = ERROR_INIT;
    const struct gguf_value *v;
    const char *text;
    char path[512];
    int64_t i;
    double d;
    bool b;
    size_t n;

    (void)state;
    assert_ok(gguf_open(fixture_path(path, "tests/fixtures/gguf/package.gguf"), &g, why));
    assert_int_equal(gguf_get_int(g, "none", 0, 1, &i, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "\"none\""));
    assert_int_equal(gguf_get_int(g, "test.f32", 0, 9, &i, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "is float32, but must be an integer"));
    assert_int_equal(gguf_get_int(g, "test.u8", 0, 199, &i, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "200 is not between 0 and 199"));
    assert_int_equal(gguf_get_int(g, "test.ints", 0, 9, &i, &err), STATUS_INVALID);
    assert_int_equal(gguf_get_int(g, "test.true", 0, 9, &i, &err), STATUS_INVALID);
    assert_int_equal(gguf_get_real(g, "test.u8", &d, &err), STATUS_INVALID);
    assert_int_equal(gguf_get_bool(g, "test.u8", &b, &err), STATUS_INVALID);
    assert_int_equal(gguf_get_text(g, "test.texts", &text, &n, &err), STATUS_INVALID);
    /* Scores of tokens that are stored as other numbers, for example. */
    assert_int_equal(gguf_get_array(g, "test.ints", GGUF_F32, &v, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "an array of int32, but must be an array of float32"));
    gguf_unref(g);
}

/* ---- files that are refused */

static const uint64_t four[] = {4}, huge[] = {(uint64_t)1 << 62, 8}, over[] = {UINT64_MAX - 2},
                      zero[] = {0}, many[] = {2, 2, 2, 2, 2}, odd[] = {33}, row[] = {32};

static void claims_keys(struct str *s)
{
    gb_head(s, 3, 0, 100000000);
    gb_number(s, 0, 8);
    gb_number(s, 0, 8);
    gb_number(s, 0, 4); /* 44 bytes */
}
static void claims_tensors(struct str *s)
{
    gb_head(s, 3, 100000, 0);
    gb_number(s, 0, 8);
}
static void claims_most_tensors(struct str *s)
{
    gb_head(s, 3, UINT64_MAX, 0);
    gb_number(s, 0, 8);
}
static void long_key(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_number(s, UINT64_MAX, 8);
    gb_data(s, 1, 20);
}
static void empty_key(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_u32(s, "", 1);
    gb_data(s, 1, 20);
}
static void nul_in_key(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_number(s, 3, 8);
    str_append(s, "a\0b", 3);
    gb_number(s, GGUF_U32, 4);
    gb_number(s, 0, 4);
}
static void key_twice(struct str *s)
{
    gb_head(s, 3, 0, 2);
    gb_u32(s, "a.b", 1);
    gb_u32(s, "a.b", 1);
}
static void unknown_kind(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_key(s, "k", 13);
    gb_number(s, 0, 8);
}
static void long_text(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_key(s, "k", GGUF_STRING);
    gb_number(s, 1000, 8);
    gb_data(s, 1, 20);
}
static void long_array(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_key(s, "k", GGUF_ARRAY);
    gb_number(s, GGUF_U64, 4);
    gb_number(s, ((uint64_t)1 << 61) + 1, 8); /* times 8 it wraps to 8 */
    gb_data(s, 1, 8);
}
static void long_text_array(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_key(s, "k", GGUF_ARRAY);
    gb_number(s, GGUF_STRING, 4);
    gb_number(s, 1000000, 8);
    gb_data(s, 1, 80);
}
static void nested_array(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_key(s, "k", GGUF_ARRAY);
    gb_number(s, GGUF_ARRAY, 4);
    gb_number(s, 1, 8);
    gb_data(s, 1, 40);
}
static void odd_bool(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_key(s, "k", GGUF_BOOL);
    gb_number(s, 2, 1);
}
static void alignment(struct str *s, uint32_t a)
{
    gb_head(s, 3, 1, 1);
    gb_u32(s, "general.alignment", a);
    gb_tensor(s, "t", 1, four, 0, 0);
    gb_data(s, 32, 16);
}
static void alignment_0(struct str *s)
{
    alignment(s, 0);
}
static void alignment_24(struct str *s)
{
    alignment(s, 24);
}
static void alignment_huge(struct str *s)
{
    alignment(s, 1u << 31);
}
static void alignment_text(struct str *s)
{
    gb_head(s, 3, 0, 1);
    gb_key(s, "general.alignment", GGUF_STRING);
    gb_text(s, "32");
}
static void one_tensor(struct str *s, const char *name, int n_dims, const uint64_t *dim,
                       uint32_t type, uint64_t offset, size_t data)
{
    gb_head(s, 3, 1, 0);
    gb_tensor(s, name, n_dims, dim, type, offset);
    gb_data(s, 32, data);
}
static void five_dims(struct str *s)
{
    one_tensor(s, "t", 5, many, 0, 0, 128);
}
static void no_dims(struct str *s)
{
    one_tensor(s, "t", 0, four, 0, 0, 16);
}
static void zero_dim(struct str *s)
{
    one_tensor(s, "t", 1, zero, 0, 0, 16);
}
static void wrapping_dim(struct str *s)
{
    one_tensor(s, "t", 1, over, 0, 0, 16);
}
static void wrapping_product(struct str *s)
{
    one_tensor(s, "t", 2, huge, 0, 0, 16);
}
static void wrapping_bytes(struct str *s)
{
    one_tensor(s, "t", 1, huge, 0, 0, 16);
}
static void outside(struct str *s)
{
    one_tensor(s, "t", 1, four, 0, 32, 16);
}
static void far_outside(struct str *s)
{
    one_tensor(s, "t", 1, four, 0, UINT64_MAX - 31, 16);
}
static void one_byte_short(struct str *s)
{
    one_tensor(s, "t", 1, four, 0, 0, 15);
}
static void unaligned(struct str *s)
{
    one_tensor(s, "t", 1, four, 0, 4, 64);
}
static void unknown_type(struct str *s)
{
    one_tensor(s, "t", 1, four, 99, 0, 16);
}
static void retired_type(struct str *s)
{
    one_tensor(s, "t", 1, row, 4, 0, 20);
}
static void broken_row(struct str *s)
{
    one_tensor(s, "t", 1, odd, 8, 0, 68);
}
static void after_the_end(struct str *s)
{
    one_tensor(s, "t", 1, four, 0, 0, 16 + 32);
}
static void long_name(struct str *s)
{
    char name[300];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    one_tensor(s, name, 1, four, 0, 0, 16);
}
static void two_tensors(struct str *s, const char *second, uint64_t offset, size_t data)
{
    gb_head(s, 3, 2, 0);
    gb_tensor(s, "t", 1, four, 0, 0);
    gb_tensor(s, second, 1, four, 0, offset);
    gb_data(s, 32, data);
}
static void name_twice(struct str *s)
{
    two_tensors(s, "t", 32, 48);
}
static void overlap(struct str *s)
{
    two_tensors(s, "u", 0, 16);
}
static void gap(struct str *s)
{
    two_tensors(s, "u", 64, 80);
}
static void no_magic(struct str *s)
{
    str_puts(s, "GGLA0000");
    gb_data(s, 1, 64);
}
static void version_1(struct str *s)
{
    gb_head(s, 1, 0, 0);
}
static void version_4(struct str *s)
{
    gb_head(s, 4, 0, 0);
}
static void big_endian(struct str *s)
{
    gb_head(s, 3u << 24, 0, 0);
}

static void test_invalid_files_are_refused(void **state)
{
    static const struct {
        void (*make)(struct str *s);
        enum status status;
        const char *says;
    } cases[] = {
        {claims_keys, STATUS_LIMIT, "100000000 keys"},
        {claims_tensors, STATUS_LIMIT, "100000 tensors"},
        {claims_most_tensors, STATUS_LIMIT, "18446744073709551615 tensors"},
        {long_key, STATUS_INVALID, "a key has 18446744073709551615 bytes"},
        {empty_key, STATUS_LIMIT, "a key must have 1 to"},
        {nul_in_key, STATUS_INVALID, "NUL"},
        {key_twice, STATUS_INVALID, "\"a.b\": the key is there twice"},
        {unknown_kind, STATUS_INVALID, "unknown value type 13"},
        {long_text, STATUS_INVALID, "a string has 1000 bytes"},
        {long_array, STATUS_INVALID, "larger than the rest of the file"},
        {long_text_array, STATUS_INVALID, "larger than the rest of the file"},
        {nested_array, STATUS_UNSUPPORTED, "array of arrays"},
        {odd_bool, STATUS_INVALID, "neither 0 nor 1"},
        {alignment_0, STATUS_INVALID, "0 is not a power of two"},
        {alignment_24, STATUS_INVALID, "24 is not a power of two"},
        {alignment_huge, STATUS_INVALID, "2147483648 is not a power of two"},
        {alignment_text, STATUS_INVALID, "must be a uint32"},
        {five_dims, STATUS_INVALID, "5 dimensions"},
        {no_dims, STATUS_INVALID, "0 dimensions"},
        {zero_dim, STATUS_INVALID, "a dimension is 0"},
        {wrapping_dim, STATUS_INVALID, "larger than 2^63"},
        {wrapping_product, STATUS_INVALID, "product of its shape overflows"},
        {wrapping_bytes, STATUS_INVALID, "size in bytes overflows"},
        {outside, STATUS_INVALID, "outside the file"},
        {far_outside, STATUS_INVALID, "outside the file"},
        {one_byte_short, STATUS_INVALID, "outside the file"},
        {unaligned, STATUS_INVALID, "not a multiple of the alignment"},
        {unknown_type, STATUS_UNSUPPORTED, "type 99 is unknown"},
        {retired_type, STATUS_UNSUPPORTED, "type 4 is unknown"},
        {broken_row, STATUS_INVALID, "rows of 33 elements, but Q8_0 has blocks of 32"},
        {after_the_end, STATUS_INVALID, "32 bytes after the last tensor"},
        {long_name, STATUS_LIMIT, "the name of a tensor must have"},
        {name_twice, STATUS_INVALID, "\"t\" is there twice"},
        {overlap, STATUS_INVALID, "overlaps"},
        {gap, STATUS_INVALID, "gap"},
        {no_magic, STATUS_INVALID, "not a GGUF file"},
        {version_1, STATUS_UNSUPPORTED, "version 1"},
        {version_4, STATUS_UNSUPPORTED, "version 4"},
        {big_endian, STATUS_UNSUPPORTED, "big-endian"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct str s = STR_INIT;
        struct gguf *g = NULL;
        uint8_t *bytes;
        int64_t start = seams_mono_us(seams_real());
        enum status st;

        cases[i].make(&s);
        st = open_bytes(&s, &g, &bytes, &err);
        if (st != cases[i].status || !strstr(err.message, cases[i].says))
            fail_msg("case %zu (\"%s\"): %s: %s", i, cases[i].says, status_name(st), err.message);
        assert_true(seams_mono_us(seams_real()) - start < 1000000); /* sanitizers, loaded machine */
        free(bytes);
        str_deinit(&s);
    }
}

static void test_both_versions_and_alignments_are_read(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++)
        for (uint32_t a = 8; a <= 65536; a *= 2) {
            struct str s = STR_INIT;
            struct gguf *g = NULL;
            uint8_t *bytes;
            size_t data_at;

            gb_head(&s, version, 2, 1);
            gb_u32(&s, "general.alignment", a);
            gb_tensor(&s, "t", 1, four, 0, 0);
            gb_tensor(&s, "u", 1, four, 0, a < 16 ? 16 : a);
            gb_data(&s, a, 0);
            data_at = s.len;
            gb_data(&s, 1, (a < 16 ? 16 : a) + 16);
            assert_ok(open_bytes(&s, &g, &bytes, why));
            assert_int_equal(gguf_version(g), version);
            assert_int_equal(gguf_alignment(g), a);
            assert_ptr_equal(gguf_tensor_find(g, "t")->data, bytes + data_at);
            assert_ptr_equal(gguf_tensor_find(g, "u")->data, bytes + data_at + (a < 16 ? 16 : a));
            gguf_unref(g);
            free(bytes);
            str_deinit(&s);
        }
}

/* Every cut and every changed byte: an error, or tensors inside the file. */
static void test_no_damage_reads_outside(void **state)
{
    char path[512], *text = NULL;
    size_t n = 0;

    (void)state;
    assert_ok(
        file_read(fixture_path(path, "tests/fixtures/gguf/package.gguf"), 1 << 20, &text, &n, why));
    for (size_t cut = 0; cut < n - GGUF_ALIGNMENT; cut++) {
        struct str s = STR_INIT;
        struct gguf *g = NULL;
        uint8_t *bytes;

        str_append(&s, text, cut);
        assert_int_not_equal(open_bytes(&s, &g, &bytes, NULL), STATUS_OK);
        free(bytes);
        str_deinit(&s);
    }
    for (size_t i = 0; i < n; i++) {
        struct str s = STR_INIT;
        struct gguf *g = NULL;
        uint8_t *bytes, sum = 0;

        text[i] = (char)(text[i] ^ (1 << (i % 8)));
        str_append(&s, text, n);
        if (open_bytes(&s, &g, &bytes, NULL) == STATUS_OK)
            for (int32_t t = 0; t < gguf_n_tensors(g); t++)
                for (size_t k = 0; k < gguf_tensor_at(g, t)->bytes; k++)
                    sum = (uint8_t)(sum + gguf_tensor_at(g, t)->data[k]);
        text[i] = (char)(text[i] ^ (1 << (i % 8)));
        (void)sum;
        gguf_unref(g);
        free(bytes);
        str_deinit(&s);
    }
    free(text);
}

/* ---- split files */

static void put_part(const char *dir, const char *name, uint16_t no, uint16_t count,
                     const char *tensor)
{
    struct str s = STR_INIT;

    gb_head(&s, 3, 1, 3);
    gb_key(&s, "split.no", GGUF_U16);
    gb_number(&s, no, 2);
    gb_key(&s, "split.count", GGUF_U16);
    gb_number(&s, count, 2);
    gb_key(&s, "split.tensors.count", GGUF_I32);
    gb_number(&s, 3, 4);
    gb_tensor(&s, tensor, 1, four, 0, 0);
    gb_data(&s, 32, 16);
    temp_dir_put(dir, name, str_cstr(&s), s.len);
    str_deinit(&s);
}

static enum status open_in(const char *dir, const char *name, struct gguf **out, struct error *err)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return gguf_open(path, out, err);
}

static void test_parts_are_one_model(void **state)
{
    struct gguf *g = NULL;
    struct error err = ERROR_INIT;
    char dir[64];

    (void)state;
    temp_dir(dir);
    put_part(dir, "m-00001-of-00003.gguf", 0, 3, "a");
    put_part(dir, "m-00002-of-00003.gguf", 1, 3, "b");
    assert_int_equal(open_in(dir, "m-00001-of-00003.gguf", &g, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "m-00003-of-00003.gguf"));
    put_part(dir, "m-00003-of-00003.gguf", 2, 3, "c");
    assert_ok(open_in(dir, "m-00001-of-00003.gguf", &g, why));
    assert_int_equal(gguf_n_parts(g), 3);
    assert_int_equal(gguf_n_tensors(g), 3);
    assert_string_equal(gguf_tensor_at(g, 2)->name, "c");
    assert_non_null(strstr(gguf_tensor_find(g, "b")->file, "00002-of"));
    gguf_unref(g);
    g = NULL;
    assert_int_equal(open_in(dir, "m-00002-of-00003.gguf", &g, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "give the first part"));
    put_part(dir, "m-00003-of-00003.gguf", 2, 3, "a"); /* a name of another part */
    assert_int_equal(open_in(dir, "m-00001-of-00003.gguf", &g, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "is there twice"));
    put_part(dir, "m-00003-of-00003.gguf", 1, 3, "c");
    assert_int_equal(open_in(dir, "m-00001-of-00003.gguf", &g, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "is part 2 of 3, not 3 of 3"));
    put_part(dir, "other.gguf", 0, 2, "a");
    assert_int_equal(open_in(dir, "other.gguf", &g, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "does not end with -00001-of-00002.gguf"));
    put_part(dir, "m-00001-of-00002.gguf", 0, 2, "a");
    put_part(dir, "m-00002-of-00002.gguf", 1, 2, "b");
    assert_int_equal(open_in(dir, "m-00001-of-00002.gguf", &g, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "split.tensors.count"));
    temp_dir_remove(dir);
}

/* ---- other files in place of weights */

static void test_other_files_are_named(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says, *hint;
    } cases[] = {
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", 56, "Git LFS pointer",
         "git lfs pull"},
        {"PK\003\004\024\000\000\000", 8, "zip archive", "safetensors or GGUF"},
        {"\x80\x02}q\000.", 6, "Python pickle", "safetensors or GGUF"},
        {"<!DOCTYPE html><html>", 21, "web page", "fetch"},
        {"\x02\0\0\0\0\0\0\0{\"\"}", 12, "safetensors file", "folder"},
        {"tjgg\001\000\000\000", 8, "older ggml format", "convert"},
    };
    char dir[64];

    (void)state;
    temp_dir(dir);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct gguf *g = NULL;

        temp_dir_put(dir, "m.gguf", cases[i].bytes, cases[i].n);
        assert_int_equal(open_in(dir, "m.gguf", &g, &err), STATUS_INVALID);
        if (!strstr(err.message, cases[i].says) || !strstr(err.hint, cases[i].hint))
            fail_msg("case %zu: %s; %s", i, err.message, err.hint);
    }
    temp_dir_put(dir, "m.gguf", "", 0);
    struct error err = ERROR_INIT;
    struct gguf *g = NULL;
    assert_int_equal(open_in(dir, "m.gguf", &g, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "is empty"));
    assert_int_equal(open_in(dir, "none.gguf", &g, &err), STATUS_NOT_FOUND);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_the_package_writes),
        cmocka_unit_test(test_types_and_kinds_agree_with_their_tables),
        cmocka_unit_test(test_values_are_read_only_as_their_type),
        cmocka_unit_test(test_invalid_files_are_refused),
        cmocka_unit_test(test_both_versions_and_alignments_are_read),
        cmocka_unit_test(test_no_damage_reads_outside),
        cmocka_unit_test(test_parts_are_one_model),
        cmocka_unit_test(test_other_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
