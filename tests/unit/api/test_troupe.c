/* test_troupe.c - the runtime as a library: runs begun, driven at once, answered, watched, without
 * a command line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_fork.h"
#include "runtime/api/troupe_wait.h"
#include "runtime/api/troupe_watch.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "runtime/store/query.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"

#include <time.h>

#define HEAD "schema: blueprint/v1\n"
#define SCRIPT                                                                                     \
    "{\"model\": \"script\", \"replies\": [], \"default\": {\"text\": \"hello\"}, "                \
    "\"delay_ms\": 50}"

static const char talk[] = HEAD "inputs: {n: {type: integer, default: 3}}\n"
                                "agents: {a: {model: 'script:reply.json'}}\n"
                                "steps:\n  say: {agent: a, in: '${inputs.n}'}\n"
                                "output: ['${say}', '${inputs.n}']\n";
static const char ask[] = HEAD "steps:\n  ask: {human: {prompt: 'Well?', options: [yes, no], "
                               "reject: [], timeout: %s}}\noutput: '${ask}'\n";

struct bench {
    struct log *log;
    struct troupe *t;
    struct str ends; /* "status output\n" of each run that ended */
    int n_steps, n_idle;
};

static struct store_options store_options(struct str *path)
{
    blueprint_dir_path("store.db", path);
    return (struct store_options){
        .path = str_cstr(path), .durability = STORE_NORMAL, .create = true, .seams = seams_real()};
}

static int open_bench(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));
    struct str path = STR_INIT;

    blueprint_dir_make();
    b->log = log_new(STDERR_FILENO, LOG_WARN, false);
    const struct troupe_options o = {.seams = seams_real(), .log = b->log};
    b->t = troupe_new(&o);
    b->ends = STR_INIT;
    const struct store_options so = store_options(&path);
    assert_int_equal(troupe_open_store(b->t, &so, NULL), STATUS_OK);
    str_deinit(&path);
    *state = b;
    return 0;
}

static int close_bench(void **state)
{
    struct bench *b = *state;

    troupe_free(b->t);
    log_free(b->log);
    str_deinit(&b->ends);
    free(b);
    blueprint_dir_remove();
    return 0;
}

static void on_step(void *ctx, struct troupe_run *r, const char *path, const char *kind,
                    enum step_state state)
{
    struct bench *b = ctx;

    (void)r;
    (void)path;
    (void)kind;
    b->n_steps += state == STEP_OK;
}

static void on_end(void *ctx, struct troupe_run *r)
{
    struct bench *b = ctx;
    const struct troupe_result *result = troupe_run_result(r);

    str_printf(&b->ends, "%s ", run_status_word(result->status));
    jv_write(result->output, 0, &b->ends);
    str_putc(&b->ends, '\n');
}

static struct troupe_run_options options_of(struct bench *b)
{
    return (struct troupe_run_options){
        .listener = {.ctx = b, .on_step = on_step, .on_end = on_end}};
}

static struct plan *load(const char *name, const char *text)
{
    struct plan *p = NULL;

    assert_ok(blueprint_load(blueprint_dir_write(name, text, strlen(text)), &p, why));
    return p;
}

static struct plan *load_question(const char *timeout)
{
    char text[512];

    snprintf(text, sizeof(text), ask, timeout);
    return load("ask.yaml", text);
}

static struct troupe_run *begin(struct bench *b, const struct plan *p, const char *inputs)
{
    const struct troupe_run_options o = options_of(b);
    struct json *given = NULL;
    struct troupe_run *r = NULL;
    struct error err = ERROR_INIT;

    assert_int_equal(jv_parse(inputs, strlen(inputs), "inputs", &given, NULL), STATUS_OK);
    const struct troupe_run_spec spec = {.kind = "run", .plan = p, .inputs = given, .seed = 7};
    if (troupe_run_new(b->t, &spec, &o, &r, &err) || troupe_run_start(r, &err))
        fail_msg("%s", err.message);
    jv_unref(given);
    return r;
}

static void runs_of_one_process_are_told_apart(void **state)
{
    struct bench *b = *state;
    struct plan *p;
    struct troupe_run *one, *two;

    blueprint_dir_write("reply.json", SCRIPT, strlen(SCRIPT));
    p = load("talk.yaml", talk);
    one = begin(b, p, "{}");
    two = begin(b, p, "{\"n\": 4}");
    assert_int_equal(troupe_drive(b->t, NULL), STATUS_OK);
    assert_int_equal(troupe_run_result(one)->status, RUN_OK);
    assert_int_equal(troupe_run_result(two)->status, RUN_OK);
    assert_int_equal(jv_get_int(jv_at(troupe_run_result(one)->output, 1), 0), 3);
    assert_int_equal(jv_get_int(jv_at(troupe_run_result(two)->output, 1), 0), 4);
    assert_int_equal(b->n_steps, 2);
    /* say, its turn's model call, and what is around them: as the store counts. */
    assert_true(troupe_run_result(one)->n_steps > 1);
    assert_int_equal(troupe_run_result(one)->n_steps, troupe_run_result(two)->n_steps);
    troupe_run_free(one);
    troupe_run_free(two);
    plan_free(p);
}

static void count_run(struct bench *b, int want)
{
    struct store_reader *q;
    char uuid[37];

    assert_int_equal(troupe_reader(b->t, &q, NULL), STATUS_OK);
    assert_int_equal(query_resolve_run(q, "last", uuid, NULL), want ? STATUS_OK : STATUS_NOT_FOUND);
}

static void what_is_wrong_before_the_row_leaves_no_run(void **state)
{
    struct bench *b = *state;
    const struct troupe_run_options o = options_of(b);
    static const char *const name[] = {"a=script:none.json"};
    struct troupe_run_options given = o;
    struct json *inputs = jv_object();
    struct plan *p = load("talk.yaml", talk); /* whose script is not there */
    struct troupe_run_spec spec = {.kind = "run", .plan = p, .inputs = inputs, .seed = 7};
    struct troupe_run *r = NULL;
    struct error err = ERROR_INIT;

    assert_int_equal(troupe_run_new(b->t, &spec, &o, &r, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "/reply.json"));
    given.model = name;
    given.n_models = 1;
    assert_int_equal(troupe_run_new(b->t, &spec, &given, &r, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, "none.json"));
    jv_set_int(inputs, "m", 1);
    assert_int_equal(troupe_run_new(b->t, &spec, &o, &r, &err), STATUS_USAGE);
    given.root = "/nowhere/at/all";
    jv_remove(inputs, "m");
    assert_int_equal(troupe_run_new(b->t, &spec, &given, &r, &err), STATUS_NOT_FOUND);
    assert_null(r);
    count_run(b, 0);
    jv_unref(inputs);
    plan_free(p);
}

static void stop_at_idle(void *ctx, const struct error *lost)
{
    struct bench *b = ctx;
    struct loop *loop;

    assert_null(lost);
    b->n_idle++;
    assert_int_equal(troupe_loop(b->t, &loop, NULL), STATUS_OK);
    loop_stop(loop);
}

struct late_answer {
    struct bench *b;
    struct loop_timer *timer;
    char uuid[37];
};

static void answer(void *ctx)
{
    struct late_answer *late = ctx;

    assert_ok(troupe_answer(late->b->t, late->uuid, NULL, "yes", why));
}

static void leave_waiting(struct bench *b, const char *timeout, char uuid[37])
{
    struct plan *p = load_question(timeout);
    struct troupe_run *r = begin(b, p, "{}");

    assert_int_equal(troupe_drive(b->t, NULL), STATUS_OK);
    assert_int_equal(troupe_run_result(r)->status, RUN_WAITING);
    memcpy(uuid, troupe_run_uuid(r), 37);
    troupe_run_free(r);
    plan_free(p);
}

static void a_watch_takes_answers_and_keeps_deadlines(void **state)
{
    struct bench *b = *state;
    struct troupe_watch_options o = {.run = options_of(b), .on_idle = stop_at_idle, .ctx = b};
    struct late_answer late = {.b = b};
    struct troupe_watch *w = NULL;
    struct json *rest = NULL;
    struct loop *loop;
    char never[37], soon[37];

    leave_waiting(b, "none", never);
    leave_waiting(b, "500ms, on_timeout: no", soon);
    leave_waiting(b, "1h", late.uuid);
    str_clear(&b->ends);
    assert_int_equal(troupe_loop(b->t, &loop, NULL), STATUS_OK);
    late.timer = loop_timer_new(loop, 1500, answer, &late);
    assert_int_equal(troupe_watch_start(b->t, &o, &w, NULL), STATUS_OK);
    assert_int_equal(troupe_drive(b->t, NULL), STATUS_OK);
    loop_timer_free(late.timer);
    assert_int_equal(b->n_idle, 1);
    assert_non_null(strstr(str_cstr(&b->ends), "ok \"no\"\n"));
    assert_non_null(strstr(str_cstr(&b->ends), "ok \"yes\"\n"));
    assert_int_equal(troupe_inbox(b->t, 0, &rest, NULL), STATUS_OK);
    assert_int_equal(jv_size(rest), 1);
    assert_string_equal(jv_get_string(jv_get(jv_at(rest, 0), "run"), ""), never);
    jv_unref(rest);
    troupe_watch_free(w);
}

/* Up to three runs that are made: their uuids, or "" and the status. */
struct made {
    char uuid[3][37];
    enum status status[3];
    int n;
};

static void on_made(void *ctx, const char *uuid, const struct error *err)
{
    struct made *m = ctx;

    m->status[m->n] = uuid ? STATUS_OK : err->status;
    snprintf(m->uuid[m->n++], 37, "%s", uuid ? uuid : "");
}

static void a_watch_drives_new_runs_as_places_become_free(void **state)
{
    struct bench *b = *state;
    struct troupe_watch_options o = {
        .at_once = 1, .run = options_of(b), .on_idle = stop_at_idle, .ctx = b};
    const struct troupe_run_options none = {.timeout_ms = 0};
    struct plan *p = load("quick.yaml", "schema: blueprint/v1\n"
                                        "steps: {one: {value: 1}}\n"
                                        "output: '${one}'\n");
    struct json *inputs = jv_object(), *rest = NULL;
    const struct troupe_run_spec spec = {.kind = "run", .plan = p, .inputs = inputs, .key = "k"};
    struct troupe_run_spec next = spec;
    struct troupe_watch *w = NULL;
    struct made first = {.n = 0}, others = {.n = 0};

    assert_ok(troupe_watch_start(b->t, &o, &w, why));
    assert_ok(troupe_watch_run_new(w, &spec, &none, on_made, &first, why));
    assert_ok(troupe_watch_run_new(w, &spec, &none, on_made, &first, why));
    next.key = NULL;
    for (int i = 1; i < 3; i++)
        assert_ok(troupe_watch_run_new(w, &next, &none, on_made, &others, why));
    assert_int_equal(first.n + others.n, 0); /* on the loop */
    assert_ok(troupe_drive(b->t, why));
    assert_int_equal(first.n, 2);
    assert_int_equal(first.status[0], STATUS_OK);
    assert_int_equal(first.status[1], STATUS_REJECTED);
    assert_int_equal(others.n, 2);
    assert_string_not_equal(others.uuid[0], others.uuid[1]);
    assert_string_equal(str_cstr(&b->ends), "ok 1\nok 1\nok 1\n");
    assert_ok(troupe_inbox(b->t, 1, &rest, why));
    assert_int_equal(jv_size(rest), 0);
    jv_unref(rest);
    troupe_watch_free(w);
    jv_unref(inputs);
    plan_free(p);
}

#define SYNC_MS 400

static int slow_sync(void *ctx)
{
    (void)ctx;
    (void)nanosleep(&(struct timespec){.tv_nsec = SYNC_MS * 1000000L}, NULL);
    return 0;
}

struct ticks {
    struct made made;
    int64_t last_us, longest_us; /* the longest time without a turn of the loop, until it is made */
};

static void on_tick(void *ctx)
{
    struct ticks *t = ctx;
    int64_t now = seams_mono_us(seams_real());

    if (t->last_us && t->made.n == 0 && now - t->last_us > t->longest_us)
        t->longest_us = now - t->last_us;
    t->last_us = now;
}

/* A run is made while an fsync takes long: the loop goes on meanwhile. */
static void a_slow_disk_does_not_stop_the_loop(void **state)
{
    struct bench *b = *state;
    struct troupe_watch_options o = {.run = options_of(b), .on_idle = stop_at_idle, .ctx = b};
    const struct troupe_run_options none = {.timeout_ms = 0};
    const struct troupe_options to = {.seams = seams_real(), .log = b->log};
    struct str path = STR_INIT;
    struct store_options so = {
        .durability = STORE_FULL, .create = true, .seams = seams_real(), .sync_hook = slow_sync};
    struct plan *p = load("quick.yaml", HEAD "steps: {one: {value: 1}}\n");
    struct json *inputs = jv_object();
    const struct troupe_run_spec spec = {.kind = "run", .plan = p, .inputs = inputs};
    struct troupe_watch *w = NULL;
    struct ticks ticks = {.last_us = 0};
    struct loop *loop;
    struct loop_timer *timer;
    int64_t began;

    troupe_free(b->t);
    b->t = troupe_new(&to);
    blueprint_dir_path("slow.db", &path);
    so.path = str_cstr(&path);
    assert_ok(troupe_open_store(b->t, &so, why));
    assert_ok(troupe_loop(b->t, &loop, why));
    assert_ok(troupe_watch_start(b->t, &o, &w, why));
    timer = loop_timer_every(loop, 5, on_tick, &ticks);
    began = seams_mono_us(seams_real());
    assert_ok(troupe_watch_run_new(w, &spec, &none, on_made, &ticks.made, why));
    assert_ok(troupe_drive(b->t, why));
    assert_int_equal(ticks.made.status[0], STATUS_OK);
    assert_true(seams_mono_us(seams_real()) - began >= SYNC_MS * 1000);
    assert_true(ticks.longest_us > 0);
    if (ticks.longest_us >= SYNC_MS * 1000 / 2)
        fail_msg("the loop had no turn for %lld us", (long long)ticks.longest_us);
    assert_string_equal(str_cstr(&b->ends), "ok 1\n");
    loop_timer_free(timer);
    troupe_watch_free(w);
    jv_unref(inputs);
    plan_free(p);
    str_deinit(&path);
}

static void a_fork_begins_with_what_is_recorded(void **state)
{
    struct bench *b = *state;
    const struct troupe_run_options o = options_of(b);
    struct troupe_run *copy = NULL;
    struct troupe_fork fork = {.live = true};
    char uuid[37];

    leave_waiting(b, "1h", uuid);
    assert_int_equal(troupe_answer(b->t, uuid, "ask", "maybe", NULL), STATUS_USAGE);
    assert_int_equal(troupe_answer(b->t, uuid, "ask", "yes", NULL), STATUS_OK);
    assert_int_equal(troupe_run_take(b->t, uuid, &o, &copy, NULL), STATUS_OK);
    assert_int_equal(troupe_run_start(copy, NULL), STATUS_OK);
    assert_int_equal(troupe_drive(b->t, NULL), STATUS_OK);
    troupe_run_free(copy);
    fork.uuid = uuid;
    assert_int_equal(troupe_reader(b->t, &fork.from, NULL), STATUS_OK);
    assert_int_equal(troupe_run_fork(b->t, &fork, &o, &copy, NULL), STATUS_OK);
    assert_string_not_equal(troupe_run_uuid(copy), uuid);
    assert_int_equal(troupe_run_start(copy, NULL), STATUS_OK);
    assert_int_equal(troupe_drive(b->t, NULL), STATUS_OK);
    assert_string_equal(jv_get_string(troupe_run_result(copy)->output, ""), "yes");
    troupe_run_free(copy);
}

#define IN_BENCH(f) cmocka_unit_test_setup_teardown(f, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BENCH(runs_of_one_process_are_told_apart),
        IN_BENCH(what_is_wrong_before_the_row_leaves_no_run),
        IN_BENCH(a_watch_takes_answers_and_keeps_deadlines),
        IN_BENCH(a_watch_drives_new_runs_as_places_become_free),
        IN_BENCH(a_slow_disk_does_not_stop_the_loop),
        IN_BENCH(a_fork_begins_with_what_is_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
