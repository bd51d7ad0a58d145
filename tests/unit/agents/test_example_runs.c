/* test_example_runs.c - recorded runs as examples: chains, masks, and ids of another tokenizer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/example_runs.h"
#include "runtime/base/memory.h"
#include "tests/unit/agents/agent_fixture.h"
#include "tests/unit/store/store_fixture.h"

#define CAP 256

struct scene_runs {
    struct store_fixture f;
    struct fake_model m;
    struct run *run;
    struct store_reader *q;
    struct token_ids delta, ids;
    struct tokenizer_scratch *scratch;
};

static void begin(struct scene_runs *s)
{
    memset(s, 0, sizeof(*s));
    temp_dir(s->f.folder);
    (void)snprintf(s->f.path, sizeof(s->f.path), "%.63s/store.db", s->f.folder);
    fake_model_init(&s->m, NULL, policy_plain);
    token_ids_init(&s->delta, TOKEN_IDS_MAX_DEFAULT);
    token_ids_init(&s->ids, TOKEN_IDS_MAX_DEFAULT);
    s->scratch = tokenizer_scratch_new();
    s->run = fixture_run(fixture_open(&s->f));
}

/* The run ends. */
static void over(struct scene_runs *s, enum run_status status)
{
    run_set_status(s->run, status, NULL, NULL);
    run_close(s->run);
    assert_ok(store_reader_open(s->f.store, &s->q, why));
}

static void end(struct scene_runs *s)
{
    store_reader_close(s->q);
    fixture_close(&s->f);
    token_ids_deinit(&s->delta);
    token_ids_deinit(&s->ids);
    tokenizer_scratch_free(s->scratch);
    fake_model_deinit(&s->m);
    temp_dir_remove(s->f.folder);
}

static void encode(struct scene_runs *s, const char *text, struct token_ids *out)
{
    token_ids_clear(out);
    assert_ok(tokenizer_encode(s->m.tokenizer, s->scratch, text, strlen(text), true, out, why));
}

/* A call of a server: prompt and reply as ids, and the text that the server sent. */
static void call(struct scene_runs *s, const char *path, const char *parent, int32_t prefix_len,
                 const char *delta, const char *reply, const char *out)
{
    struct json *v = out ? fixture_json(out) : NULL;
    float logp[CAP] = {0};

    encode(s, delta, &s->delta);
    encode(s, reply, &s->ids);
    journal_intend(s->run, &(struct step_intent){.path = path, .kind = "model", .name = "far"});
    if (*reply)
        journal_tokens(s->run, &(struct token_record){.path = path,
                                                      .parent = parent,
                                                      .prefix_len = prefix_len,
                                                      .delta = s->delta.id,
                                                      .n_delta = (int32_t)s->delta.n,
                                                      .ids = s->ids.id,
                                                      .n_ids = (int32_t)s->ids.n,
                                                      .logp = logp,
                                                      .temperature = 1,
                                                      .top_p = 1,
                                                      .finish = FINISH_STOP});
    journal_finish(s->run, &(struct step_result){.path = path, .state = STEP_OK, .out = v});
    jv_unref(v);
}

static enum status load(struct scene_runs *s, const char *runs, int32_t vocab,
                        struct example_source **out, struct error *err)
{
    struct example_runs_options o = {
        .reader = s->q, .runs = runs, .tokenizer = s->m.tokenizer, .vocab = vocab};

    error_clear(err);
    return example_runs_new(&o, out, err);
}

/* The example as text, what is trained in brackets. */
static void expect(struct scene_runs *s, const struct example_source *x, int64_t i,
                   const char *want)
{
    int32_t ids[CAP];
    uint8_t train[CAP];
    struct example ex = {.ids = ids, .train = train, .cap = CAP};
    struct str text = STR_INIT;
    bool inside = false;

    assert_ok(x->get(x->ctx, 1, i, 0, &ex, why));
    assert_false(ex.truncated);
    for (int32_t k = 0; k < ex.n; k++) {
        if (ex.train[k] != inside)
            str_putc(&text, inside ? ']' : '[');
        inside = ex.train[k];
        tokenizer_decode(s->m.tokenizer, &ex.ids[k], 1, false, &text);
    }
    str_puts(&text, inside ? "]" : "");
    assert_string_equal(str_cstr(&text), want);
    str_deinit(&text);
}

static void chains_become_examples_with_sampled_ids_trained_once(void **state)
{
    struct scene_runs s;
    struct example_source *x = NULL;

    (void)state;
    begin(&s);
    /* Two agents side by side; the first one's history is rewritten after its second call. */
    call(&s, "a/turn:0/model:0", NULL, 0, "Q", "one<|end|>", "{\"content\":\"one\"}");
    call(&s, "b/turn:0/model:0", NULL, 0, "P", "uno<|end|>", "{\"content\":\"uno\"}");
    call(&s, "a/turn:1/model:0", "a/turn:0/model:0", 5, "R", "two<|end|>", "{\"content\":\"two\"}");
    call(&s, "a/turn:2/model:0", "a/turn:1/model:0", 3, "S", "3<|end|>", "{\"content\":\"3\"}");
    over(&s, RUN_OK);
    assert_ok(load(&s, "last", 320, &x, why));
    assert_int_equal(x->n, 3);
    expect(&s, x, 0, "Q[one<|end|>]R[two<|end|>]");
    expect(&s, x, 1, "P[uno<|end|>]");
    expect(&s, x, 2, "QonS[3<|end|>]");
    example_runs_free(x);
    assert_ok(load(&s, "last/b", 320, &x, why));
    assert_int_equal(x->n, 1);
    expect(&s, x, 0, "P[uno<|end|>]");
    example_runs_free(x);
    assert_ok(load(&s, "last/b,last/a", 320, &x, why));
    assert_int_equal(x->n, 3);
    example_runs_free(x);
    end(&s);
}

static void replies_are_compared_with_their_text(void **state)
{
    static const struct {
        const char *reply, *out;
        bool right;
    } rows[] = {
        {"one<|end|>", "{\"content\":\"one\"}", true},
        {" one\n<|end|>", "{\"content\":\"one\"}", true},
        {"one<|end|>", "{\"content\":\"on\"}", false},
        {"eno<|end|>", "{\"content\":\"one\"}", false},
        {"hm</think>one", "{\"content\":\"one\",\"reasoning\":\"hm\"}", true},
        {"hm</think>one", "{\"content\":\"one\",\"reasoning\":\"ha\"}", false},
        {"I {\"name\":\"echo\"}", "{\"content\":\"I\",\"tool_calls\":[{\"name\":\"echo\"}]}", true},
        {"I {\"name\":\"look\"}", "{\"content\":\"I\",\"tool_calls\":[{\"name\":\"echo\"}]}",
         false},
        {"one<|end|>", "{\"finish\":\"stop\"}", true}, /* of a model here: no text is recorded */
    };
    struct scene_runs s;
    struct example_source *x = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum status st;

        begin(&s);
        call(&s, "a/turn:0/model:0", NULL, 0, "Q", rows[i].reply, rows[i].out);
        over(&s, RUN_OK);
        st = load(&s, "last", 320, &x, &err);
        assert_int_equal(st, rows[i].right ? STATUS_OK : STATUS_INVALID);
        if (st)
            assert_non_null(strstr(err.message, "a/turn:0/model:0: its token ids are"));
        else
            example_runs_free(x);
        end(&s);
    }
}

static void what_cannot_be_trained_is_refused(void **state)
{
    struct scene_runs s;
    struct example_source *x = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    begin(&s);
    call(&s, "a/turn:0/model:0", NULL, 0, "Q", "", "{\"content\":\"one\"}");
    over(&s, RUN_OK);
    assert_int_equal(load(&s, "last", 320, &x, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "only text"));
    end(&s);

    begin(&s);
    call(&s, "a/turn:0/model:0", NULL, 0, "Q", "one", "{\"content\":\"one\"}");
    over(&s, RUN_OK);
    assert_int_equal(load(&s, "last", 'n', &x, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "is not in the model's vocabulary of 110"));
    assert_int_equal(load(&s, "last,", 320, &x, &err), STATUS_USAGE);
    assert_int_equal(load(&s, "0000", 320, &x, &err), STATUS_NOT_FOUND);
    end(&s);

    begin(&s);
    call(&s, "a/turn:0/model:0", NULL, 0, "Q", "one", "{\"content\":\"one\"}");
    over(&s, RUN_ERROR);
    assert_int_equal(load(&s, "last", 320, &x, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "only runs that ended ok"));
    end(&s);

    begin(&s);
    call(&s, "a/turn:0/model:0", "a/gone", 3, "Q", "one", "{\"content\":\"one\"}");
    over(&s, RUN_OK);
    assert_int_equal(load(&s, "last", 320, &x, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "continues a/gone"));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_become_examples_with_sampled_ids_trained_once),
        cmocka_unit_test(replies_are_compared_with_their_text),
        cmocka_unit_test(what_cannot_be_trained_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
