/* agent_fixture.c - the fake models and the driver of agent_fixture.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/agents/agent_fixture.h"

#include "models/formats/tokenizer_write.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

struct model_session {
    struct token_ids ids;
};

static struct fake_model *fake_of(struct model *m)
{
    return (struct fake_model *)(void *)m;
}

static enum status open_session(struct model *m, const struct model_session_options *o,
                                struct model_session **out, struct error *err)
{
    (void)o;
    struct model_session *s = xcalloc(1, sizeof(*s));

    (void)err;
    token_ids_init(&s->ids, TOKEN_IDS_MAX_DEFAULT);
    fake_of(m)->n_sessions++;
    *out = s;
    return STATUS_OK;
}

static void close_session(struct model *m, struct model_session *s)
{
    fake_of(m)->n_sessions--;
    token_ids_deinit(&s->ids);
    free(s);
}

static void say(struct fake_model *f, struct model_call *c, const struct str *reply)
{
    struct token_ids ids = TOKEN_IDS_INIT;
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();

    assert_ok(
        tokenizer_encode(f->tokenizer, scratch, str_cstr(reply), reply->len, true, &ids, why));
    tokenizer_scratch_free(scratch);
    c->finish = FINISH_LENGTH;
    for (size_t i = 0; i < ids.n && c->n_ids < c->max_tokens; i++) {
        struct rng_block b = rng_philox(c->seed, (uint32_t)c->call_id, (uint32_t)(c->call_id >> 32),
                                        (uint32_t)f->model.info.vocab, (uint32_t)c->n_ids);
        int32_t id = ids.id[i];
        bool stop = id == f->eos;

        c->ids[c->n_ids] = id;
        c->logp[c->n_ids] = -rng_unit_float(b.word[0]);
        c->logp_sampled[c->n_ids] = -rng_unit_float(b.word[1]);
        c->n_ids++;
        if (c->on_token)
            c->on_token(c, id, c->logp[c->n_ids - 1]);
        for (int32_t k = 0; k < c->n_stop_id; k++)
            stop = stop || id == c->stop_id[k];
        if (stop) {
            c->finish = FINISH_STOP;
            break;
        }
    }
    c->processed = f->processed;
    token_ids_deinit(&ids);
}

static void reply_ids(struct fake_model *f, struct model_call *c)
{
    struct model_session *s = c->session;
    struct str context = STR_INIT, reply = STR_INIT;

    assert_in_range(c->keep, 0, s->ids.n);
    assert_true(c->keep + c->n_delta > 0);
    s->ids.n = (size_t)c->keep;
    assert_ok(token_ids_append(&s->ids, c->delta, (size_t)c->n_delta, why));
    f->n_fed += c->n_delta;
    tokenizer_decode(f->tokenizer, s->ids.id, s->ids.n, false, &context);
    f->policy(f, str_cstr(&context), c, &reply);
    say(f, c, &reply);
    assert_ok(token_ids_append(&s->ids, c->ids, (size_t)c->n_ids, why));
    str_deinit(&context);
    str_deinit(&reply);
}

static void reply_text(struct fake_model *f, struct model_call *c)
{
    struct json *v = f->talk(f, c);

    c->text = xstrdup(jv_get_string(jv_get(v, "content"), ""));
    if (jv_get(v, "tool_calls"))
        c->tool_calls = jv_ref(jv_get(v, "tool_calls"));
    if (jv_get(v, "reasoning"))
        c->reasoning = xstrdup(jv_get_string(jv_get(v, "reasoning"), ""));
    c->usage = model_usage_estimate(c->messages, c->tools, c->text, c->tool_calls);
    c->finish = jv_get(v, "finish") ? FINISH_LENGTH : FINISH_STOP;
    jv_unref(v);
}

static void answer(struct fake_model *f, struct model_call *c)
{
    if (c->cancelled && f->partial > 0) {
        c->max_tokens = f->partial;
        reply_ids(f, c);
    }
    if (c->cancelled)
        c->status = error_set(&c->err, STATUS_CANCELLED, "the call was cancelled");
    else if (f->n_calls == f->fail_at)
        c->status = error_set(&c->err, f->fail_as, "made to fail");
    else if (f->model.info.takes_ids)
        reply_ids(f, c);
    else
        reply_text(f, c);
    if (c->status)
        c->finish = FINISH_ERROR;
    mailbox_post(c->reply, &c->mail);
}

static void start(struct model *m, struct model_call *c)
{
    struct fake_model *f = fake_of(m);

    model_call_reset(c);
    f->n_calls++;
    if (f->hold > 0 && f->n_calls >= f->hold) {
        assert_null(f->held);
        f->held = c;
        return;
    }
    answer(f, c);
}

static void cancel(struct model *m, struct model_call *c)
{
    struct fake_model *f = fake_of(m);

    c->cancelled = true;
    if (f->held == c)
        fake_release(f);
}

void fake_release(struct fake_model *m)
{
    struct model_call *c = m->held;

    assert_non_null(c);
    m->held = NULL;
    answer(m, c);
}

static const struct model_ops fake_ops = {
    .session_open = open_session, .session_close = close_session, .start = start, .cancel = cancel};

void fake_model_init(struct fake_model *m, const char *codec, fake_policy policy)
{
    struct added_token added[64];
    struct str text = STR_INIT;
    int32_t n = 0;

    for (; n < 64 && env_vocabulary_word(n); n++)
        added[n] = (struct added_token){.content = env_vocabulary_word(n),
                                        .special = env_vocabulary_word(n)[0] == '<'};
    *m = (struct fake_model){.policy = policy};
    assert_ok(tokenizer_write_bytes(added, n, &text, why));
    assert_ok(tokenizer_from_json(str_cstr(&text), text.len, "fake", &m->tokenizer, why));
    str_deinit(&text);
    m->eos = tokenizer_id_of(m->tokenizer, "<|end|>");
    m->model.ops = &fake_ops;
    m->model.info = (struct model_info){.name = "fake",
                                        .kind = "engine",
                                        .codec = codec,
                                        .backend = "cpu-fake",
                                        .takes_ids = true,
                                        .context = 4096,
                                        .vocab = tokenizer_size(m->tokenizer),
                                        .tokenizer = m->tokenizer,
                                        .eos_id = &m->eos,
                                        .n_eos = 1};
}

void fake_text_model_init(struct fake_model *m, fake_talk talk)
{
    *m = (struct fake_model){.talk = talk, .eos = -1};
    m->model.ops = &fake_ops;
    m->model.info = (struct model_info){.name = "fake-text", .kind = "script"};
}

void fake_model_deinit(struct fake_model *m)
{
    assert_int_equal(m->n_sessions, 0);
    assert_null(m->held);
    tokenizer_free(m->tokenizer);
}

/* What the order wants, from "ORDd+7|...>59|". */
static int32_t wanted(const char *context)
{
    const char *value = strchr(context, '>');
    int32_t amount = context[5] - '0', old;

    if (!value)
        return -1;
    old = 10 * (value[1] - '0') + value[2] - '0';
    return (old + (context[4] == '-' ? -amount : amount) + 100) % 100;
}

static const char *last_call(const char *context)
{
    const char *end = strrchr(context, ';'), *p = end;

    while (p && p > context && p[-1] != '|')
        p--;
    return p;
}

static void decide(const char *context, bool looks, struct str *out)
{
    char key = context[3];
    const char *last = last_call(context);
    const char *shown = strrchr(context, '>');

    assert_memory_equal(context, "ORD", 3);
    if (!last)
        str_printf(out, "GET%c;", key);
    else if (strncmp(last, "UNDO", 4) == 0 || !strstr(context, "SET"))
        str_printf(out, "SET%c%02d;", key, wanted(context));
    else if (strncmp(last, "SET", 3) == 0 && looks)
        str_printf(out, "GET%c;", key);
    else if (strncmp(last, "GET", 3) == 0 &&
             10 * (shown[1] - '0') + shown[2] - '0' != wanted(context))
        str_puts(out, "UNDO;");
    else
        str_puts(out, "NEXT;");
}

void policy_plain(struct fake_model *m, const char *context, const struct model_call *c,
                  struct str *out)
{
    (void)m;
    (void)c;
    decide(context, false, out);
}

void policy_check(struct fake_model *m, const char *context, const struct model_call *c,
                  struct str *out)
{
    (void)m;
    (void)c;
    decide(context, true, out);
}

void policy_dice(struct fake_model *m, const char *context, const struct model_call *c,
                 struct str *out)
{
    struct rng_block b =
        rng_philox(c->seed, (uint32_t)c->call_id, (uint32_t)(c->call_id >> 32), 0, 0);

    (void)m;
    decide(context, b.word[0] & 1, out);
}

void play_done(void *ctx, struct agent *a, const struct agent_result *r)
{
    struct play *p = ctx;

    assert_ptr_equal(a, p->agent);
    assert_false(p->over);
    p->over = true;
    p->result = *r;
    p->result.output = r->output ? jv_ref(r->output) : NULL;
    agent_free(a);
    p->agent = NULL;
}

void play_agent(struct play *p, const struct agent_task *t)
{
    assert_ok(agent_start(p->host, t, play_done, p, &p->agent, why));
    while (!p->over && (p->max_polls == 0 || p->n_polls < p->max_polls)) {
        agent_host_poll(p->host, 10);
        if (p->run)
            journal_flush(p->run);
        p->n_polls++;
        if (p->each_poll)
            p->each_poll(p);
        assert_in_range(p->n_polls, 1, 200000);
    }
}

void play_deinit(struct play *p)
{
    jv_unref(p->result.output);
    agent_host_free(p->host);
}

struct agent_role fake_role(struct fake_model *m)
{
    return (struct agent_role){.name = "clerk", .model = &m->model, .sampling = SAMPLING_DEFAULT};
}

struct agent_task ledger_task(const struct agent_role *role, const char *path, int32_t horizon,
                              double noise)
{
    return (struct agent_task){
        .role = role,
        .scope = {.path = path, .task_seed = 5, .fault_seed = 6, .sample_seed = 7},
        .env_ops = env_find("ledger"),
        .env_params = {.horizon = horizon, .noise = noise, .task_seed = 5, .fault_seed = 6}};
}

static void open_scene(struct scene *s)
{
    struct agent_host_options o = {.seams = seams_real()};

    assert_ok(agent_host_new(&o, &s->p.host, why));
    s->role = fake_role(&s->m);
}

void scene_ids(struct scene *s, const char *codec, fake_policy policy)
{
    memset(s, 0, sizeof(*s));
    fake_model_init(&s->m, codec, policy);
    open_scene(s);
}

void scene_text(struct scene *s, fake_talk talk)
{
    memset(s, 0, sizeof(*s));
    fake_text_model_init(&s->m, talk);
    open_scene(s);
}

void scene_ledger(struct scene *s, int32_t horizon, double noise)
{
    s->t = ledger_task(&s->role, "play", horizon, noise);
}

void scene_ask(struct scene *s, const char *path, const char *input)
{
    s->input = jv_string(input);
    s->t = (struct agent_task){.role = &s->role, .scope = {.path = path}, .input = s->input};
}

void scene_tool(struct scene *s, struct tool *tool)
{
    s->tool = tool;
    s->role.tools = &s->tool;
    s->role.n_tools = 1;
}

void scene_journal(struct scene *s, struct run *run)
{
    s->p.run = run;
    s->t.scope.run = run;
}

void scene_play(struct scene *s)
{
    play_agent(&s->p, &s->t);
}

void scene_close(struct scene *s)
{
    play_deinit(&s->p);
    fake_model_deinit(&s->m);
    jv_unref(s->input);
}
