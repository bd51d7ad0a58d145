/* run_bench.c - see run_bench.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/blueprints/run_bench.h"

#include <errno.h>
#include <fcntl.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "runtime/store/query.h"
#include "tests/support/check.h"
#include "tests/unit/blueprints/blueprint_dir.h"

/* ---- crashes and effects */

static void maybe_crash(struct run_bench *b)
{
    if (atomic_load(&b->crash_after) > 0 && atomic_fetch_sub(&b->crash_after, 1) == 1)
        _exit(9);
}

static void effects_path(const struct run_bench *b, struct str *path)
{
    str_clear(path);
    str_printf(path, "%s/effects", b->folder);
}

void run_bench_note(struct run_bench *b, const char *line)
{
    struct str path = STR_INIT;
    int fd;

    effects_path(b, &path);
    fd = open(str_cstr(&path), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || write(fd, line, strlen(line)) < 0 || write(fd, "\n", 1) < 0)
        abort();
    close(fd);
    str_deinit(&path);
}

int run_bench_effects(const struct run_bench *b, const char *prefix)
{
    struct str path = STR_INIT;
    char *text = NULL, *line, *rest;
    size_t n;
    int count = 0;

    effects_path(b, &path);
    if (!file_read(str_cstr(&path), (size_t)1 << 24, &text, &n, NULL)) {
        rest = text;
        while ((line = strsep(&rest, "\n")) != NULL)
            count += *line && strncmp(line, prefix, strlen(prefix)) == 0;
    }
    free(text);
    str_deinit(&path);
    return count;
}

/* ---- pretended agents */

struct agent_host {
    struct run_bench *b;
};
struct agent {
    struct agent_host *host;
    struct agent_task task;
    agent_done done;
    void *ctx;
    struct loop_timer *timer;
    bool over, cancelled, asks;
};

static int64_t number(const struct agent *a, const char *key)
{
    return jv_get_int(jv_get(a->task.input, key), 0);
}

static int64_t attempt_of(const char *path)
{
    const char *at = strrchr(path, '@');

    return at && !strchr(at, '/') ? strtoll(at + 1, NULL, 10) : 0;
}

static void agent_ends(void *ctx)
{
    struct agent *a = ctx;
    struct agent_result r = {.state = STEP_OK, .turns = 1};
    struct json *out = NULL;

    if (a->over)
        return;
    loop_timer_free(a->timer);
    a->timer = NULL;
    if (!a->cancelled && jv_get_bool(jv_get(a->task.input, "wait"), false) &&
        run_bench_effects(a->host->b, "answered") == 0) {
        a->asks = true;
        a->task.on_asking(a->ctx, true, 0);
        return;
    }
    a->over = true;
    a->host->b->n_active--;
    if (a->cancelled) {
        r.state = STEP_CANCELLED;
        error_set(&r.err, STATUS_CANCELLED, "the agent was cancelled");
    } else if (jv_get_bool(jv_get(a->task.input, "misfit"), false) &&
               run_bench_effects(a->host->b, "fits") == 0) {
        r.state = STEP_ERROR;
        error_set(&r.err, STATUS_CONFIG, "not as it was recorded");
    } else if (attempt_of(a->task.scope.path) < number(a, "fail")) {
        r.state = STEP_ERROR;
        error_set(&r.err, STATUS_FAILED, "failed as requested");
    } else if (budget_cost_fits(a->task.scope.budget, number(a, "pay"), &r.err)) {
        r.state = STEP_BUDGET;
    } else if (a->task.env_ops) {
        struct json *v = jv_object();

        jv_set_int(v, "horizon", a->task.env_params.horizon);
        jv_set_int(v, "seed", (int64_t)a->task.env_params.task_seed);
        jv_set_real(v, "noise", a->task.env_params.noise);
        jv_set_bool(v, "success", true);
        out = jv_object();
        jv_set_adopt(out, "verdict", v);
    } else if (jv_get_bool(jv_get(a->task.input, "recall"), false)) {
        out = a->task.history ? jv_deep_copy(a->task.history) : jv_string("none");
    } else {
        out = jv_deep_copy(jv_get(a->task.input, "say"));
    }
    r.tok_out = number(a, "spend");
    budget_spend(a->task.scope.budget, r.tok_out, 1, 0);
    if (r.state == STEP_OK) {
        r.cost_nano = number(a, "pay");
        budget_spend_cost(a->task.scope.budget, r.cost_nano > 0 ? r.cost_nano : 0);
    }
    r.output = out;
    maybe_crash(a->host->b);
    a->done(a->ctx, a, &r);
    jv_unref(out);
}

enum status agent_start(struct agent_host *h, const struct agent_task *t, agent_done done,
                        void *ctx, struct agent **out, struct error *err)
{
    struct agent *a = xcalloc(1, sizeof(*a));
    struct str line = STR_INIT;

    (void)err;
    maybe_crash(h->b);
    a->host = h;
    a->task = *t;
    a->done = done;
    a->ctx = ctx;
    str_printf(&line, "agent %s", t->scope.path);
    run_bench_note(h->b, str_cstr(&line));
    str_deinit(&line);
    h->b->n_active++;
    if (h->b->n_active > h->b->most_active)
        h->b->most_active = h->b->n_active;
    if (!jv_get_bool(jv_get(t->input, "hang"), false))
        a->timer = loop_timer_new(h->b->loop, number(a, "ms"), agent_ends, a);
    *out = a;
    return STATUS_OK;
}

void agent_cancel(struct agent *a)
{
    if (a->over || a->cancelled)
        return;
    a->cancelled = true;
    loop_timer_free(a->timer);
    a->timer = loop_timer_new(a->host->b->loop, 0, agent_ends, a);
}

void agent_interrupt(struct agent *a)
{
    agent_cancel(a);
}

/* A pretended talk ends with what it has. */
void agent_cut_short(struct agent *a)
{
    if (a->task.talks && !a->timer)
        a->timer = loop_timer_new(a->host->b->loop, 0, agent_ends, a);
}

void agent_poll(struct agent *a)
{
    if (!a->asks || run_bench_effects(a->host->b, "answered") == 0)
        return;
    a->asks = false;
    a->task.on_asking(a->ctx, false, 0);
    agent_ends(a);
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    assert_true(a->over || a->asks);
    a->host->b->n_active -= !a->over;
    loop_timer_free(a->timer);
    free(a);
}

/* ---- tools */

static void free_tool(struct tool *t)
{
    tool_release(t);
}

/* {"fail": N}: fails N times, then counts. */
static void flaky_start(struct tool *t, struct tool_call *c)
{
    struct run_bench *b = t->ctx;
    struct str line = STR_INIT;

    str_printf(&line, "flaky %s", c->path);
    run_bench_note(b, str_cstr(&line));
    str_deinit(&line);
    if (b->n_flaky++ < jv_get_int(jv_get(c->arguments, "fail"), 0))
        tool_call_finish_error(c, "not yet");
    else
        tool_call_finish(c, TOOL_OK, jv_int(b->n_flaky));
}

static void slow_start(struct tool *t, struct tool_call *c)
{
    run_bench_note(t->ctx, "slow");
    c->state = t->ctx;
}

static void slow_cancel(struct tool *t, struct tool_call *c)
{
    (void)t;
    tool_call_finish(c, TOOL_CANCELLED, NULL);
}

static void effect_line(struct str *line, const struct tool *t, const struct tool_call *c)
{
    str_printf(line, "%s %s ", t->name, c->idem ? c->idem : "-");
    jv_write(jv_get(c->arguments, "to"), 0, line);
}

/* A receiver that knows keys: the same key twice is one effect. */
static void send_start(struct tool *t, struct tool_call *c)
{
    struct run_bench *b = t->ctx;
    struct str line = STR_INIT;

    maybe_crash(b);
    effect_line(&line, t, c);
    run_bench_note(b, "sending");
    if (run_bench_effects(b, str_cstr(&line)) == 0)
        run_bench_note(b, str_cstr(&line));
    str_deinit(&line);
    maybe_crash(b);
    tool_call_finish(c, TOOL_OK, jv_ref(jv_get(c->arguments, "to")));
}

/* One that does not: it must not be called twice. {"late": true}: never answers. */
static void pay_start(struct tool *t, struct tool_call *c)
{
    struct run_bench *b = t->ctx;
    struct str line = STR_INIT;

    maybe_crash(b);
    effect_line(&line, t, c);
    run_bench_note(b, str_cstr(&line));
    str_deinit(&line);
    maybe_crash(b);
    if (!jv_get_bool(jv_get(c->arguments, "late"), false))
        tool_call_finish(c, TOOL_OK, jv_ref(jv_get(c->arguments, "to")));
    else if (b->n_late < (int)ARRAY_LEN(b->late))
        b->late[b->n_late++] = c;
}

static void pay_status(struct tool *t, struct tool_call *c)
{
    struct str line = STR_INIT;

    run_bench_note(t->ctx, "asked");
    effect_line(&line, t, c);
    if (run_bench_effects(t->ctx, str_cstr(&line)) > 0)
        tool_call_finish(c, TOOL_OK, jv_ref(jv_get(c->arguments, "to")));
    else
        tool_call_finish(c, TOOL_ERROR, NULL);
    str_deinit(&line);
}

static void add_tools(struct run_bench *b)
{
    static const struct tool_ops flaky = {.start = flaky_start, .free = free_tool};
    static const struct tool_ops slow = {
        .start = slow_start, .cancel = slow_cancel, .free = free_tool};
    static const struct tool_ops send = {.start = send_start, .free = free_tool};
    static const struct tool_ops pay = {
        .start = pay_start, .status = pay_status, .free = free_tool};
    static const struct tool_ops blind = {.start = pay_start, .free = free_tool};
    static const struct {
        const char *name;
        const struct tool_ops *ops;
        enum effect effect;
    } tools[] = {
        {"flaky", &flaky, EFFECT_NONE},
        {"slow", &slow, EFFECT_READ},
        {"slow_send", &slow, EFFECT_IDEMPOTENT},
        {"send", &send, EFFECT_IDEMPOTENT},
        {"pay", &pay, EFFECT_ONCE},
        {"blind", &blind, EFFECT_ONCE},
    };

    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        struct tool_declaration d = {.name = tools[i].name,
                                     .description = "for tests",
                                     .source = "test",
                                     .input_schema = "{\"type\":\"object\"}",
                                     .effect = tools[i].effect};
        struct tool *t = NULL;

        assert_int_equal(tool_new(&d, tools[i].ops, b, &t, NULL), STATUS_OK);
        assert_int_equal(tool_registry_adopt(b->tools, t, NULL), STATUS_OK);
    }
}

/* ---- the bench */

static int on_sync(void *ctx)
{
    maybe_crash(ctx);
    return 0;
}

static int on_write(void *ctx, size_t n)
{
    struct run_bench *b = ctx;

    (void)n;
    return atomic_load(&b->full) ? ENOSPC : 0;
}

static void wake(void *ctx)
{
    loop_wake(ctx);
}

static void drain(void *ctx)
{
    struct run_bench *b = ctx;

    store_drain_replies(store_reply_box(b->store));
}

void run_bench_open(struct run_bench *b)
{
    run_bench_open_in(b, blueprint_dir_make());
}

static void open_store(struct run_bench *b)
{
    struct str path = STR_INIT;

    blueprint_dir_path("store.db", &path);
    assert_ok(store_open(&(struct store_options){.path = str_cstr(&path),
                                                 .create = true,
                                                 .durability = STORE_FULL,
                                                 .sync_hook = on_sync,
                                                 .sync_hook_ctx = b,
                                                 .write_hook = on_write,
                                                 .write_hook_ctx = b},
                         &b->store, why));
    if (!b->replies)
        b->replies = mailbox_new(wake, b->loop);
    store_set_reply_box(b->store, b->replies);
    str_deinit(&path);
}

void run_bench_reopen(struct run_bench *b)
{
    store_close(b->store);
    open_store(b);
}

void run_bench_open_in(struct run_bench *b, const char *folder)
{
    b->steps = STR_INIT;
    b->folder = folder;
    assert_int_equal(loop_new(seams_real(), &b->loop, NULL), STATUS_OK);
    open_store(b);
    b->drain = loop_tick_new(b->loop, drain, b);
    assert_int_equal(
        tool_registry_new(&(struct tool_registry_options){.seams = seams_real()}, &b->tools, NULL),
        STATUS_OK);
    add_tools(b);
    b->agents = xcalloc(1, sizeof(*b->agents));
    b->agents->b = b;
}

static void forget(struct run_bench *b)
{
    free(b->status);
    free(b->output);
    free(b->error);
    b->status = b->output = b->error = NULL;
}

void run_bench_close(struct run_bench *b)
{
    run_bench_close_in(b);
    blueprint_dir_remove();
}

void run_bench_close_in(struct run_bench *b)
{
    for (int i = 0; i < b->n_late; i++)
        tool_call_finish(b->late[i], TOOL_OK, NULL);
    forget(b);
    str_deinit(&b->steps);
    loop_tick_free(b->drain);
    loop_free(b->loop);
    store_close(b->store);
    mailbox_free(b->replies);
    tool_registry_free(b->tools);
    free(b->agents);
}

static enum status give_model(void *ctx, const struct plan *p, const struct plan_agent *a,
                              struct model **out, struct error *err)
{
    const char *name = plan_agent_model(p, a);
    struct run_bench *b = ctx;

    if (strcmp(name, "./none") == 0)
        return error_set(err, STATUS_NOT_FOUND, "no model %s", name);
    *out = &b->model;
    return STATUS_OK;
}

static void on_step(void *ctx, const char *path, const char *kind, enum step_state state)
{
    struct run_bench *b = ctx;

    if (b->trace)
        str_printf(&b->steps, "%s %s %s\n", path, kind, step_state_name(state));
}

static void on_done(void *ctx, struct runner *r, const struct runner_result *result)
{
    struct run_bench *b = ctx;

    assert_ptr_equal(r, b->runner);
    b->status = xstrdup(run_status_word(result->status));
    b->output = result->output ? jv_dump(result->output) : NULL;
    b->error = xstrdup(result->err.message);
    b->result = *result;
    runner_free(r);
    b->runner = NULL;
    loop_stop(b->loop);
}

static void on_stop(void *ctx)
{
    struct run_bench *b = ctx;

    loop_timer_free(b->stop_timer);
    b->stop_timer = NULL;
    if (b->while_running)
        b->while_running(b);
    else if (b->runner && b->stop_keep)
        runner_interrupt(b->runner);
    else if (b->runner)
        runner_cancel(b->runner);
}

static void drive(struct run_bench *b, const struct json *inputs)
{
    struct runner_host h = {.loop = b->loop,
                            .agents = b->agents,
                            .tools = b->tools,
                            .seams = seams_real(),
                            .model = give_model,
                            .on_step = on_step,
                            .ctx = b,
                            .stay = b->stay             ? RUNNER_STAY_ALL
                                    : b->stay_for_waits ? RUNNER_STAY_WAITS
                                                        : RUNNER_STAY_WORK,
                            .resumed = run_is_resumed(b->run),
                            .unattended = b->unattended,
                            .max_steps = b->max_steps};
    struct json *complete = NULL;
    struct error err = ERROR_INIT;

    forget(b);
    if (plan_inputs(b->plan, inputs, &complete, &err) ||
        runner_new(&h, b->plan, &b->runner, &err) ||
        runner_start(b->runner, b->run, complete, on_done, b, &err)) {
        b->status = xstrdup(status_name(err.status));
        b->error = xstrdup(err.message);
        runner_free(b->runner);
        b->runner = NULL;
    } else {
        if (b->stop_after_ms || b->while_running)
            b->stop_timer =
                loop_timer_new(b->loop, b->stop_after_ms ? b->stop_after_ms : 300, on_stop, b);
        loop_run(b->loop);
        loop_timer_free(b->stop_timer);
        b->stop_timer = NULL;
    }
    assert_null(b->runner);
    jv_unref(complete);
    run_close(b->run);
    b->run = NULL;
    plan_free(b->plan);
    b->plan = NULL;
    assert_int_equal(b->n_active, 0);
}

void run_bench_run(struct run_bench *b, const char *text, const char *inputs)
{
    struct str path = STR_INIT;
    struct json *config = jv_object();
    struct json *in = NULL;

    if (text)
        blueprint_dir_write("main.yaml", text, strlen(text));
    blueprint_dir_path("main.yaml", &path);
    assert_ok(blueprint_load(str_cstr(&path), &b->plan, why));
    if (!inputs)
        inputs = "{}";
    assert_int_equal(jv_parse(inputs, strlen(inputs), "inputs", &in, NULL), STATUS_OK);
    jv_set_adopt(config, "plan", jv_ref(b->plan->effective));
    jv_set_adopt(config, "inputs", jv_ref(in));
    assert_ok(run_create(
        b->store, &(struct run_spec){.kind = "run", .name = "main", .config = config, .seed = 7},
        &b->run, why));
    snprintf(b->uuid, sizeof(b->uuid), "%s", run_uuid(b->run));
    drive(b, in);
    jv_unref(in);
    jv_unref(config);
    str_deinit(&path);
}

void run_bench_resume(struct run_bench *b, bool from_file)
{
    struct str path = STR_INIT;
    struct json *inputs;
    struct error err = ERROR_INIT;
    enum status st = b->has_ended ? run_reopen(b->store, b->uuid, &b->run, &err)
                                  : run_take(b->store, b->uuid, &b->run, &err);

    if (st)
        fail_msg("%s", err.message);
    blueprint_dir_path("main.yaml", &path);
    if (from_file)
        st = blueprint_load(str_cstr(&path), &b->plan, &err);
    else
        st = blueprint_from_effective(jv_get(run_config(b->run), "plan"), &b->plan, &err);
    if (st)
        fail_msg("%s: %s", err.where, err.message);
    inputs = jv_ref(jv_get(run_config(b->run), "inputs"));
    drive(b, inputs);
    jv_unref(inputs);
    str_deinit(&path);
}

void run_bench_answer(struct run_bench *b, const char *path, const char *json)
{
    struct json *answer = NULL;

    assert_int_equal(jv_parse(json, strlen(json), "answer", &answer, NULL), STATUS_OK);
    assert_ok(store_answer(b->store, b->uuid, path, answer, why));
    jv_unref(answer);
}

struct wanted_step {
    const char *path;
    struct str *out;
};

static bool on_row(void *ctx, const struct step_row *s)
{
    struct wanted_step *w = ctx;

    if (strcmp(s->path, w->path) == 0) {
        str_clear(w->out);
        str_printf(w->out, "%s %d %d", step_state_name(s->state), s->attempt, s->tries);
    }
    return true;
}

void run_bench_step(struct run_bench *b, const char *path, struct str *out)
{
    struct store_reader *q = NULL;
    struct wanted_step w = {.path = path, .out = out};

    str_clear(out);
    str_puts(out, "none");
    assert_int_equal(store_reader_open(b->store, &q, NULL), STATUS_OK);
    assert_int_equal(query_steps(q, b->uuid, NULL, -1, false, on_row, &w, NULL), STATUS_OK);
    store_reader_close(q);
}

int run_bench_setup(void **state)
{
    struct run_bench *b = calloc(1, sizeof(*b));

    run_bench_open(b);
    *state = b;
    return 0;
}

int run_bench_teardown(void **state)
{
    run_bench_close(*state);
    free(*state);
    return 0;
}
