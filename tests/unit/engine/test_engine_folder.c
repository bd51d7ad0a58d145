/* A model folder as checkpoints have it: opened from disk, from the binary, and as bf16.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/formats/gguf_quantise.h"
#include "models/formats/safetensors.h"
#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_write.h"
#include "models/train/sft.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/engine/engine_fixture.h"

#define VOCAB 260

static const char *const names[] = {"config.json", "generation_config.json", "model.safetensors",
                                    "tokenizer.json", "tokenizer_config.json"};
#define N_FILES 5

struct folder {
    char dir[64];
    struct weights *weights;
};

static void write_tensors(const struct folder *f)
{
    int32_t n = weights_n(f->weights);
    struct safetensor_source *t = xcalloc((size_t)n, sizeof(*t));

    for (int32_t i = 0; i < n; i++) {
        const struct weight_tensor *w = weights_at(f->weights, i);
        int d = 0;

        t[i].name = w->name;
        t[i].dtype = t[i].source = DTYPE_F32;
        if (w->m.n_out > 1)
            t[i].shape[d++] = w->m.n_out;
        t[i].shape[d++] = w->m.n_in;
        t[i].n_dims = d;
        t[i].data = w->m.rows;
    }
    assert_ok(safetensors_write_dir(f->dir, t, n, 0, NULL, seams_real(), why));
    free(t);
}

static int setup(void **state)
{
    static const struct added_token added[] = {{"<|end|>", true}, {"<|user|>", true}};
    static const struct tokenizer_config_text texts = {
        .eos_token = "<|end|>", .chat_template = "{{ messages }}", .model_max_length = 512};
    struct folder *f = xcalloc(1, sizeof(*f));
    struct model_config c = tiny_config();
    struct str text = STR_INIT;

    temp_dir(f->dir);
    c.vocab_size = VOCAB;
    c.n_eos = 1;
    c.eos_id[0] = 256;
    snprintf(c.codec, sizeof(c.codec), "compact");
    assert_ok(weights_init(cpu_backend(cpu_isa_best()), arch_find(c.architecture), &c, 5,
                           &f->weights, why));
    write_tensors(f);
    model_config_write(&c, &text);
    temp_dir_put(f->dir, "config.json", text.data, text.len);
    str_clear(&text);
    model_config_write_generation(&c, &text);
    temp_dir_put(f->dir, "generation_config.json", text.data, text.len);
    str_clear(&text);
    assert_ok(tokenizer_write_bytes(added, 2, &text, why));
    temp_dir_put(f->dir, "tokenizer.json", text.data, text.len);
    str_clear(&text);
    tokenizer_write_config(&texts, &text);
    temp_dir_put(f->dir, "tokenizer_config.json", text.data, text.len);
    str_deinit(&text);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;

    temp_dir_remove(f->dir);
    weights_unref(f->weights);
    free(f);
    return 0;
}

static struct engine_options options(const char *model)
{
    struct engine_options o = ENGINE_OPTIONS_DEFAULT;

    o.model = model;
    o.backend = cpu_backend(cpu_isa_best());
    o.n_threads = 1;
    o.context = TINY_CONTEXT;
    o.max_sessions = 8;
    return o;
}

static void ask_any(struct bed *b, struct ask *a, float temperature)
{
    static const int32_t prompt[] = {72, 101, 108, 108, 111, 257, 33, 10, 65, 66};
    struct model_session *s = bed_session(b);

    ask_init(a, b, s, 0, prompt, 10, 40);
    a->call.sampling.temperature = temperature;
    ask_run(a, b);
    bed_end(b, s);
}

static void run(struct bed *b, struct ask *a, float temperature)
{
    ask_any(b, a, temperature);
    assert_int_equal(a->call.status, STATUS_OK);
}

static void a_folder_gives_what_its_weights_give(void **state)
{
    const struct folder *f = *state;
    struct engine_options bare = options("bare");
    struct engine_options o = options(f->dir);
    struct ask want, got;
    struct bed b;

    bare.weights = f->weights;
    bed_open(&b, &bare);
    run(&b, &want, 1);
    assert_null(b.model->info.tokenizer);
    bed_close(&b);
    bed_open(&b, &o);
    run(&b, &got, 1);
    assert_same_reply(&want, &got);
    assert_non_null(b.model->info.tokenizer);
    assert_string_equal(b.model->info.codec, "compact");
    assert_string_equal(b.model->info.chat_template, "{{ messages }}");
    assert_string_equal(b.model->info.eos_token, "<|end|>");
    assert_null(b.model->info.bos_token);
    assert_string_equal(b.model->info.name, f->dir);
    assert_int_equal(b.model->info.n_eos, 1);
    assert_int_equal(b.model->info.eos_id[0], 256);
    assert_int_equal(b.model->info.vocab, VOCAB);
    assert_int_equal(b.model->info.context, TINY_CONTEXT);
    assert_true(b.model->info.takes_ids);
    bed_close(&b);
}

/* The files as the binary would hold them. */
static struct embedded_file embedded[N_FILES];

static const struct embedded_file *embedded_at(int32_t i)
{
    return i < N_FILES ? &embedded[i] : NULL;
}

static void the_embedded_model_is_the_same(void **state)
{
    const struct folder *f = *state;
    struct engine_options o = options("embedded"), disk = options(f->dir);
    struct error err = ERROR_INIT;
    struct ask want, got;
    struct engine *e;
    struct bed b;

    for (int i = 0; i < N_FILES; i++) {
        char path[96];
        char *bytes;

        snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
        assert_int_equal(file_read(path, 1 << 24, &bytes, &embedded[i].n, &err), STATUS_OK);
        embedded[i].name = names[i];
        embedded[i].bytes = bytes;
    }
    bed_open(&b, &disk);
    run(&b, &want, 0);
    bed_close(&b);
    o.embedded = embedded_at;
    bed_open(&b, &o);
    run(&b, &got, 0);
    assert_same_reply(&want, &got);
    assert_string_equal(b.model->info.chat_template, "{{ messages }}");
    bed_close(&b);
    embedded[3].n /= 2; /* the error names the broken part */
    assert_int_not_equal(engine_open(&o, &e, &err), STATUS_OK);
    assert_non_null(strstr(err.message, "embedded"));
    for (int i = 0; i < N_FILES; i++)
        free((void *)(uintptr_t)embedded[i].bytes);
}

static void write_gguf(const char *from, const char *recipe, const char *path)
{
    struct model_source *files = NULL;

    assert_ok(model_source_open(from, &files, why));
    assert_ok(gguf_quantise(files, recipe, path, seams_real(), why));
    model_source_close(files);
}

static void a_gguf_gives_what_its_folder_gives(void **state)
{
    const struct folder *f = *state;
    struct engine_options folder = options(f->dir), o;
    char path[96], wide[96];
    struct ask want, got;
    struct bed b;

    bed_open(&b, &folder);
    run(&b, &want, 0);
    bed_close(&b);
    snprintf(path, sizeof(path), "%s/f32.gguf", f->dir);
    write_gguf(f->dir, "f32", path);
    o = options(path);
    bed_open(&b, &o);
    run(&b, &got, 0);
    assert_same_reply(&want, &got);
    assert_non_null(b.model->info.tokenizer);
    assert_string_equal(b.model->info.codec, "compact");
    assert_string_equal(b.model->info.chat_template, "{{ messages }}");
    assert_string_equal(b.model->info.eos_token, "<|end|>");
    assert_true(b.model->info.n_eos == 1 && b.model->info.eos_id[0] == 256);
    bed_close(&b);

    /* Blocks are widened at load: the same as a file that has the widened values. */
    snprintf(path, sizeof(path), "%s/q8.gguf", f->dir);
    snprintf(wide, sizeof(wide), "%s/wide.gguf", f->dir);
    write_gguf(f->dir, "q8_0", path);
    write_gguf(path, "f32", wide);
    o = options(path);
    o.weight_dtype = DTYPE_F32; /* rows that are no whole blocks are F16 in the file */
    bed_open(&b, &o);
    run(&b, &want, 1);
    bed_close(&b);
    o = options(wide);
    bed_open(&b, &o);
    run(&b, &got, 1);
    assert_same_reply(&want, &got);
    bed_close(&b);
}

/* Another program cuts the file of the weights: calls fail from then on, no token leaves and
 * nothing ends. */
static void a_file_that_is_cut_fails_the_calls(void **state)
{
    const struct folder *f = *state;
    struct error err = ERROR_INIT;
    struct engine_options o;
    struct ask before, after;
    struct engine *e;
    char path[96];
    struct bed b;

    assert_ok(
        mapped_files_catch_cuts(why)); /* here: cmocka has a handler of its own in each test */
    snprintf(path, sizeof(path), "%s/cut.gguf", f->dir);
    write_gguf(f->dir, "f32", path);
    o = options(path);
    bed_open(&b, &o);
    run(&b, &before, 1);
    assert_int_equal(before.call.status, STATUS_OK);
    assert_int_equal(truncate(path, 4096), 0);
    for (int i = 0; i < 2; i++) {
        ask_any(&b, &after, 1);
        assert_int_equal(after.call.status, STATUS_IO);
        assert_int_equal(after.call.finish, FINISH_ERROR);
        assert_int_equal(after.call.n_ids, 0);
        assert_true(after.call.not_retryable);
        assert_non_null(strstr(after.call.err.message, "was cut"));
    }
    bed_close(&b);
    assert_int_not_equal(engine_open(&o, &e, &err), STATUS_OK);
    assert_non_null(strstr(err.message, "cut.gguf"));
}

/* Weights and keys in bf16: rollout and training still agree bit for bit. */
static void bf16_agrees_with_training(void **state)
{
    static const int32_t prompt[] = {72, 101, 108, 108, 111, 257, 33, 10, 65, 66};
    const struct folder *f = *state;
    struct engine_options o = options(f->dir);
    float logp[50];
    int32_t ids[50];
    struct weights *w;
    struct ask a;
    struct bed b;

    o.weight_dtype = DTYPE_BF16;
    bed_open(&b, &o);
    w = engine_weights(b.engine);
    for (int t = 0; t < 2; t++) {
        int32_t n;

        run(&b, &a, t == 0 ? 0 : 0.8f);
        n = 10 + a.call.n_ids;
        memcpy(ids, prompt, sizeof(prompt));
        memcpy(ids + 10, a.ids, (size_t)a.call.n_ids * sizeof(*ids));
        assert_ok(train_logp(NULL, w, ids, n, t == 0 ? 0 : 0.8f, logp, why));
        assert_memory_equal(logp + 10, a.logp, (size_t)a.call.n_ids * sizeof(*logp));
    }
    weights_unref(w);
    bed_close(&b);
}

static void stop_strings_end_a_reply(void **state)
{
    const struct folder *f = *state;
    struct engine_options o = options(f->dir);
    static const int32_t prompt[] = {72, 101};
    struct model_session *s;
    struct ask all, a;
    char text[3] = {0};
    const char *stop[] = {text};
    struct bed b;

    bed_open(&b, &o);
    s = bed_session(&b);
    ask_init(&all, &b, s, 0, prompt, 2, 40);
    ask_run(&all, &b);
    for (int32_t i = 5; i + 1 < all.call.n_ids; i++) {
        int32_t first = 0;

        if (all.ids[i] == 0 || all.ids[i] > 255 || all.ids[i + 1] == 0 || all.ids[i + 1] > 255)
            continue;
        text[0] = (char)all.ids[i];
        text[1] = (char)all.ids[i + 1];
        while (all.ids[first] != all.ids[i] || all.ids[first + 1] != all.ids[i + 1])
            first++;
        ask_init(&a, &b, s, 0, prompt, 2, 40);
        a.call.stop_text = stop;
        a.call.n_stop_text = 1;
        ask_run(&a, &b);
        assert_int_equal(a.call.finish, FINISH_STOP);
        assert_int_equal(a.call.n_ids, first + 2); /* the string stays in the ids */
    }
    bed_end(&b, s);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_gives_what_its_weights_give),
        cmocka_unit_test(the_embedded_model_is_the_same),
        cmocka_unit_test(a_gguf_gives_what_its_folder_gives),
        cmocka_unit_test(a_file_that_is_cut_fails_the_calls),
        cmocka_unit_test(bf16_agrees_with_training),
        cmocka_unit_test(stop_strings_end_a_reply),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
