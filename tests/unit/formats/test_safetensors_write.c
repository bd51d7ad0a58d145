/* test_safetensors_write.c - written files can be read back, are the same each time, and are
 * complete or absent when the disk fails.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include "models/formats/safetensors.h"
#include "runtime/base/memory.h"
#include "tests/support/temp_dir.h"

static const float A[6] = {0, 1, -1.5f, 3.1415927f, 1e-8f, 65504};
static const uint16_t B[3] = {0x3f80, 0x4000, 0xc000};

static struct safetensor_source tensors[4]; /* filled by setup; the same in every test */

static int setup(void **state)
{
    (void)state;
    tensors[0] = (struct safetensor_source){"z.weight", DTYPE_BF16, DTYPE_BF16, 1, {3}, B};
    tensors[1] = (struct safetensor_source){"a.weight", DTYPE_F32, DTYPE_F32, 2, {2, 3}, A};
    tensors[2] = (struct safetensor_source){"b.half", DTYPE_F16, DTYPE_F32, 2, {3, 2}, A};
    tensors[3] = (struct safetensor_source){"c.brain", DTYPE_BF16, DTYPE_F32, 1, {6}, A};
    return 0;
}

struct place {
    char dir[64];
    char path[128];
};

static void make_place(struct place *p)
{
    temp_dir(p->dir);
    snprintf(p->path, sizeof(p->path), "%s/model.safetensors", p->dir);
}

static void check_content(const struct tensor_file *st)
{
    float got[6];

    assert_int_equal(tensor_file_count(st), 4);
    file_tensor_to_f32(tensor_file_find(st, "a.weight"), 0, 6, got);
    assert_memory_equal(got, A, sizeof(A));
    file_tensor_to_f32(tensor_file_find(st, "z.weight"), 0, 3, got);
    assert_true(got[0] == 1 && got[1] == 2 && got[2] == -2);
    file_tensor_to_f32(tensor_file_find(st, "b.half"), 0, 6, got);
    assert_true(got[1] == 1 && got[2] == -1.5f && got[5] == 65504);
    assert_true(got[3] == 3.140625f);
    file_tensor_to_f32(tensor_file_find(st, "c.brain"), 0, 6, got);
    assert_true(got[1] == 1 && got[2] == -1.5f && got[3] == 3.140625f);
}

static void test_reads_back_and_is_deterministic(void **state)
{
    struct place p;
    struct tensor_file *st = NULL;
    char *first, *second;
    size_t n, m;
    struct error err = ERROR_INIT;
    struct json *metadata = jv_object();
    struct safetensor_source swapped[4];

    (void)state;
    make_place(&p);
    jv_set_string(metadata, "step", "12");
    assert_int_equal(safetensors_write(p.path, tensors, 4, metadata, seams_real(), &err), 0);
    assert_int_equal(safetensors_open_dir(p.dir, &st, &err), STATUS_OK);
    check_content(st);
    assert_ok(file_read(p.path, 1 << 20, &first, &n, why));
    assert_non_null(strstr(first + 8, "{\"format\":\"pt\",\"step\":\"12\"}"));
    assert_string_equal(tensor_file_at(st, 0)->name, "a.weight"); /* F32, BF16, F16 */
    assert_string_equal(tensor_file_at(st, 1)->name, "c.brain");
    assert_string_equal(tensor_file_at(st, 3)->name, "b.half");
    assert_int_equal((uintptr_t)tensor_file_at(st, 0)->data % 8, 0);
    tensor_file_close(st);
    for (int i = 0; i < 4; i++)
        swapped[i] = tensors[3 - i];
    assert_int_equal(safetensors_write(p.path, swapped, 4, metadata, seams_real(), &err), 0);
    assert_ok(file_read(p.path, 1 << 20, &second, &m, why));
    assert_int_equal(m, n);
    assert_memory_equal(second, first, n);
    free(first);
    free(second);
    jv_unref(metadata);
    temp_dir_remove(p.dir);
}

/* tests/parity/make_format_vectors.py writes the same tensors with the reference library. */
static void test_same_bytes_as_the_reference(void **state)
{
    char path[512], *want = NULL, *got = NULL;
    size_t n_want, n_got;
    struct place p;

    (void)state;
    make_place(&p);
    assert_ok(file_read(fixture_path(path, "tests/fixtures/safetensors/mixed.safetensors"), 1 << 20,
                        &want, &n_want, why));
    assert_int_equal(safetensors_write(p.path, tensors, 4, NULL, seams_real(), NULL), 0);
    assert_int_equal(file_read(p.path, 1 << 20, &got, &n_got, NULL), STATUS_OK);
    assert_int_equal(n_got, n_want);
    assert_memory_equal(got, want, n_want);
    free(want);
    free(got);
    temp_dir_remove(p.dir);
}

static void test_shards(void **state)
{
    struct place p;
    char path[192];
    struct tensor_file *st = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    make_place(&p);
    /* One big file first: the shards must replace it. a 24, b 12, c 12, z 6 bytes. */
    assert_int_equal(safetensors_write_dir(p.dir, tensors, 4, 0, NULL, seams_real(), &err), 0);
    assert_true(file_exists(p.path));
    assert_int_equal(safetensors_write_dir(p.dir, tensors, 4, 20, NULL, seams_real(), &err), 0);
    assert_false(file_exists(p.path));
    snprintf(path, sizeof(path), "%s/model-00003-of-00003.safetensors", p.dir);
    assert_true(file_exists(path));
    assert_int_equal(safetensors_open_dir(p.dir, &st, &err), STATUS_OK);
    check_content(st);
    assert_non_null(strstr(tensor_file_find(st, "b.half")->file, "model-00002-of-00003"));
    tensor_file_close(st);
    assert_int_equal(safetensors_write_dir(p.dir, tensors, 4, 54, NULL, seams_real(), &err), 0);
    snprintf(path, sizeof(path), "%s/model.safetensors.index.json", p.dir);
    assert_false(file_exists(path));
    assert_int_equal(safetensors_open_dir(p.dir, &st, &err), STATUS_OK);
    check_content(st);
    tensor_file_close(st);
    temp_dir_remove(p.dir);
}

struct fault {
    int countdown; /* the operation that fails; 0: the first */
    int error;
};

static int may_fail(struct fault *f, int real)
{
    return f->countdown-- == 0 ? f->error : real;
}

static int faulty_write(void *ctx, int fd, const void *bytes, size_t n)
{
    const struct seams *real = seams_real();

    return may_fail(ctx, real->file.write_all(real->file.ctx, fd, bytes, n));
}

static int faulty_sync(void *ctx, int fd)
{
    (void)fd;
    return may_fail(ctx, 0);
}

static int faulty_rename(void *ctx, const char *from, const char *to)
{
    struct fault *f = ctx;
    const struct seams *real = seams_real();

    return f->countdown == 0 ? may_fail(f, 0) : (f->countdown--, real->file.rename(NULL, from, to));
}

/* Every operation fails once: the old file stays whole, or (only the last sync, of the folder) the
 * new one is there. */
static void test_a_full_disk_leaves_the_old_file(void **state)
{
    const struct safetensor_source small = {"old", DTYPE_F32, DTYPE_F32, 1, {1}, A};
    struct place p;
    int failures = 0;

    (void)state;
    for (int at = 0; at < 100; at++) {
        struct fault f = {at, ENOSPC};
        struct seams seams = *seams_real();
        struct tensor_file *st = NULL;
        struct error err = ERROR_INIT;
        enum status got;
        bool old;

        make_place(&p);
        assert_int_equal(safetensors_write(p.path, &small, 1, NULL, seams_real(), &err), 0);
        seams.file = (struct file_seam){&f, faulty_write, faulty_sync, faulty_rename};
        got = safetensors_write(p.path, tensors, 4, NULL, &seams, &err);
        assert_int_equal(safetensors_open_file(p.path, &st, &err), STATUS_OK);
        old = tensor_file_count(st) == 1;
        tensor_file_close(st);
        temp_dir_remove(p.dir);
        if (got == STATUS_OK) {
            assert_false(old);
            break;
        }
        assert_int_equal(got, STATUS_DISK_FULL);
        failures++;
    }
    assert_int_equal(failures, 2 + 4 + 3); /* length, header, tensors, sync, rename, sync */
}

static void test_bad_arguments(void **state)
{
    struct safetensor_source bad[2] = {tensors[0], tensors[0]};
    struct error err = ERROR_INIT;
    struct place p;

    (void)state;
    make_place(&p);
    assert_int_equal(safetensors_write(p.path, bad, 2, NULL, seams_real(), &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "twice"));
    bad[0].name = "";
    assert_int_equal(safetensors_write(p.path, bad, 1, NULL, seams_real(), &err), STATUS_INVALID);
    bad[0] = tensors[0];
    bad[0].n_dims = 2;
    bad[0].shape[0] = INT64_MAX;
    bad[0].shape[1] = 2;
    assert_int_equal(safetensors_write(p.path, bad, 1, NULL, seams_real(), &err), STATUS_INVALID);
    bad[0] = tensors[0];
    bad[0].dtype = DTYPE_F32; /* bf16 data cannot be written as f32 */
    assert_int_equal(safetensors_write(p.path, bad, 1, NULL, seams_real(), &err), STATUS_INVALID);
    bad[0] = tensors[0];
    assert_int_equal(safetensors_write("/nowhere/at/all", bad, 1, NULL, seams_real(), &err),
                     STATUS_NOT_FOUND);
    temp_dir_remove(p.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_back_and_is_deterministic),
        cmocka_unit_test(test_same_bytes_as_the_reference),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_a_full_disk_leaves_the_old_file),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
