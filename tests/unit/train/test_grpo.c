/* test_grpo.c - a GRPO run: it learns, its bits do not depend on interruption, kill, threads or a
 * full disk, and it stops when it must.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "models/train/checkpoint.h"
#include "models/train/grpo.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "tests/support/fake_device.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/train/tiny_model.h"
#include "tests/unit/train/toy_rollouts.h"
#include "tests/unit/train/toy_source.h"

#define GROUPS 4
#define SIZE   6

struct run {
    char out[64];
    struct toy_rollouts toy;
    struct weights *start;
    struct grpo_options o;
    volatile int flag;
    /* what evaluate answers, by update; and how often it was asked */
    const double *success;
    int32_t n_evaluations;
    int64_t cancel_at; /* an evaluation of this update is interrupted; 0: none */
};

static enum status evaluate(void *ctx, int64_t update, double *success, struct json **more,
                            struct error *err)
{
    struct run *r = CONTAINER_OF((struct toy_rollouts *)ctx, struct run, toy);

    if (r->cancel_at > 0 && update == r->cancel_at)
        return error_set(err, STATUS_CANCELLED, "interrupted");
    *success = r->success[update];
    *more = jv_object();
    jv_set_int(*more, "asked", ++r->n_evaluations);
    return STATUS_OK;
}

static void run_init(struct run *r, int64_t updates)
{
    struct model_config c = tiny_config(true);

    memset(r, 0, sizeof(*r));
    temp_dir(r->out);
    toy_rollouts_init(&r->toy);
    r->toy.flag = &r->flag;
    r->start = tiny_weights(&c, cpu_backend(cpu_isa_best()), 40);
    r->o = (struct grpo_options){
        .out = r->out,
        .task = "toy",
        .seed = 5,
        .updates = updates,
        .groups = GROUPS,
        .group_size = SIZE,
        .credit = {.kind = CREDIT_STEP, .norm = CREDIT_NORM_BATCH},
        .policy = {.objective = POLICY_PPO, .clip_low = .2, .clip_high = .28},
        .minibatch_chains = 16,
        .max_chains = 40,
        .epochs = 1,
        .max_refills = 1,
        .learning = {.step = {.lr = 1e-2, .beta1 = .9, .beta2 = .95, .eps = 1e-8, .clip = 1},
                     .lr_min = 1e-3,
                     .warmup = 1},
        .temperature = 1,
        .max_len = 8,
        .keep_last = 2,
        .rollouts = &r->toy.source,
        .publish = toy_publish,
        .ctx = &r->toy,
        .seams = seams_real(),
        .interrupted = &r->flag,
    };
}

static void run_free(struct run *r)
{
    toy_rollouts_deinit(&r->toy);
    weights_unref(r->start);
    temp_dir_remove(r->out);
}

static enum status run_once(struct run *r, int32_t n_threads, struct grpo_result *out,
                            struct error *err)
{
    struct pool *pool = NULL;
    enum status st;

    memset(out, 0, sizeof(*out));
    assert_ok(pool_new(n_threads, &pool, why));
    st = grpo_run(pool, r->start, &r->o, out, err);
    pool_free(pool);
    return st;
}

static struct sha256 run_hash(struct run *r, int32_t n_threads)
{
    struct grpo_result out;
    struct sha256 h;

    assert_ok(run_once(r, n_threads, &out, why));
    assert_int_equal(out.updates, r->o.updates);
    assert_true(out.largest_first_gap == 0);
    h = *weights_hash(out.weights);
    weights_unref(out.weights);
    return h;
}

static char *metrics_of(const struct run *r)
{
    char path[256], *text = NULL;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/metrics.jsonl", r->out);
    assert_ok(file_read(path, (size_t)1 << 24, &text, &n, why));
    return text;
}

/* The value of `key` in the line of an update that has it; NAN where none has. */
static double metric(const struct run *r, int64_t update, const char *key)
{
    char *text = metrics_of(r);
    double found = NAN;
    int32_t n = 0;

    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        struct json *doc = NULL;

        assert_ok(jv_parse(line, (size_t)(end - line), "metrics", &doc, why));
        if (jv_get_int(jv_get(doc, "update"), -1) == update && jv_get(doc, key)) {
            found = jv_get_number(jv_get(doc, key), NAN);
            n++;
        }
        jv_unref(doc);
    }
    free(text);
    assert_true(n <= 1); /* no update appears twice */
    return found;
}

static void test_it_learns_with_rollouts_and_training_bitwise_equal(void **state)
{
    struct run r;
    struct grpo_result out;

    (void)state;
    run_init(&r, 25);
    assert_ok(run_once(&r, 2, &out, why));
    assert_true(out.largest_first_gap == 0);
    assert_true(metric(&r, 1, "steps_right") < .5);
    assert_true(metric(&r, 25, "steps_right") > .9);
    assert_true(out.rollouts >= 25 * GROUPS * SIZE);
    assert_true(out.sampled_tokens == out.rollouts * 4);
    assert_int_equal(r.toy.last_version, weights_version(r.start) + 25);
    assert_string_equal(out.ended, "updates");
    assert_int_equal(weights_version(out.weights), weights_version(r.start) + 25);
    weights_unref(out.weights);
    run_free(&r);
}

static void test_advantages_dealt_by_lot_teach_nothing(void **state)
{
    struct run r;
    struct grpo_result out;

    (void)state;
    run_init(&r, 25);
    r.o.credit.shuffle = true;
    assert_ok(run_once(&r, 2, &out, why));
    assert_true(metric(&r, 25, "steps_right") < .6);
    weights_unref(out.weights);
    run_free(&r);
}

static void test_three_and_three_are_six(void **state)
{
    struct run a, b;
    struct grpo_result out;
    struct error err = ERROR_INIT;
    struct sha256 want, got;

    (void)state;
    run_init(&a, 6);
    want = run_hash(&a, 1);
    run_init(&b, 6);
    b.o.checkpoint_every = 3;
    b.o.epochs = 1;
    b.toy.interrupt_at = 4 + (a.toy.n_plays - 6); /* in the midst of a later update */
    assert_int_equal(run_once(&b, 2, &out, &err), STATUS_CANCELLED);
    assert_true(checkpoint_last(b.out) >= 3 && checkpoint_last(b.out) < 6);
    b.flag = 0;
    b.o.resume = true;
    got = run_hash(&b, 2);
    assert_memory_equal(&want, &got, sizeof(want));
    for (int64_t u = 1; u <= 6; u++)
        assert_true(metric(&a, u, "reward") == metric(&b, u, "reward"));
    run_free(&a);
    run_free(&b);
}

/* Memory that the host cannot touch: the same weights, interrupted and resumed. */
static void test_a_device_gives_the_same_run(void **state)
{
    struct model_config c = tiny_config(true);
    struct run a, b;
    struct grpo_result out;
    struct error err = ERROR_INIT;
    struct sha256 want, got;

    (void)state;
    run_init(&a, 4);
    want = run_hash(&a, 1);
    run_init(&b, 4);
    weights_unref(b.start);
    b.start = tiny_weights(&c, fake_device(), 40);
    b.o.checkpoint_every = 2;
    b.toy.interrupt_at = 3 + (a.toy.n_plays - 4);
    assert_int_equal(run_once(&b, 2, &out, &err), STATUS_CANCELLED);
    assert_int_equal(checkpoint_last(b.out), 2);
    b.flag = 0;
    b.o.resume = true;
    got = run_hash(&b, 2);
    assert_memory_equal(&want, &got, sizeof(want));
    run_free(&a);
    run_free(&b);
    assert_int_equal(fake_device_n_allocations(), 0);
}

static void test_killed_in_the_midst_resumes_bit_exactly(void **state)
{
    static const int64_t kill_at[] = {3, 5, 2};
    struct run a, b;
    struct sha256 want, got;

    (void)state;
    run_init(&a, 8);
    want = run_hash(&a, 2);
    run_init(&b, 8);
    b.o.checkpoint_every = 2;
    b.o.resume = true;
    for (size_t i = 0; i < ARRAY_LEN(kill_at); i++) {
        int status;
        pid_t child = fork();

        if (child == 0) {
            struct grpo_result out;
            struct error err = ERROR_INIT;

            b.toy.kill_at = kill_at[i];
            (void)!run_once(&b, 1, &out, &err);
            _exit(0);
        }
        assert_true(waitpid(child, &status, 0) == child);
        assert_true(WIFSIGNALED(status));
    }
    assert_true(checkpoint_last(b.out) >= 2);
    got = run_hash(&b, 1);
    assert_memory_equal(&want, &got, sizeof(want));
    run_free(&a);
    run_free(&b);
}

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

static void test_a_disk_that_fills_loses_nothing(void **state)
{
    struct run a, b;
    struct sha256 want, got;
    int64_t last = -1;
    int32_t n_full = 0;

    (void)state;
    run_init(&a, 5);
    want = run_hash(&a, 1);
    run_init(&b, 5);
    b.o.checkpoint_every = 1;
    b.o.resume = true;
    for (int64_t bytes = 1000; bytes < 400000; bytes += 90000) {
        struct small_disk d = {.seams = *seams_real(), .left = bytes};
        struct grpo_result out;
        struct error err = ERROR_INIT;
        enum status st;

        d.seams.file.ctx = &d;
        d.seams.file.write_all = small_write;
        b.o.seams = &d.seams;
        st = run_once(&b, 1, &out, &err);
        if (st) {
            assert_int_equal(st, STATUS_DISK_FULL);
            n_full++;
        }
        weights_unref(out.weights);
        assert_true(checkpoint_last(b.out) >= last);
        last = checkpoint_last(b.out);
    }
    assert_true(n_full > 0);
    b.o.seams = seams_real();
    got = run_hash(&b, 1);
    assert_memory_equal(&want, &got, sizeof(want));
    run_free(&a);
    run_free(&b);
}

struct shelf {
    struct run r; /* first: evaluate and publish know it by its toy */
    int64_t room; /* a request for more fails */
    int32_t n_asked;
    int64_t most;
};

static enum status ask_for_room(void *ctx, int64_t bytes, int64_t best, struct error *err)
{
    struct shelf *s =
        CONTAINER_OF(CONTAINER_OF((struct toy_rollouts *)ctx, struct run, toy), struct shelf, r);

    (void)best;
    s->n_asked++;
    s->most = bytes > s->most ? bytes : s->most;
    return bytes > s->room ? error_set(err, STATUS_DISK_FULL, "no room") : STATUS_OK;
}

/* Room is asked for before a checkpoint is written, and after each update; without room the run
 * ends with the saved state, and resumes with the same bits. */
static void test_without_room_it_ends_as_it_was_saved(void **state)
{
    struct run whole;
    struct shelf s = {.room = INT64_MAX};
    struct grpo_result out;
    struct error err = ERROR_INIT;
    struct sha256 want, got;

    (void)state;
    run_init(&whole, 5);
    want = run_hash(&whole, 1);
    run_init(&s.r, 5);
    s.r.o.make_room = ask_for_room;
    s.r.o.checkpoint_every = 2;
    s.r.toy.interrupt_at = 4;
    assert_int_equal(run_once(&s.r, 1, &out, &err), STATUS_CANCELLED);
    assert_true(s.n_asked >= 4 && s.most > 12 * weights_n_params(s.r.start));
    s.r.flag = 0;
    s.r.toy.interrupt_at = 0;
    s.r.o.resume = true;
    s.room = 0;
    assert_int_equal(run_once(&s.r, 1, &out, &err), STATUS_DISK_FULL);
    assert_true(checkpoint_last(s.r.out) >= 2 && checkpoint_last(s.r.out) < 5);
    s.room = INT64_MAX;
    got = run_hash(&s.r, 1);
    assert_memory_equal(&want, &got, sizeof(want));
    run_free(&whole);
    run_free(&s.r);
}

static void test_an_update_is_replayed_bit_for_bit(void **state)
{
    struct run r;
    struct grpo_replayed again;
    struct error err = ERROR_INIT;
    struct pool *pool = NULL;

    (void)state;
    run_init(&r, 6);
    r.o.checkpoint_every = 2;
    r.o.keep_last = 1;
    (void)run_hash(&r, 2);
    assert_ok(pool_new(1, &pool, why));
    /* Only the last checkpoint is left, so this begins at the start; that one at 4. */
    assert_ok(grpo_replay(pool, r.start, &r.o, 5, &again, why));
    assert_int_equal(again.from, 0);
    assert_int_equal(strlen(again.recorded), 64);
    assert_string_equal(again.recorded, again.now);
    temp_dir_remove(r.out);
    assert_int_equal(mkdir(r.out, 0700), 0);
    r.o.keep_last = 0;
    (void)run_hash(&r, 2);
    assert_ok(grpo_replay(pool, r.start, &r.o, 5, &again, why));
    assert_int_equal(again.from, 4);
    assert_string_equal(again.recorded, again.now);
    /* Other options would give other weights; they are an error. */
    r.o.learning.step.lr = 2e-2;
    assert_int_equal(grpo_replay(pool, r.start, &r.o, 5, &again, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "learning rate (--lr) was 0.01 and is now 0.02"));
    r.o.learning.step.lr = 1e-2;
    assert_int_equal(grpo_replay(pool, r.start, &r.o, 7, &again, &err), STATUS_USAGE);
    pool_free(pool);
    run_free(&r);
}

static void test_changed_options_are_refused_by_name(void **state)
{
    struct run r;
    struct grpo_result out;
    struct error err = ERROR_INIT;

    (void)state;
    run_init(&r, 2);
    (void)run_hash(&r, 1);
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, r.out));
    r.o.resume = true;
    r.o.credit.call_cost = .5;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "cost of a call (--call-cost) was 0.0 and is now 0.5"));
    r.o.credit.call_cost = 0;
    r.toy.level[0] = .25;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "level (--level) was 0.0 and is now 0.25"));
    run_free(&r);
}

static void test_groups_without_spread_are_refilled_then_skipped(void **state)
{
    struct run r;
    struct grpo_result out;

    (void)state;
    run_init(&r, 3);
    r.toy.all_equal = true;
    r.o.max_refills = 2;
    assert_ok(run_once(&r, 1, &out, why));
    assert_int_equal(out.skipped, 3);
    assert_int_equal(r.toy.n_plays, 3 * 3); /* once, and twice more */
    assert_int_equal(out.rollouts, 3 * 3 * GROUPS * SIZE);
    assert_int_equal(out.trained_tokens, 0);
    assert_memory_equal(weights_hash(out.weights), weights_hash(r.start), sizeof(struct sha256));
    assert_true(metric(&r, 2, "groups_flat") == 3 * GROUPS);
    weights_unref(out.weights);
    run_free(&r);
}

/* Two tasks in a batch: the bits are those of one (the toy plays both alike), each is reported, and
 * refills continue where the groups ended. */
static void test_a_mixed_run_tells_of_each_task(void **state)
{
    struct run one, two;
    struct sha256 a, b;
    struct error err = ERROR_INIT;
    struct grpo_result out;
    char *text;

    (void)state;
    run_init(&one, 4);
    run_init(&two, 4);
    two.toy.source.n_tasks = 2;
    two.toy.level[1] = .4;
    a = run_hash(&one, 1);
    b = run_hash(&two, 2);
    assert_memory_equal(&a, &b, sizeof(a));
    text = metrics_of(&two);
    assert_non_null(strstr(text, "\"tasks\":{\"calm\":{\"rollouts\":12,"));
    assert_non_null(strstr(text, "\"rough\":{\"rollouts\":12,"));
    assert_non_null(strstr(text, "\"level\":0.4}"));
    free(text);
    assert_true(metric(&two, 3, "described") == 2);
    /* A different level of the second task is a different run. */
    two.toy.level[1] = .5;
    two.o.resume = true;
    assert_int_equal(run_once(&two, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "second level (--level) was 0.4 and is now 0.5"));
    run_free(&one);
    run_free(&two);
    run_init(&two, 1);
    two.toy.source.n_tasks = 2;
    two.toy.all_equal = true;
    assert_ok(run_once(&two, 1, &out, why));
    weights_unref(out.weights);
    assert_int_equal(two.toy.first_group, GROUPS);
    two.toy.source.n_tasks = GROUPS + 1;
    assert_int_equal(run_once(&two, 1, &out, &err), STATUS_USAGE);
    run_free(&two);
}

static void test_failures_outside_of_the_policy_are_masked(void **state)
{
    struct run r;
    struct grpo_result out;

    (void)state;
    run_init(&r, 20);
    r.toy.fail_some = true;
    r.o.max_refills = 0;
    assert_ok(run_once(&r, 1, &out, why));
    assert_true(metric(&r, 1, "outside") == GROUPS);
    assert_true(metric(&r, 1, "chains") == GROUPS * (SIZE - 1) * 2);
    assert_true(metric(&r, 20, "steps_right") > .9);
    weights_unref(out.weights);
    run_free(&r);
}

/* A verifier without a verdict, and an empty group: the other groups are trained, with the same
 * bits. */
static void test_verdicts_that_are_no_number_teach_nothing(void **state)
{
    static const enum credit_kind kind[] = {CREDIT_STEP, CREDIT_OUTCOME, CREDIT_GIGPO};
    struct sha256 h[2];

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kind); k++) {
        for (int32_t i = 0; i < 2; i++) {
            struct run r;

            run_init(&r, 4);
            r.o.credit.kind = kind[k];
            r.o.credit.gamma = .9;
            r.o.credit.gigpo_weight = 1;
            r.toy.no_verdict = r.toy.fail_first = true;
            h[i] = run_hash(&r, i + 1);
            assert_true(isfinite(metric(&r, 4, "reward")) && isfinite(metric(&r, 4, "grad_norm")));
            assert_true(metric(&r, 1, "outside") >= SIZE);
            run_free(&r);
        }
        assert_memory_equal(&h[0], &h[1], sizeof(h[0]));
    }
}

/* A different tokenizer with the same weights: a run that began with ids of one is not resumed with
 * ids of the other. */
static void test_another_tokenizer_is_refused(void **state)
{
    struct grpo_result out;
    struct error err = ERROR_INIT;
    struct run r;

    (void)state;
    run_init(&r, 2);
    r.o.tokenizer = "aaaa";
    (void)run_hash(&r, 1);
    r.o.resume = true;
    r.o.tokenizer = "bbbb";
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(
        strstr(err.message, "tokenizer of the model (--model) was aaaa and is now bbbb"));
    run_free(&r);
}

static void test_chains_without_room_are_left_out(void **state)
{
    struct run r;
    struct grpo_result out;

    (void)state;
    run_init(&r, 2);
    r.o.max_len = 3; /* one less than they have */
    assert_ok(run_once(&r, 1, &out, why));
    assert_true(metric(&r, 1, "too_long") == metric(&r, 1, "chains"));
    assert_int_equal(out.trained_tokens, 0);
    weights_unref(out.weights);
    run_free(&r);
}

static void test_a_gradient_that_is_no_number_ends_the_run(void **state)
{
    struct run r;
    struct grpo_result out;
    struct error err = ERROR_INIT;
    struct sha256 want, got;

    (void)state;
    run_init(&r, 4);
    want = run_hash(&r, 1);
    run_free(&r);
    run_init(&r, 4);
    r.o.checkpoint_every = 1;
    r.o.credit.norm = CREDIT_NORM_GROUP;
    r.o.credit.advantage = ADVANTAGE_RLOO;
    r.toy.infinite = true;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_FAILED);
    assert_non_null(strstr(err.message, "not finite"));
    assert_non_null(strstr(err.message, "group"));
    assert_int_equal(checkpoint_last(r.out), -1); /* nothing bad was saved */
    r.toy.infinite = false;
    r.o.credit.norm = CREDIT_NORM_BATCH;
    r.o.credit.advantage = ADVANTAGE_TRL;
    got = run_hash(&r, 1);
    assert_memory_equal(&want, &got, sizeof(want));
    run_free(&r);
}

static void test_log_probs_that_differ_are_reported(void **state)
{
    struct run r;
    struct grpo_result out;

    (void)state;
    run_init(&r, 2);
    r.toy.add_to_logp = .125f;
    assert_ok(run_once(&r, 1, &out, why));
    assert_true(fabs(out.largest_first_gap - .125) < 1e-5);
    weights_unref(out.weights);
    run_free(&r);
}

/* Every id after every id: exactly one of 50 answers to a prompt is the likeliest, whatever the
 * weights are. */
static enum status pair_probe(void *ctx, int32_t i, struct example *ex, int32_t *want, int32_t cap,
                              int32_t *n_want, const char **category, struct error *err)
{
    (void)ctx;
    (void)cap;
    (void)err;
    ex->ids[0] = i / 50;
    ex->n = 1;
    want[0] = i % 50;
    *n_want = 1;
    *category = "pair";
    return STATUS_OK;
}

static void test_a_skill_that_drops_stops_the_run(void **state)
{
    static const struct example_source probe = {.n_probes = 2500, .probe = pair_probe};
    struct run r;
    struct grpo_result out;

    (void)state;
    run_init(&r, 9);
    r.o.probe = &probe;
    r.o.probe_floor = 1; /* it never changes: never below */
    assert_ok(run_once(&r, 1, &out, why));
    assert_string_equal(out.ended, "updates");
    weights_unref(out.weights);
    run_free(&r);
    run_init(&r, 9);
    r.o.probe = &probe;
    r.o.probe_floor = 1.01;
    assert_ok(run_once(&r, 1, &out, why));
    assert_string_equal(out.ended, "probe");
    assert_int_equal(out.updates, 1);
    weights_unref(out.weights);
    run_free(&r);
}

static void test_the_best_by_validation_is_given_and_patience_ends(void **state)
{
    static const double success[] = {.1, .2, .3, .9, .5, .5, .6, .7, .8, .85, .1, .1, .1};
    struct run r;
    struct grpo_result out;
    char hex[65], *text, key[90];

    (void)state;
    run_init(&r, 12);
    r.success = success;
    r.o.evaluate = evaluate;
    r.o.eval_every = 1;
    r.o.patience = 4;
    r.o.keep_last = 1;
    assert_ok(run_once(&r, 1, &out, why));
    assert_string_equal(out.ended, "patience");
    assert_int_equal(out.updates, 7);
    assert_int_equal(out.best_update, 3);
    assert_true(out.first_success == .1 && out.best_success == .9);
    assert_int_equal(r.n_evaluations, 8);
    sha256_hex(weights_hash(out.weights), hex);
    (void)snprintf(key, sizeof(key), "\"weights\":\"%s\"", hex);
    text = metrics_of(&r);
    assert_non_null(strstr(text, key));
    assert_true(metric(&r, 3, "asked") == 4);
    free(text);
    weights_unref(out.weights);
    run_free(&r);
}

/* A run that is interrupted during an evaluation repeats that evaluation when it resumes, and no
 * other. */
static void test_an_interrupted_measurement_is_made_up_for(void **state)
{
    static const double success[5] = {.1, .2, .3, .4, .5};
    struct run r;
    struct grpo_result out;
    struct error err = ERROR_INIT;

    (void)state;
    for (int64_t at = 2; at <= 4; at += 2) {
        run_init(&r, 4);
        r.o.evaluate = evaluate;
        r.o.eval_every = 2;
        r.success = success;
        r.cancel_at = at;
        assert_int_equal(run_once(&r, 1, &out, &err), STATUS_CANCELLED);
        r.cancel_at = 0;
        r.o.resume = true;
        assert_ok(run_once(&r, 1, &out, why));
        assert_int_equal(out.best_update, 4);
        assert_true(out.best_success == .5);
        assert_int_equal(r.n_evaluations, 3); /* at 0, 2 and 4 */
        weights_unref(out.weights);
        run_free(&r);
    }
}

static void test_wrong_use_is_refused(void **state)
{
    struct run r;
    struct grpo_result out;
    struct error err = ERROR_INIT;

    (void)state;
    run_init(&r, 2);
    r.o.group_size = 1;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    assert_non_null(strstr(err.message, "baseline"));
    r.o.group_size = SIZE;
    r.o.groups = 0;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    r.o.groups = GROUPS;
    r.o.temperature = 0;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    r.o.temperature = 1;
    r.o.learning.step.lr = NAN;
    assert_int_equal(run_once(&r, 1, &out, &err), STATUS_USAGE);
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_learns_with_rollouts_and_training_bitwise_equal),
        cmocka_unit_test(test_advantages_dealt_by_lot_teach_nothing),
        cmocka_unit_test(test_three_and_three_are_six),
        cmocka_unit_test(test_a_device_gives_the_same_run),
        cmocka_unit_test(test_killed_in_the_midst_resumes_bit_exactly),
        cmocka_unit_test(test_a_disk_that_fills_loses_nothing),
        cmocka_unit_test(test_without_room_it_ends_as_it_was_saved),
        cmocka_unit_test(test_an_update_is_replayed_bit_for_bit),
        cmocka_unit_test(test_changed_options_are_refused_by_name),
        cmocka_unit_test(test_groups_without_spread_are_refilled_then_skipped),
        cmocka_unit_test(test_a_mixed_run_tells_of_each_task),
        cmocka_unit_test(test_failures_outside_of_the_policy_are_masked),
        cmocka_unit_test(test_verdicts_that_are_no_number_teach_nothing),
        cmocka_unit_test(test_another_tokenizer_is_refused),
        cmocka_unit_test(test_chains_without_room_are_left_out),
        cmocka_unit_test(test_a_gradient_that_is_no_number_ends_the_run),
        cmocka_unit_test(test_log_probs_that_differ_are_reported),
        cmocka_unit_test(test_a_skill_that_drops_stops_the_run),
        cmocka_unit_test(test_the_best_by_validation_is_given_and_patience_ends),
        cmocka_unit_test(test_an_interrupted_measurement_is_made_up_for),
        cmocka_unit_test(test_wrong_use_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
