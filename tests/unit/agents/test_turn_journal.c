/* test_turn_journal.c - a journaled run killed at any flush and resumed gives the records of one
 * that was never interrupted.
 *
 * The killed process is a child: it plays up to its n-th poll, syncs, and dies by SIGKILL with
 * whatever it had in flight.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <sys/wait.h>

#include "models/formats/tokenizer_write.h"
#include "runtime/base/memory.h"
#include "tests/unit/agents/agent_fixture.h"

#define HORIZON 5

typedef void (*scene_maker)(struct scene *s);

static void make_compact(struct scene *s)
{
    scene_ids(s, "compact", policy_dice);
}

static const char template_text[] =
    "{% for m in messages %}<|bos|>{{ m.role }}\n{{ m.content or '' }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}"
    "<|end|>\n{% endfor %}{% if add_generation_prompt %}<|bos|>assistant\n{% endif %}";

/* Any legal deeds will do: what counts is that they depend on the call's random numbers. */
static const char *const deeds[] = {
    "{\"name\": \"get\", \"arguments\": {\"key\": \"c\"}}",
    "{\"name\": \"set\", \"arguments\": {\"key\": \"c\", \"value\": 7}}",
    "{\"name\": \"next\", \"arguments\": {}}",
    "{\"name\": \"next\"}",
    "{\"name\": \"fetch\", \"arguments\": {\"key\": \"c\"}}",
    "{\"name\": \"get\", \"argum",
};

static const char *deed_of(const struct model_call *c)
{
    return deeds[(c->seed ^ c->call_id) % (sizeof(deeds) / sizeof(deeds[0]))];
}

static void policy_deeds(struct fake_model *m, const char *context, const struct model_call *c,
                         struct str *out)
{
    (void)m;
    (void)context;
    str_printf(out, "So.<tool_call>%s</tool_call><|end|>", deed_of(c));
}

static void make_json(struct scene *s)
{
    scene_ids(s, NULL, policy_deeds);
    s->m.model.info.chat_template = template_text;
}

static struct json *talk_deeds(struct fake_model *m, const struct model_call *c)
{
    struct json *v = jv_object(), *call = NULL, *calls = jv_array();
    struct error err = ERROR_INIT;

    (void)m;
    jv_set_string(v, "content", c->path); /* the scripted model goes by it */
    if (!jv_parse(deed_of(c), strlen(deed_of(c)), "deed", &call, &err))
        jv_append_adopt(calls, call);
    jv_set_adopt(v, "tool_calls", calls);
    return v;
}

static void make_text(struct scene *s)
{
    scene_text(s, talk_deeds);
}

/* Plays in this process up to max_polls (0: to the end). uuid empty: a new run. */
static void play(const char *path, char uuid[37], scene_maker make, int32_t max_polls,
                 struct agent_result *out, int32_t *n_calls, int32_t *n_polls)
{
    struct store_options so = {
        .path = path, .durability = STORE_NORMAL, .create = true, .seams = seams_real()};
    struct run_spec spec = {.kind = "run", .name = "play", .seed = 7};
    struct store *store = NULL;
    struct scene s;

    make(&s);
    s.p.max_polls = max_polls;
    assert_ok(store_open(&so, &store, why));
    if (uuid[0])
        assert_ok(run_take(store, uuid, &s.p.run, why));
    else
        assert_ok(run_create(store, &spec, &s.p.run, why));
    (void)snprintf(uuid, 37, "%s", run_uuid(s.p.run));
    s.role.max_reply_tokens = s.m.model.info.codec ? 0 : 128;
    s.t = ledger_task(&s.role, "plan[2]@1", HORIZON, 0.2);
    scene_journal(&s, s.p.run);
    scene_play(&s);
    assert_ok(journal_sync(s.p.run, why));
    if (max_polls > 0)
        kill(getpid(), SIGKILL);
    *out = s.p.result;
    out->output = s.p.result.output ? jv_ref(s.p.result.output) : NULL;
    *n_calls = s.m.n_calls;
    *n_polls = s.p.n_polls;
    scene_close(&s);
    run_close(s.p.run);
    store_close(store);
}

/* Everything that a run left, without times, in the order of its intents. */
static bool put_step(void *ctx, const struct step_row *s)
{
    struct str *out = ctx;
    const struct token_record *t = s->tokens;

    str_printf(out, "%s %d %s %s %s tries %d ", s->path, s->attempt, s->kind,
               s->name ? s->name : "", step_state_name(s->state), s->state == STEP_STARTED ? 0 : 1);
    if (s->args)
        jv_write(s->args, 0, out);
    if (s->out)
        jv_write(s->out, 0, out);
    if (t) {
        str_printf(out, " <- %s %d %llu", t->parent ? t->parent : "", t->prefix_len,
                   (unsigned long long)t->call_id);
        for (int32_t i = 0; i < t->n_delta; i++)
            str_printf(out, " %d", t->delta[i]);
        str_puts(out, " :");
        for (int32_t i = 0; i < t->n_ids; i++)
            str_printf(out, " %d %a", t->ids[i], (double)t->logp[i]);
    }
    str_putc(out, '\n');
    return true;
}

static void records(const char *path, const char *uuid, struct str *out)
{
    struct store_options so = {.path = path, .durability = STORE_NORMAL, .seams = seams_real()};
    struct store *store = NULL;
    struct store_reader *q = NULL;
    struct run *run = NULL;
    struct json *messages = NULL;

    assert_ok(store_open(&so, &store, why));
    assert_ok(store_reader_open(store, &q, why));
    assert_ok(query_steps(q, uuid, NULL, -1, true, put_step, out, why));
    store_reader_close(q);
    assert_ok(run_take(store, uuid, &run, why));
    assert_ok(journal_messages(run, "plan[2]@1", &messages, why));
    for (size_t i = 0; i < jv_size(messages); i++) {
        jv_write(jv_at(messages, i), 0, out);
        str_putc(out, '\n');
    }
    jv_unref(messages);
    run_close(run);
    store_close(store);
}

static void play_in_child(const char *path, char *uuid, scene_maker make, int32_t polls)
{
    int pipe_fd[2], status = 0;
    pid_t pid;

    assert_int_equal(pipe(pipe_fd), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store_options so = {
            .path = path, .durability = STORE_NORMAL, .create = true, .seams = seams_real()};
        struct run_spec spec = {.kind = "run", .name = "play", .seed = 7};
        struct store *store = NULL;
        struct run *run = NULL;
        struct agent_result r;
        int32_t n, k;

        if (!uuid[0]) { /* made apart, so that its name is out before anything can die */
            assert_ok(store_open(&so, &store, why));
            assert_ok(run_create(store, &spec, &run, why));
            (void)snprintf(uuid, 37, "%s", run_uuid(run));
            run_close(run);
            store_close(store);
        }
        if (write(pipe_fd[1], uuid, 37) != 37)
            _exit(3);
        play(path, uuid, make, polls, &r, &n, &k);
        _exit(2);
    }
    assert_int_equal(read(pipe_fd[0], uuid, 37), 37);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
}

static void crash_everywhere(struct store_fixture *f, scene_maker make)
{
    struct agent_result whole, r;
    struct str one = STR_INIT;
    char uuid[37] = "";
    int32_t n_calls, n_polls, n, k;

    play(f->path, uuid, make, 0, &whole, &n_calls, &n_polls);
    assert_int_equal(whole.state, STEP_OK);
    records(f->path, uuid, &one);
    assert_true(one.len > 500);
    for (int32_t at = 1; at < n_polls; at += 1 + at / 3) {
        struct str other = STR_INIT;

        uuid[0] = '\0';
        play_in_child(f->path, uuid, make, at);
        if (at + 3 < n_polls)
            play_in_child(f->path, uuid, make, at + 3); /* and once more, while it catches up */
        play(f->path, uuid, make, 0, &r, &n, &k);
        assert_int_equal(r.state, STEP_OK);
        assert_true(jv_equal(r.output, whole.output));
        assert_int_equal(r.turns, whole.turns);
        assert_int_equal(r.calls, whole.calls);
        assert_int_equal(r.tok_in, whole.tok_in);
        assert_int_equal(r.tok_out, whole.tok_out);
        /* Done calls are not asked again. */
        assert_true(n < n_calls);
        records(f->path, uuid, &other);
        assert_string_equal(str_cstr(&other), str_cstr(&one));
        str_deinit(&other);
        jv_unref(r.output);
    }
    str_deinit(&one);
    jv_unref(whole.output);
}

static void test_compact_run_survives_kills(void **state)
{
    crash_everywhere(*state, make_compact);
}

static void test_json_run_survives_kills(void **state)
{
    crash_everywhere(*state, make_json);
}

static void test_text_run_survives_kills(void **state)
{
    crash_everywhere(*state, make_text);
}

/* A record that no longer fits what comes out now is named, not used. */
static void test_replay_notices_another_world(void **state)
{
    struct store_fixture *f = *state;
    struct store *store = fixture_open(f);
    struct run *run = fixture_run(store);
    struct scene s;

    make_compact(&s);
    scene_ledger(&s, 3, 0);
    scene_journal(&s, run);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_OK);
    jv_unref(s.p.result.output);
    s.p.over = false;
    s.t.env_params.task_seed = 99;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_ERROR);
    assert_int_equal(s.p.result.err.status, STATUS_CONFIG);
    assert_non_null(strstr(s.p.result.err.message, "play/turn:0"));
    scene_close(&s);
    run_close(run);
}

/* The words of the environments one id further on: the same text in other ids. */
static void other_tokenizer(struct fake_model *m)
{
    struct added_token added[64] = {{.content = "<|other|>", .special = true}};
    struct str text = STR_INIT;
    int32_t n = 1;

    fake_model_init(m, "compact", policy_dice);
    tokenizer_free(m->tokenizer);
    for (; n < 64 && env_vocabulary_word(n - 1); n++)
        added[n] = (struct added_token){.content = env_vocabulary_word(n - 1)};
    assert_ok(tokenizer_write_bytes(added, n, &text, why));
    assert_ok(tokenizer_from_json(str_cstr(&text), text.len, "other", &m->tokenizer, why));
    m->model.info.tokenizer = m->tokenizer;
    m->model.info.vocab = tokenizer_size(m->tokenizer);
    str_deinit(&text);
}

/* Ids of another tokenizer are never taken for one's own: the run is refused by name. */
static void test_replay_notices_another_tokenizer(void **state)
{
    struct store_fixture *f = *state;
    struct store *store = fixture_open(f);
    struct run *run = fixture_run(store);
    struct fake_model other;
    struct scene s;

    make_compact(&s);
    scene_ledger(&s, 3, 0);
    scene_journal(&s, run);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_OK);
    jv_unref(s.p.result.output);
    s.p.over = false;
    other_tokenizer(&other);
    s.role.model = &other.model;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_ERROR);
    assert_int_equal(s.p.result.err.status, STATUS_CONFIG);
    assert_non_null(strstr(s.p.result.err.message, "tokenizer"));
    assert_int_equal(other.n_calls, 0);
    scene_close(&s);
    run_close(run);
    fake_model_deinit(&other);
}

/* Cancelled while a call is out: its step stays open, and a resume asks again under the same id. */
static void cancel_when_held(struct play *p)
{
    struct fake_model *m = p->ctx;

    if (m->held)
        agent_cancel(p->agent);
}

static void test_cancelled_run_goes_on_where_it_was(void **state)
{
    struct store_fixture *f = *state;
    struct store *store = fixture_open(f);
    struct run *run = fixture_run(store);
    struct scene s;

    make_compact(&s);
    s.p.each_poll = cancel_when_held;
    s.p.ctx = &s.m;
    s.m.hold = 7;
    scene_ledger(&s, 4, 0);
    scene_journal(&s, run);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_CANCELLED);
    s.p.over = false;
    s.m.hold = 0;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_OK);
    assert_true(s.p.result.verdict.success);
    assert_int_equal(s.m.n_calls, s.p.result.turns + 1);
    scene_close(&s);
    run_close(run);
}

/* A call that failed by itself is a known failure: the record says so, and so does a replay. */
static void test_failed_call_is_recorded_as_failed(void **state)
{
    struct store_fixture *f = *state;
    struct store *store = fixture_open(f);
    struct run *run = fixture_run(store);
    struct scene s;
    struct step_record failed;
    bool found = false;

    make_compact(&s);
    s.m.fail_at = 4;
    s.m.fail_as = STATUS_TIMEOUT;
    scene_ledger(&s, 4, 0);
    scene_journal(&s, run);
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_TIMEOUT);
    assert_ok(journal_find(run, "play/turn:3/model:0", &found, &failed, why));
    assert_true(found);
    assert_int_equal(failed.state, STEP_TIMEOUT);
    step_record_deinit(&failed);
    s.p.over = false;
    scene_play(&s);
    assert_int_equal(s.p.result.state, STEP_TIMEOUT);
    assert_int_equal(s.m.n_calls, 4);
    scene_close(&s);
    run_close(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_compact_run_survives_kills),
        STORE_TEST(test_json_run_survives_kills),
        STORE_TEST(test_text_run_survives_kills),
        STORE_TEST(test_replay_notices_another_world),
        STORE_TEST(test_replay_notices_another_tokenizer),
        STORE_TEST(test_cancelled_run_goes_on_where_it_was),
        STORE_TEST(test_failed_call_is_recorded_as_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
