/* test_sft.c - a training run: it learns, and its bits do not depend on interruption, kill, threads
 * or a full disk.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "models/train/checkpoint.h"
#include "models/train/checkpoint_folder.h"
#include "models/train/sft.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "tests/support/fake_device.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/train/tiny_model.h"
#include "tests/unit/train/toy_source.h"

struct run {
    char out[64];
    struct toy toy, held_out;
    struct weights *start;
    struct sft_options o;
    volatile int flag;
};

static void run_init(struct run *r, int64_t updates)
{
    struct model_config c = tiny_config(true);

    memset(r, 0, sizeof(*r));
    temp_dir(r->out);
    toy_init(&r->toy);
    toy_init(&r->held_out);
    r->toy.flag = &r->flag;
    r->start = tiny_weights(&c, cpu_backend(cpu_isa_best()), 40);
    r->o = (struct sft_options){.out = r->out,
                                .seed = 77,
                                .updates = updates,
                                .batch_tokens = 300,
                                .accumulate = 1,
                                .max_len = 16,
                                .learning = {.step = {.lr = 1e-2,
                                                      .beta1 = 0.9,
                                                      .beta2 = 0.99,
                                                      .eps = 1e-8,
                                                      .weight_decay = 0.01,
                                                      .clip = 1.0},
                                             .lr_min = 1e-3,
                                             .warmup = 3},
                                .seams = seams_real(),
                                .data = &r->toy.source,
                                .held_out = &r->held_out.source,
                                .interrupted = &r->flag};
}

static void run_on(struct run *r, const struct backend *b)
{
    struct model_config c = tiny_config(true);

    weights_unref(r->start);
    r->start = tiny_weights(&c, b, 40);
}

static void run_free(struct run *r)
{
    weights_unref(r->start);
    temp_dir_remove(r->out);
}

static enum status run_once(struct run *r, int32_t n_threads, struct sft_result *out,
                            struct error *err)
{
    struct pool *pool = NULL;
    enum status st;

    assert_ok(pool_new(n_threads, &pool, why));
    st = sft_run(pool, r->start, &r->o, out, err);
    pool_free(pool);
    return st;
}

static struct sha256 run_hash(struct run *r, int32_t n_threads)
{
    struct sft_result out = {0};
    struct sha256 h;

    assert_ok(run_once(r, n_threads, &out, why));
    assert_int_equal(out.updates, r->o.updates);
    h = *weights_hash(out.weights);
    weights_unref(out.weights);
    return h;
}

static char *read_text(const char *dir, const char *name)
{
    char path[256], *text = NULL;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_ok(file_read(path, (size_t)1 << 24, &text, &n, why));
    return text;
}

/* Weights and both moments of two runs' last checkpoints, byte by byte. */
static void assert_same_checkpoints(const struct run *a, const struct run *b, int64_t update)
{
    for (int i = 0; i < 3; i++) {
        struct str pa = STR_INIT, pb = STR_INIT;
        char *ta = NULL, *tb = NULL;
        size_t na = 0, nb = 0;

        checkpoint_path(&pa, a->out, update);
        checkpoint_path(&pb, b->out, update);
        str_printf(&pa, "/%s", checkpoint_file[i]);
        str_printf(&pb, "/%s", checkpoint_file[i]);
        assert_ok(file_read(str_cstr(&pa), (size_t)1 << 24, &ta, &na, why));
        assert_ok(file_read(str_cstr(&pb), (size_t)1 << 24, &tb, &nb, why));
        assert_int_equal(na, nb);
        assert_memory_equal(ta, tb, na);
        free(ta);
        free(tb);
        str_deinit(&pa);
        str_deinit(&pb);
    }
}

/* Each update is in metrics.jsonl once, in order. */
static void check_metrics(const struct run *r, int64_t updates)
{
    char *text = read_text(r->out, "metrics.jsonl");
    int64_t next = 1;

    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        struct json *doc = NULL;

        assert_ok(jv_parse(line, (size_t)(end - line), "metrics", &doc, why));
        if (jv_get(doc, "loss"))
            assert_int_equal(jv_get_int(jv_get(doc, "update"), -1), next++);
        jv_unref(doc);
    }
    assert_int_equal(next, updates + 1);
    free(text);
}

static void test_it_learns_and_stops_on_the_probe(void **state)
{
    struct run r;
    struct sft_result out = {0};
    char *text;

    (void)state;
    run_init(&r, 400);
    r.o.eval_every = 20;
    r.o.n_eval_batches = 1;
    r.o.stop_on = "probe";
    assert_ok(run_once(&r, 2, &out, why));
    assert_true(out.probe_held);
    assert_true(out.updates < 400 && out.updates % 20 == 0);
    assert_true(out.loss < 0.2 && out.held_out_loss < 0.2);
    assert_true(out.trained_tokens > 0 && out.trained_tokens < out.tokens);
    text = read_text(r.out, "metrics.jsonl");
    assert_non_null(strstr(text, "\"even\":{\"right\":20,\"of\":20,\"need\":1"));
    check_metrics(&r, out.updates);
    free(text);
    weights_unref(out.weights);
    /* A finished run stays finished. */
    r.o.resume = true;
    assert_ok(run_once(&r, 1, &out, why));
    assert_true(out.probe_held);
    weights_unref(out.weights);
    run_free(&r);
}

static void test_threads_recomputation_and_measuring_change_no_bit(void **state)
{
    struct run a, b, c;
    struct sha256 want, got;

    (void)state;
    run_init(&a, 12);
    a.o.accumulate = 2;
    want = run_hash(&a, 1);
    run_init(&b, 12);
    b.o.accumulate = 2;
    b.o.recompute = true;
    b.o.eval_every = 5;
    b.o.n_eval_batches = 1;
    b.o.checkpoint_every = 5;
    got = run_hash(&b, 2);
    assert_memory_equal(&want, &got, sizeof(want));
    assert_same_checkpoints(&a, &b, 12);
    run_init(&c, 12); /* micro-batches do matter: what is compared can differ */
    got = run_hash(&c, 1);
    assert_memory_not_equal(&want, &got, sizeof(want));
    run_free(&a);
    run_free(&b);
    run_free(&c);
}

static void test_interrupted_and_resumed_is_bit_exact(void **state)
{
    struct run a, b;
    struct sft_result out = {0};
    struct error err = ERROR_INIT;
    struct sha256 want, got;

    (void)state;
    run_init(&a, 20);
    want = run_hash(&a, 1);
    run_init(&b, 20);
    b.toy.interrupt_at = 350; /* in the midst of an update */
    assert_int_equal(run_once(&b, 2, &out, &err), STATUS_CANCELLED);
    assert_true(checkpoint_last(b.out) > 0 && checkpoint_last(b.out) < 20);
    b.flag = 0;
    b.o.resume = true;
    got = run_hash(&b, 1);
    assert_memory_equal(&want, &got, sizeof(want));
    assert_same_checkpoints(&a, &b, 20);
    check_metrics(&b, 20);
    run_free(&a);
    run_free(&b);
}

/* Memory that the host cannot touch: the same weights, moments and metrics, interrupted or not. */
static void test_a_device_gives_the_same_run(void **state)
{
    struct run a, b;
    struct sft_result out = {0};
    struct error err = ERROR_INIT;
    struct sha256 want, got;

    (void)state;
    run_init(&a, 12);
    want = run_hash(&a, 1);
    run_init(&b, 12);
    run_on(&b, fake_device());
    b.o.recompute = true;
    b.o.eval_every = 5;
    b.o.n_eval_batches = 1;
    b.toy.interrupt_at = 250;
    assert_int_equal(run_once(&b, 2, &out, &err), STATUS_CANCELLED);
    assert_true(checkpoint_last(b.out) > 0 && checkpoint_last(b.out) < 12);
    b.flag = 0;
    b.o.resume = true;
    got = run_hash(&b, 1);
    assert_memory_equal(&want, &got, sizeof(want));
    assert_same_checkpoints(&a, &b, 12);
    check_metrics(&b, 12);
    run_free(&a);
    run_free(&b);
    assert_int_equal(fake_device_n_allocations(), 0);
}

static void test_killed_and_resumed_is_bit_exact(void **state)
{
    struct run a, b;
    struct sha256 want, got;
    static const int64_t kill_at[] = {200, 350, 101};

    (void)state;
    run_init(&a, 20);
    want = run_hash(&a, 1);
    run_init(&b, 20);
    b.o.checkpoint_every = 3;
    b.o.keep_last = 2;
    b.o.resume = true;
    for (size_t i = 0; i < ARRAY_LEN(kill_at); i++) {
        int status;
        pid_t child = fork();

        if (child == 0) {
            struct sft_result out = {0};
            struct error err = ERROR_INIT;

            b.toy.kill_at = kill_at[i];
            (void)!run_once(&b, 1, &out, &err);
            _exit(0);
        }
        assert_true(waitpid(child, &status, 0) == child);
        assert_true(WIFSIGNALED(status));
    }
    assert_true(checkpoint_last(b.out) >= 3);
    got = run_hash(&b, 2);
    assert_memory_equal(&want, &got, sizeof(want));
    assert_same_checkpoints(&a, &b, 20);
    check_metrics(&b, 20);
    run_free(&a);
    run_free(&b);
}

static void test_changed_options_are_refused_by_name(void **state)
{
    struct run r;
    struct sft_result out = {0};
    struct error err = ERROR_INIT;
    struct model_config c = tiny_config(true);

    (void)state;
    run_init(&r, 2);
    (void)run_hash(&r, 1);
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE); /* started, but without --resume */
    assert_non_null(strstr(err.message, r.out));
    r.o.resume = true;
    r.o.learning.step.lr = 2e-2;
    error_clear(&err);
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "learning rate (--lr) was 0.01 and is now 0.02"));
    r.o.learning.step.lr = 1e-2;
    r.o.seed = 78;
    error_clear(&err);
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "seed (--seed) was 77 and is now 78"));
    r.o.seed = 77;
    weights_unref(r.start);
    r.start = tiny_weights(&c, cpu_backend(cpu_isa_best()), 41);
    error_clear(&err);
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "model"));
    run_free(&r);
}

/* A disk that is full after so many bytes. */
struct small_disk {
    struct seams seams;
    int64_t left;
};

static int small_write(void *ctx, int fd, const void *bytes, size_t n)
{
    struct small_disk *d = ctx;

    d->left -= (int64_t)n;
    return d->left < 0 ? ENOSPC : seams_real()->file.write_all(NULL, fd, bytes, n);
}

static void test_full_disk_loses_nothing(void **state)
{
    struct run a, b;
    struct sha256 want, got;
    int64_t last = -1;

    (void)state;
    run_init(&a, 9);
    want = run_hash(&a, 1);
    run_init(&b, 9);
    b.o.checkpoint_every = 2;
    b.o.resume = true;
    for (int64_t bytes = 1000; bytes < 400000; bytes += 60000) {
        struct small_disk d = {.seams = *seams_real(), .left = bytes};
        struct sft_result out = {0};
        struct error err = ERROR_INIT;
        enum status st;

        d.seams.file.ctx = &d;
        d.seams.file.write_all = small_write;
        b.o.seams = &d.seams;
        st = run_once(&b, 1, &out, &err);
        if (st)
            assert_int_equal(st, STATUS_DISK_FULL);
        weights_unref(out.weights);
        assert_true(checkpoint_last(b.out) >= last);
        last = checkpoint_last(b.out);
    }
    b.o.seams = seams_real();
    got = run_hash(&b, 1);
    assert_memory_equal(&want, &got, sizeof(want));
    assert_same_checkpoints(&a, &b, 9);
    run_free(&a);
    run_free(&b);
}

static void test_last_and_best_are_kept(void **state)
{
    struct run r;
    struct sft_result out = {0};
    int64_t *list;
    size_t n;

    (void)state;
    run_init(&r, 30);
    r.o.checkpoint_every = 4;
    r.o.keep_last = 2;
    r.o.keep_best = true;
    r.o.eval_every = 10;
    r.o.n_eval_batches = 1;
    assert_ok(run_once(&r, 1, &out, why));
    list = checkpoint_list(r.out, &n);
    assert_true(n == 2 || n == 3);
    assert_int_equal(list[n - 1], 30);
    assert_int_equal(list[n - 2], 28);
    free(list);
    weights_unref(out.weights);
    run_free(&r);
}

static void test_bad_options_are_refused(void **state)
{
    struct run r;
    struct sft_result out = {0};
    struct error err = ERROR_INIT;

    (void)state;
    run_init(&r, 2);
    r.o.max_len = 100000;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    r.o.max_len = 16;
    r.o.learning.step.lr = -1;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    r.o.learning.step.lr = 1e-3;
    r.o.stop_on = "moon";
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    r.o.stop_on = NULL;
    r.o.out = "/proc/no/such";
    assert_int_not_equal(run_once(&r, 1, &out, &err), STATUS_OK);
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_learns_and_stops_on_the_probe),
        cmocka_unit_test(test_threads_recomputation_and_measuring_change_no_bit),
        cmocka_unit_test(test_interrupted_and_resumed_is_bit_exact),
        cmocka_unit_test(test_a_device_gives_the_same_run),
        cmocka_unit_test(test_killed_and_resumed_is_bit_exact),
        cmocka_unit_test(test_changed_options_are_refused_by_name),
        cmocka_unit_test(test_full_disk_loses_nothing),
        cmocka_unit_test(test_last_and_best_are_kept),
        cmocka_unit_test(test_bad_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
