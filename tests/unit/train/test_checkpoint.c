/* test_checkpoint.c - a damaged byte anywhere in a checkpoint is detected; the error names the file
 * and an older checkpoint.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <sys/stat.h>

#include "models/train/checkpoint.h"
#include "models/train/checkpoint_folder.h"
#include "runtime/base/memory.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/train/tiny_model.h"
#include "tests/unit/train/toy_source.h"

struct fixture {
    char out[64];
    struct weights *w;
    struct optimizer o;
    struct checkpoint_state s;
};

static void fixture_init(struct fixture *f)
{
    struct model_config c = tiny_config(true);

    memset(f, 0, sizeof(*f));
    temp_dir(f->out);
    f->w = tiny_weights(&c, cpu_backend(cpu_isa_best()), 50);
    assert_ok(optimizer_init_weights(&f->o, f->w, why));
    for (int64_t i = 0; i < f->o.n_params; i++) {
        f->o.m[i] = (float)i;
        f->o.v[i] = -(float)i;
    }
    f->o.n_steps = 12;
    f->s.update = 12;
    f->s.next_example = ((int64_t)1 << 40) + 5;
    f->s.loss = 0.1;
    f->s.held_out_loss = f->s.best_loss = NAN;
    f->s.best_update = -1;
    f->s.options = jv_object();
    jv_set_real(f->s.options, "lr", 0.1);
}

static void fixture_free(struct fixture *f)
{
    checkpoint_state_deinit(&f->s);
    optimizer_deinit(&f->o);
    weights_unref(f->w);
    temp_dir_remove(f->out);
}

static enum status read_back(struct fixture *f, int64_t update, struct error *err)
{
    struct checkpoint_state s = {0};
    enum status st = checkpoint_read(f->out, update, &s, &f->o, err);

    if (!st) {
        assert_int_equal(s.next_example, f->s.next_example);
        assert_true(s.loss == 0.1 && isnan(s.held_out_loss));
        assert_int_equal(f->o.n_steps, 12);
        assert_true(jv_equal(s.options, f->s.options));
        for (int64_t i = 0; i < f->o.n_params; i++)
            assert_true(f->o.m[i] == (float)i && f->o.v[i] == -(float)i);
    }
    checkpoint_state_deinit(&s);
    return st;
}

static void test_it_comes_back_as_it_was(void **state)
{
    struct fixture f;
    struct str path = STR_INIT;

    (void)state;
    fixture_init(&f);
    assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
    memset(f.o.m, 0, sizeof(float));
    memset(f.o.v, 0, sizeof(float));
    f.o.m[3] = 0;
    f.o.n_steps = 0;
    assert_ok(read_back(&f, 12, why));
    /* Leftovers of a crash next to it have no effect. */
    str_printf(&path, "%s/checkpoints/.writing", f.out);
    assert_int_equal(mkdir(str_cstr(&path), 0777), 0);
    str_puts(&path, "/master.safetensors.tmp");
    assert_ok(file_write_atomic(seams_real(), str_cstr(&path), "x", 1, why));
    assert_int_equal(checkpoint_last(f.out), 12);
    f.s.update = 13;
    assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
    assert_int_equal(checkpoint_last(f.out), 13);
    str_deinit(&path);
    fixture_free(&f);
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    int byte;

    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    byte = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    fputc(byte ^ 0x10, file);
    assert_int_equal(fclose(file), 0);
}

static long file_size(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (long)st.st_size;
}

static void test_each_damaged_file_is_named(void **state)
{
    struct fixture f;
    struct str path = STR_INIT;
    struct error err = ERROR_INIT;
    int n_found = 0;

    (void)state;
    fixture_init(&f);
    f.s.update = 11;
    assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
    f.s.update = 12;
    assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
    for (int i = 0; i < CHECKPOINT_FILES; i++) {
        long size;

        checkpoint_path(&path, f.out, 12);
        str_printf(&path, "/%s", checkpoint_file[i]);
        size = file_size(str_cstr(&path));
        for (int k = 0; k <= 8; k++) {
            long at = k * (size - 1) / 8;

            flip(str_cstr(&path), at);
            error_clear(&err);
            assert_int_equal(read_back(&f, 12, &err), STATUS_CORRUPT);
            assert_string_equal(err.where, str_cstr(&path));
            assert_non_null(strstr(err.hint, "update 11"));
            flip(str_cstr(&path), at);
            n_found++;
        }
        assert_int_equal(truncate(str_cstr(&path), size - 1), 0);
        error_clear(&err);
        assert_int_equal(read_back(&f, 12, &err), STATUS_CORRUPT);
        assert_string_equal(err.where, str_cstr(&path));
        checkpoint_path(&path, f.out, 12);
        folder_remove(str_cstr(&path));
        assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
    }
    assert_int_equal(n_found, 9 * CHECKPOINT_FILES);
    assert_ok(read_back(&f, 12, why));
    str_deinit(&path);
    fixture_free(&f);
}

static void test_missing_files_and_manifest(void **state)
{
    static const char *const name[] = {CHECKPOINT_MANIFEST, "adam_v.safetensors"};
    struct fixture f;
    struct str path = STR_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(name); i++) {
        assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
        checkpoint_path(&path, f.out, 12);
        str_printf(&path, "/%s", name[i]);
        assert_int_equal(unlink(str_cstr(&path)), 0);
        error_clear(&err);
        assert_int_equal(read_back(&f, 12, &err), STATUS_CORRUPT);
        assert_string_equal(err.where, str_cstr(&path));
        assert_string_equal(err.hint, ""); /* without an older one */
        /* Writing the same update again replaces a damaged checkpoint. */
        assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
        assert_ok(read_back(&f, 12, why));
    }
    str_deinit(&path);
    fixture_free(&f);
}

static void test_prune_keeps_newest_and_best(void **state)
{
    struct fixture f;
    int64_t *list;
    size_t n;

    (void)state;
    fixture_init(&f);
    for (f.s.update = 1; f.s.update <= 6; f.s.update++)
        assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &f.o, why));
    checkpoint_prune(f.out, 2, 3);
    list = checkpoint_list(f.out, &n);
    assert_int_equal(n, 3);
    assert_true(list[0] == 3 && list[1] == 5 && list[2] == 6);
    free(list);
    /* For a bound on the disk: the oldest, and never the best nor the newest. */
    assert_true(checkpoint_remove_oldest(f.out, 3));
    assert_false(checkpoint_remove_oldest(f.out, 3));
    list = checkpoint_list(f.out, &n);
    assert_int_equal(n, 2);
    assert_true(list[0] == 3 && list[1] == 6);
    free(list);
    assert_true(checkpoint_remove_oldest(f.out, -1));
    assert_false(checkpoint_remove_oldest(f.out, -1));
    fixture_free(&f);
}

/* Two matrices and a vector that belong to no model: one of them decays. */
static void other_params(struct param_set *p)
{
    static const struct param param[] = {
        {"down", 2, 3, true}, {"up", 3, 2, false}, {"s", 1, 4, false}};
    static const int64_t offset[] = {0, 6, 12, 16};

    *p = (struct param_set){.backend = cpu_backend(cpu_isa_best()), .n = 3};
    p->param = xcalloc(3, sizeof(*p->param));
    p->offset = xcalloc(4, sizeof(*p->offset));
    memcpy(p->param, param, sizeof(param));
    memcpy(p->offset, offset, sizeof(offset));
}

static void test_other_parameters_than_a_models(void **state)
{
    const struct optimizer_step step = {
        .lr = 0.5, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.5, .scale = 1};
    const float grad[16] = {0};
    struct fixture f;
    struct param_set params;
    struct optimizer o, again;
    struct checkpoint_state s = {0};
    double norm;

    (void)state;
    fixture_init(&f);
    other_params(&params);
    assert_ok(optimizer_init(&o, &params, why));
    assert_null(params.param); /* taken over */
    assert_int_equal(o.n_params, 16);
    for (int i = 0; i < 16; i++) {
        assert_true(o.master[i] == 0);
        o.master[i] = (float)(i + 1);
    }
    assert_ok(optimizer_step(&o, NULL, &step, grad, &norm, why));
    for (int i = 0; i < 16; i++) /* no gradient: only decay moves them, by lr * weight_decay */
        assert_true(o.master[i] == (float)(i + 1) * (i < 6 ? 0.75f : 1.0f));
    assert_ok(checkpoint_write(seams_real(), f.out, &f.s, &o, why));
    other_params(&params);
    assert_ok(optimizer_init(&again, &params, why));
    assert_ok(checkpoint_read(f.out, 12, &s, &again, why));
    assert_memory_equal(o.master, again.master, 16 * sizeof(float));
    assert_int_equal(again.n_steps, 1);
    /* The tensors of the model are not in it. */
    assert_int_not_equal(read_back(&f, 12, NULL), STATUS_OK);
    checkpoint_state_deinit(&s);
    optimizer_deinit(&o);
    optimizer_deinit(&again);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_comes_back_as_it_was),
        cmocka_unit_test(test_each_damaged_file_is_named),
        cmocka_unit_test(test_missing_files_and_manifest),
        cmocka_unit_test(test_prune_keeps_newest_and_best),
        cmocka_unit_test(test_other_parameters_than_a_models),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
