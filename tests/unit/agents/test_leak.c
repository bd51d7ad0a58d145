/* test_leak.c - nothing that only the verifier knows reaches a prompt, in no environment and in
 * neither codec; and worlds that were made to leak are caught by the same means.
 *
 * Three ways to look:
 *  - twins: two episodes of one task and the same calls, whose hidden outcomes differ. Their
 *    prompts must be equal until a tool that reads the world has shown the difference;
 *  - words: no name of a verdict's field, of a kind of fault or of a seed in what the world says;
 *  - counters: no number in what the world says goes along with the index of the step or with the
 *    count of right steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>

#include "runtime/base/memory.h"
#include "tests/unit/agents/agent_fixture.h"
#include "tools/environments/env_core.h"

#define MAX_PROMPTS 400

/* One model call, as the model met it. */
struct met {
    char *prompt; /* all of it: ids as text, or messages and tools as JSON */
    char *said;   /* what the world said since the last call */
    char *hidden; /* the verdict, had the episode ended here, and what the world truly is */
    int32_t step;
};

/* A model that makes the test's calls; the leader asks the environment's own script. */
struct player {
    struct fake_model m; /* first */
    const struct env_ops *ops;
    const char *how;
    const struct env *env;
    struct env_watch watch;
    const struct player *leads; /* whose calls are repeated; NULL: a leader */
    struct env_call call[MAX_PROMPTS];
    struct met met[MAX_PROMPTS];
    int32_t n;
};

static void on_event(void *ctx, const struct env *e, const struct env_effect *fx)
{
    struct player *p = ctx;

    (void)fx;
    p->env = e;
}

/* What the verifier knows, without what two policies' equal calls make equal anyway. */
static char *hidden_of(const struct player *p)
{
    struct env_verdict v;
    struct json *j;
    char *text;
    struct str out = STR_INIT;

    p->ops->verify(p->env, &v);
    j = env_verdict_json(&v);
    text = jv_dump(j);
    str_printf(&out, "%s %d", text, p->env->fault);
    free(text);
    jv_unref(j);
    return str_take(&out);
}

static void meet(struct player *p, char *prompt, char *said)
{
    struct env_call next = {.tool = 0};

    assert_in_range(p->n, 0, MAX_PROMPTS - 1);
    if (p->leads && p->n < p->leads->n)
        next = p->leads->call[p->n];
    else if (!p->leads)
        p->ops->expert(p->env, p->how, &next);
    p->call[p->n] = next;
    p->met[p->n++] = (struct met){
        .prompt = prompt, .said = said, .hidden = hidden_of(p), .step = p->ops->steps_done(p->env)};
}

static void policy_answers(struct fake_model *m, const char *context, const struct model_call *c,
                           struct str *out)
{
    struct player *p = (struct player *)(void *)m;
    struct str said = STR_INIT;

    tokenizer_decode(m->tokenizer, c->delta, (size_t)c->n_delta, false, &said);
    meet(p, xstrdup(context), str_take(&said));
    p->ops->render_call(&p->call[p->n - 1], out);
}

static struct json *talk_answers(struct fake_model *m, const struct model_call *c)
{
    struct player *p = (struct player *)(void *)m;
    const struct env_call *call;
    struct json *v = jv_object(), *calls = jv_array(), *one = jv_object();
    const struct json *last = jv_at(c->messages, jv_size(c->messages) - 1);
    char *messages = jv_dump(c->messages), *tools = jv_dump(c->tools);
    struct str all = STR_INIT;

    str_printf(&all, "%s\n%s", messages, tools);
    free(messages);
    free(tools);
    meet(p, str_take(&all), xstrdup(jv_get_string(jv_get(last, "content"), "")));
    call = &p->call[p->n - 1];
    jv_set_string(one, "name", p->ops->tools[call->tool].name);
    jv_set_adopt(one, "arguments", env_call_arguments(p->ops, call));
    jv_append_adopt(calls, one);
    jv_set_string(v, "content", "");
    jv_set_adopt(v, "tool_calls", calls);
    return v;
}

static void play_through(struct player *p, const struct env_ops *ops, bool compact,
                         const struct env_params *params, const char *how,
                         const struct player *leads)
{
    struct agent_host_options ho = {.seams = seams_real()};
    struct play play = {.host = NULL};
    struct agent_role role;
    struct agent_task t;

    memset(p, 0, sizeof(*p));
    if (compact)
        fake_model_init(&p->m, "compact", policy_answers);
    else
        fake_text_model_init(&p->m, talk_answers);
    p->ops = ops;
    p->how = how;
    p->leads = leads;
    p->watch = (struct env_watch){.ctx = p, .on_event = on_event};
    assert_ok(agent_host_new(&ho, &play.host, why));
    role = fake_role(&p->m);
    t = (struct agent_task){.role = &role,
                            .scope = {.path = "play", .sample_seed = 7},
                            .env_ops = ops,
                            .env_params = *params,
                            .watch = &p->watch};
    play_agent(&play, &t);
    assert_int_equal(play.result.state, STEP_OK);
    play_deinit(&play);
    fake_model_deinit(&p->m);
}

static void forget(struct player *p)
{
    for (int32_t i = 0; i < p->n; i++) {
        free(p->met[i].prompt);
        free(p->met[i].said);
        free(p->met[i].hidden);
    }
    free(p);
}

/* ---- twins */

/* Tools whose answer may depend on the true state. */
static bool reads(const struct env_ops *ops, const struct env_call *c)
{
    static const char *const word[] = {"get", "check", "where", "pickup", "bookings", "cancel"};

    for (size_t i = 0; i < ARRAY_LEN(word); i++)
        if (strcmp(ops->tools[c->tool].name, word[i]) == 0)
            return true;
    return false;
}

struct finding {
    bool leaks;
    char what[400];
    int64_t
        n_hidden; /* equal prompts over unequal hidden outcomes: what gives the test its power */
};

static void compare_twins(const struct player *a, const struct player *b, struct finding *f)
{
    for (int32_t i = 0; i < a->n && i < b->n; i++) {
        if (strcmp(a->met[i].prompt, b->met[i].prompt) == 0) {
            f->n_hidden += strcmp(a->met[i].hidden, b->met[i].hidden) != 0;
            continue;
        }
        if (i > 0 && reads(a->ops, &a->call[i - 1]))
            return; /* from here on each knows something else */
        f->leaks = true;
        snprintf(f->what, sizeof(f->what), "call %d: \"%.150s\" where the twin has \"%.150s\"", i,
                 a->met[i].said, b->met[i].said);
        return;
    }
}

/* Only faults that no answer admits: the visible ones are there to be seen. */
static uint32_t silent(const struct env_ops *ops)
{
    return strcmp(ops->name, "itinerary") == 0 ? 3 : 0;
}

static void look_at_twins(const struct env_ops *ops, bool compact, struct finding *f)
{
    static const char *const how[] = {"plain", "check"};

    for (uint64_t seed = 0; seed < 24 && !f->leaks; seed++) {
        struct player *a = xcalloc(1, sizeof(*a)), *b = xcalloc(1, sizeof(*b));
        struct env_params p = {
            .horizon = 12, .faults = silent(ops), .task_seed = seed, .fault_seed = 100 + seed};

        p.noise = seed & 2 ? .5 : 0;
        play_through(a, ops, compact, &p, how[seed & 1], NULL);
        p.noise = .5;
        p.fault_seed = 200 + seed;
        play_through(b, ops, compact, &p, how[seed & 1], a);
        compare_twins(a, b, f);
        forget(a);
        forget(b);
    }
}

/* ---- words */

static void look_for_word(const struct player *p, const char *word, struct finding *f)
{
    for (int32_t i = 0; i < p->n && !f->leaks; i++) {
        if (!strstr(p->met[i].said, word))
            continue;
        f->leaks = true;
        snprintf(f->what, sizeof(f->what), "\"%s\" in \"%.200s\"", word, p->met[i].said);
    }
}

/* A word of answers that the tools are declared to give, as "value" is; a time-out is one too. */
static bool is_declared(const struct env_ops *ops, const char *word)
{
    for (int32_t i = 0; i < ops->n_tools; i++)
        if (strstr(ops->tools[i].output_schema, word))
            return true;
    return strcmp(word, "timeout") == 0;
}

static void look_for_words(const struct player *p, struct finding *f)
{
    static const char *const also[] = {"fault", "seed",  "noise",  "horizon", "verdict", "right",
                                       "wrong", "truth", "reward", "profile", "ablat",   "index"};
    const struct env_verdict v = {0};
    struct json *fields = env_verdict_json(&v), *value;
    const char *key;

    for (void *it = NULL; (it = jv_next(fields, it, &key, &value));)
        look_for_word(p, key, f);
    for (size_t i = 0; i < ARRAY_LEN(also); i++)
        look_for_word(p, also[i], f);
    for (int32_t i = 0; i < p->ops->n_faults; i++)
        if (!is_declared(p->ops, p->ops->faults[i]))
            look_for_word(p, p->ops->faults[i], f);
    jv_unref(fields);
}

/* ---- counters */

#define MAX_NUMBERS 24

static int32_t numbers_in(const char *text, int64_t out[MAX_NUMBERS])
{
    int32_t n = 0;

    while (*text && n < MAX_NUMBERS) {
        char *end;

        if (!isdigit((unsigned char)*text)) {
            text++;
            continue;
        }
        out[n++] = strtoll(text, &end, 10);
        text = end;
    }
    return n;
}

/* Steps right so far, from the verdict's text. */
static int64_t n_right(const struct met *m)
{
    return strtoll(strstr(m->hidden, "\"steps_right\":") + 14, NULL, 10);
}

/* The k-th number of what opens a step goes along with a counter: always as far from it, or always
 * the same number within ten. */
static void look_for_counters(const struct player *p, struct finding *f)
{
    int64_t first[MAX_NUMBERS][3] = {{0}};
    bool along[MAX_NUMBERS][3];
    int32_t step = 0 /* the first is not the answer to a call */, n_steps = 0, fewest = MAX_NUMBERS;

    memset(along, 1, sizeof(along));
    for (int32_t i = 0; i < p->n; i++) {
        int64_t v[MAX_NUMBERS], right = n_right(&p->met[i]);
        int32_t n;

        if (p->met[i].step == step)
            continue;
        step = p->met[i].step;
        n = numbers_in(p->met[i].said, v);
        fewest = n < fewest ? n : fewest;
        for (int32_t k = 0; k < n; k++) {
            const int64_t gap[3] = {v[k] - step, (v[k] - step % 10 + 10) % 10, v[k] - right};

            for (int c = 0; c < 3; c++) {
                if (n_steps == 0)
                    first[k][c] = gap[c];
                along[k][c] = along[k][c] && gap[c] == first[k][c];
            }
        }
        n_steps++;
    }
    for (int32_t k = 0; k < fewest && n_steps >= 8; k++)
        for (int c = 0; c < 3; c++) {
            if (!along[k][c])
                continue;
            f->leaks = true;
            snprintf(f->what, sizeof(f->what), "number %d of \"%.200s\" counts steps", k,
                     p->met[p->n - 1].said);
        }
}

static void look_at_texts(const struct env_ops *ops, bool compact, struct finding *f)
{
    for (uint64_t seed = 0; seed < 6 && !f->leaks; seed++) {
        struct player *p = xcalloc(1, sizeof(*p));
        struct env_params params = {.horizon = 14,
                                    .noise = .3,
                                    .profile = seed & 1 ? ENV_HARD : ENV_STD,
                                    .ablation = (enum env_ablation)(seed % ENV_ABLATIONS),
                                    .task_seed = seed,
                                    .fault_seed = seed + 9};

        play_through(p, ops, compact, &params, seed & 2 ? "plain" : "check", NULL);
        look_for_words(p, f);
        look_for_counters(p, f);
        forget(p);
    }
}

static void test_nothing_of_the_verifier_is_shown(void **state)
{
    (void)state;
    for (int32_t k = 0; env_at(k); k++) {
        for (int compact = 0; compact < 2; compact++) {
            struct finding f = {.leaks = false};

            look_at_twins(env_at(k), compact, &f);
            if (!f.leaks)
                look_at_texts(env_at(k), compact, &f);
            if (f.leaks)
                fail_msg("%s, %s: %s", env_at(k)->name, compact ? "compact" : "JSON", f.what);
            /* Without unequal twins that look alike the test would say nothing. */
            print_message("%-20s %s: %lld prompts alike over unlike outcomes\n", env_at(k)->name,
                          compact ? "compact" : "JSON   ", (long long)f.n_hidden);
            assert_true(f.n_hidden > 40);
        }
    }
}

/* ---- the same means, on worlds that leak: the ledger, with one thing said too much */

static const struct env_ops *sound(void)
{
    return env_find("ledger");
}

/* A write that went wrong is answered a little otherwise. */
static void leak_fault_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                               struct str *out)
{
    sound()->call_compact(e, c, fx, out);
    if (e->fault)
        str_puts(out, " ");
}

static struct json *leak_fault(struct env *e, const struct env_call *c, struct env_effect *fx)
{
    struct json *r = sound()->call(e, c, fx);

    if (e->fault && jv_get(r, "ok"))
        jv_set_bool(r, "sure", true);
    return r;
}

/* Every answer bears the verdict's field, whatever its value. */
static void leak_word_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                              struct str *out)
{
    sound()->call_compact(e, c, fx, out);
    str_puts(out, "own_slips");
}

static struct json *leak_word(struct env *e, const struct env_call *c, struct env_effect *fx)
{
    struct json *r = sound()->call(e, c, fx);

    jv_set_int(r, "own_slips", 0);
    return r;
}

/* The new order's index. */
static void leak_index_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                               struct str *out)
{
    sound()->call_compact(e, c, fx, out);
    if (fx->step_boundary)
        str_printf(out, "%d|", sound()->steps_done(e) + 3);
}

static struct json *leak_index(struct env *e, const struct env_call *c, struct env_effect *fx)
{
    struct json *r = sound()->call(e, c, fx);

    if (fx->step_boundary)
        jv_set_int(r, "number", sound()->steps_done(e));
    return r;
}

/* The account's value before it is read. */
static void leak_state_compact(struct env *e, const struct env_call *c, struct env_effect *fx,
                               struct str *out)
{
    struct env_verdict v;

    sound()->call_compact(e, c, fx, out);
    sound()->verify(e, &v);
    if (fx->step_boundary && v.steps_right == v.steps)
        str_puts(out, "a");
}

static struct json *leak_state(struct env *e, const struct env_call *c, struct env_effect *fx)
{
    struct json *r = sound()->call(e, c, fx);
    struct env_verdict v;

    sound()->verify(e, &v);
    if (fx->step_boundary)
        jv_set_bool(r, "well", v.steps_right == v.steps);
    return r;
}

static void test_worlds_that_leak_are_caught(void **state)
{
    const struct {
        const char *what;
        struct json *(*call)(struct env *e, const struct env_call *c, struct env_effect *fx);
        void (*compact)(struct env *e, const struct env_call *c, struct env_effect *fx,
                        struct str *out);
        void (*look)(const struct env_ops *ops, bool compact, struct finding *f);
    } cases[] = {
        {"a fault", leak_fault, leak_fault_compact, look_at_twins},
        {"the true state", leak_state, leak_state_compact, look_at_twins},
        {"a field's name", leak_word, leak_word_compact, look_at_texts},
        {"an index", leak_index, leak_index_compact, look_at_texts},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int compact = 0; compact < 2; compact++) {
            struct env_ops leaky = *sound();
            struct finding f = {.leaks = false};

            leaky.call = cases[i].call;
            leaky.call_compact = cases[i].compact;
            cases[i].look(&leaky, compact, &f);
            if (!f.leaks)
                fail_msg("%s, %s: not seen", cases[i].what, compact ? "compact" : "JSON");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_of_the_verifier_is_shown),
        cmocka_unit_test(test_worlds_that_leak_are_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
