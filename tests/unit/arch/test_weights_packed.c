/* test_weights_packed.c - packed panels in files: the next start uses them, and whatever happens to
 * them is only a slower start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <utime.h>

#include "models/arch/weights_impl.h"
#include "models/formats/gguf_quantise.h"
#include "models/train/model_export.h"
#include "runtime/base/mapped_file.h"
#include "tests/support/quantised_weights.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/train/tiny_model.h"

static char dir[64], model[96], folder[128];
static struct weights_cache cache = {.folder = folder};

static int setup(void **state)
{
    struct model_config c = quantisable_config(DTYPE_Q8_0, 50);
    struct weights *w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 4);
    struct model_source *files;

    (void)state;
    temp_dir(dir);
    snprintf(model, sizeof(model), "%s/m.gguf", dir);
    snprintf(folder, sizeof(folder), "%s/cache/packed", dir);
    cache.seams = seams_real();
    assert_ok(model_export(dir, w, DTYPE_N, NULL, 0, seams_real(), why));
    assert_ok(model_source_open(dir, &files, why));
    assert_ok(gguf_quantise(files, "q8_0", model, seams_real(), why));
    model_source_close(files);
    weights_unref(w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static struct weights *load(const char *path, enum dtype dtype, const struct weights_cache *with,
                            enum cpu_isa isa)
{
    struct model_source *files;
    struct model_config c;
    struct tensor_file *t;
    struct weights *w;

    assert_ok(model_source_open(path, &files, why));
    assert_ok(model_source_config(files, &c, why));
    assert_ok(model_source_tensors(files, &t, why));
    assert_ok(weights_load_cached(cpu_backend(isa), arch_find(c.architecture), &c, t, dtype, with,
                                  &w, why));
    model_source_close(files);
    return w;
}

/* The path of the only file that ends so; returns how many there are. */
static int find(const char *end, char path[512])
{
    DIR *d = opendir(folder);
    int n = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        size_t length = strlen(e->d_name);

        if (length < strlen(end) || strcmp(e->d_name + length - strlen(end), end) != 0)
            continue;
        snprintf(path, 512, "%s/%s", folder, e->d_name);
        n++;
    }
    if (d)
        closedir(d);
    return n;
}

static int count(const char *end)
{
    char path[512];

    return find(end, path);
}

/* Loads with the cache and compares with a load without: values, panels, hash. True: from a file.
 */
static bool load_and_compare(const char *path, enum dtype dtype, enum cpu_isa isa)
{
    struct weights *want = load(path, dtype, NULL, isa), *w = load(path, dtype, &cache, isa);
    size_t n = (size_t)weights_n_params(w) * sizeof(float);
    float *a = xcalloc(1, n), *b = xcalloc(1, n);
    bool mapped = w->packed != NULL;

    weights_to_flat(want, a);
    weights_to_flat(w, b);
    assert_memory_equal(a, b, n);
    assert_memory_equal(weights_hash(want), weights_hash(w), sizeof(struct sha256));
    assert_int_equal(w->panels_bytes, want->panels_bytes);
    assert_memory_equal(mapped ? w->tensor[0].m.panels : w->panels, want->panels, w->panels_bytes);
    assert_int_equal((uintptr_t)w->tensor[0].m.panels % 64, 0);
    weights_unref(w);
    weights_unref(want);
    free(a);
    free(b);
    return mapped;
}

static bool again(void)
{
    return load_and_compare(model, DTYPE_N, cpu_isa_best());
}

static void test_the_second_start_maps_the_panels(void **state)
{
    struct stat s;
    char path[512];

    (void)state;
    assert_false(again());
    assert_true(again());
    assert_int_equal(find(".panels", path), 1);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_int_equal(find(".id", path), 1);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    assert_int_equal(count(""), 4); /* . and .. : nothing temporary stays */
}

static void test_types_and_instruction_sets_have_files_of_their_own(void **state)
{
    (void)state;
    (void)again();
    for (int isa = 0; isa < (int)cpu_isa_best(); isa++) {
        assert_false(load_and_compare(model, DTYPE_N, (enum cpu_isa)isa));
        assert_true(load_and_compare(model, DTYPE_N, (enum cpu_isa)isa));
    }
    assert_false(load_and_compare(model, DTYPE_F32, cpu_isa_best()));
    assert_true(load_and_compare(model, DTYPE_F32, cpu_isa_best()));
    assert_false(load_and_compare(dir, DTYPE_BF16, cpu_isa_best())); /* a folder of safetensors */
    assert_true(load_and_compare(dir, DTYPE_BF16, cpu_isa_best()));
}

/* Another time, but the same content: read again, and found by its hash. */
static void test_a_touched_file_is_read_again(void **state)
{
    struct utimbuf old = {1000000000, 1000000000};
    int ids = (again(), count(".id")), panels = count(".panels");

    (void)state;
    assert_int_equal(utime(model, &old), 0);
    assert_false(again());
    assert_int_equal(count(".id"), ids + 1);
    assert_int_equal(count(".panels"), panels);
    assert_true(again());
}

/* Another content of the same size: the hash of the file is taken again. */
static void test_another_content_has_another_hash(void **state)
{
    struct weights *w = (again(), load(model, DTYPE_N, &cache, cpu_isa_best())), *x;
    struct stat s;
    FILE *f;

    (void)state;
    assert_int_equal(stat(model, &s), 0);
    f = fopen(model, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)s.st_size - 1, SEEK_SET), 0);
    (void)fputc(1, f); /* the last byte of the last tensor: a code of a block, or of a float */
    fclose(f);
    x = load(model, DTYPE_N, &cache, cpu_isa_best());
    assert_memory_not_equal(weights_hash(w), weights_hash(x), sizeof(struct sha256));
    weights_unref(x);
    weights_unref(w);
    assert_true(again());
}

static void rewrite(const char *path, const char *bytes, size_t n, mode_t mode)
{
    (void)chmod(path, 0600);
    temp_put(path, bytes, n);
    assert_int_equal(chmod(path, mode), 0);
}

/* Each byte of the header, bytes of the panels, other lengths, another mode. */
static void test_damage_is_a_slower_start(void **state)
{
    static const char *const ends[] = {".panels", ".id"};
    struct error err = ERROR_INIT;

    (void)state;
    for (int k = 0; k < 2; k++) {
        char path[512], *whole;
        size_t n;

        temp_dir_remove(folder);
        assert_false(again());
        assert_int_equal(find(ends[k], path), 1);
        assert_int_equal(file_read(path, 1 << 24, &whole, &n, &err), STATUS_OK);
        for (size_t at = 0; at < n; at += at < 64 ? 1 : n / 7 + 1) {
            if (k == 0 && at >= 64 && at < 4096)
                continue; /* zeros after the header */
            whole[at] ^= 0x40;
            rewrite(path, whole, n, 0600);
            whole[at] ^= 0x40;
            assert_false(again());
            assert_true(again()); /* it was written again */
        }
        rewrite(path, whole, n / 2, 0600);
        assert_false(again());
        rewrite(path, "", 0, 0600);
        assert_false(again());
        rewrite(path, whole, n, 0644); /* readable by others: not one that we wrote */
        assert_false(again());
        assert_true(again());
        free(whole);
    }
}

static int left; /* bytes of the disk */
static int small_disk(void *ctx, int fd, const void *bytes, size_t n)
{
    const struct file_seam *real = &seams_real()->file;

    (void)ctx;
    left -= (int)n;
    return left < 0 ? ENOSPC : real->write_all(real->ctx, fd, bytes, n);
}

static void test_a_full_disk_is_a_slower_start(void **state)
{
    struct seams seams = *seams_real();

    (void)state;
    temp_dir_remove(folder);
    seams.file.write_all = small_disk;
    cache.seams = &seams;
    for (int size = 0; size < 3; size++) {
        left = size * 4096;
        assert_false(again());
        assert_int_equal(count(".panels"), 0);
        assert_int_equal(count(""), 2); /* . and .. */
    }
    cache.seams = seams_real();
    assert_false(again());
    assert_true(again());
}

static void test_a_folder_that_cannot_be_made(void **state)
{
    struct weights_cache nowhere = {.folder = "/proc/no/such", .seams = seams_real()};

    (void)state;
    weights_unref(load(model, DTYPE_N, &nowhere, cpu_isa_best()));
}

/* The file of the panels is cut while it is mapped. */
static void test_panels_that_are_cut(void **state)
{
    struct weights *w;
    char path[512];
    volatile char read;

    (void)state;
    assert_ok(mapped_files_catch_cuts(why));
    temp_dir_remove(folder);
    (void)again();
    w = load(model, DTYPE_N, &cache, cpu_isa_best());
    assert_non_null(w->packed);
    assert_false(weights_are_cut(w));
    assert_int_equal(find(".panels", path), 1);
    assert_int_equal(truncate(path, 4096), 0);
    read = *((const char *)w->tensor[0].m.panels + 8192);
    assert_int_equal(read, 0);
    assert_true(weights_are_cut(w));
    weights_unref(w);
    assert_false(again());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_start_maps_the_panels),
        cmocka_unit_test(test_types_and_instruction_sets_have_files_of_their_own),
        cmocka_unit_test(test_a_touched_file_is_read_again),
        cmocka_unit_test(test_another_content_has_another_hash),
        cmocka_unit_test(test_damage_is_a_slower_start),
        cmocka_unit_test(test_a_full_disk_is_a_slower_start),
        cmocka_unit_test(test_a_folder_that_cannot_be_made),
        cmocka_unit_test(test_panels_that_are_cut),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
