/* test_examples.c - demonstrations and conversations as token ids with a training mask.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/example_chat.h"
#include "agents/example_env.h"
#include "agents/example_mix.h"
#include "runtime/base/memory.h"
#include "tests/unit/agents/agent_fixture.h"

#define CAP 512

struct room {
    int32_t ids[CAP];
    uint8_t train[CAP];
    struct example ex;
};

static struct example *room_of(struct room *r, int32_t cap)
{
    r->ex = (struct example){.ids = r->ids, .train = r->train, .cap = cap};
    return &r->ex;
}

/* Text with what is trained in brackets. */
static void spell(const struct tokenizer *t, const struct example *ex, struct str *out)
{
    bool inside = false;

    str_clear(out);
    for (int32_t i = 0; i < ex->n; i++) {
        if (ex->train[i] != inside)
            str_putc(out, inside ? ']' : '[');
        inside = ex->train[i];
        tokenizer_decode(t, &ex->ids[i], 1, false, out);
    }
    if (inside)
        str_putc(out, ']');
}

static void test_demonstrations_train_the_experts_words(void **state)
{
    struct fake_model m;
    struct example_source *s = NULL;
    struct room r;
    struct str text = STR_INIT, want = STR_INIT;
    struct env_piece piece[64];
    const struct env_ops *env = env_find("ledger");
    int32_t n_masked = 0;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    assert_ok(example_env_new(env, NULL, m.tokenizer, &s, why));
    assert_int_equal(s->n, 0);
    assert_non_null(strstr(s->id, "ledger"));
    for (int64_t i = 0; i < 300; i++) {
        struct env_demo_spec spec = {.seed = 3, .index = (uint64_t)i, .progress = .3};
        int32_t n = env->demo(&spec, piece, 64);
        bool inside = false;

        assert_ok(s->get(s->ctx, 3, i, .3, room_of(&r, CAP), why));
        assert_false(r.ex.truncated);
        assert_int_equal(r.ex.train[0], 0);
        spell(m.tokenizer, &r.ex, &text);
        str_clear(&want);
        for (int32_t k = 0; k < n; k++) {
            bool trained = piece[k].expert && !piece[k].masked;

            n_masked += piece[k].masked;
            if (trained != inside)
                str_putc(&want, inside ? ']' : '[');
            inside = trained;
            str_puts(&want, piece[k].text);
        }
        str_puts(&want, inside ? "]" : "");
        assert_string_equal(str_cstr(&text), str_cstr(&want));
    }
    assert_in_range(n_masked, 100, 200); /* half are skill at this progress */
    example_env_free(s);
    str_deinit(&text);
    str_deinit(&want);
    fake_model_deinit(&m);
}

static void test_kinds_and_cuts(void **state)
{
    struct fake_model m;
    struct example_source *s = NULL;
    struct room r;
    struct error err = ERROR_INIT;
    struct str text = STR_INIT;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    assert_int_equal(example_env_new(env_find("ledger"), "smart", m.tokenizer, &s, &err),
                     STATUS_USAGE);
    assert_non_null(strstr(err.message, "plain"));
    assert_ok(example_env_new(env_find("ledger"), "plain", m.tokenizer, &s, why));
    assert_ok(s->get(s->ctx, 1, 7, 0, room_of(&r, CAP), why));
    spell(m.tokenizer, &r.ex, &text);
    assert_null(strstr(str_cstr(&text), "UNDO"));
    /* ORDk+n|[GETk;]>nn|[SETknn;]>OK|[NEXT;] */
    assert_int_equal(r.ex.n, 5 + 3 + 4 + 5 + 3 + 2);
    assert_ok(s->get(s->ctx, 1, 7, 0, room_of(&r, 10), why));
    assert_true(r.ex.truncated);
    assert_int_equal(r.ex.n, 10);
    example_env_free(s);
    str_deinit(&text);
    fake_model_deinit(&m);
}

static void assert_same_example(const struct room *a, const struct room *b)
{
    assert_int_equal(a->ex.n, b->ex.n);
    assert_memory_equal(a->ids, b->ids, (size_t)a->ex.n * sizeof(*a->ids));
    assert_memory_equal(a->train, b->train, (size_t)a->ex.n);
}

static void test_a_mix_gives_each_environment_in_turn(void **state)
{
    const struct env_ops *env[] = {env_find("ledger"), env_find("courier"), env_find("itinerary")};
    struct example_source *one[3] = {NULL}, *mix = NULL, *alone = NULL;
    struct error err = ERROR_INIT;
    struct room a, b;
    struct fake_model m;
    int32_t want[16], n_want, n_probes = 0;
    const char *category = NULL;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    for (int k = 0; k < 3; k++) {
        assert_ok(example_env_new(env[k], NULL, m.tokenizer, &one[k], why));
        n_probes += one[k]->n_probes;
    }
    assert_ok(example_mix_new(env, 3, NULL, m.tokenizer, &mix, why));
    for (int64_t i = 0; i < 90; i++) {
        assert_ok(mix->get(mix->ctx, 3, i, .5, room_of(&a, CAP), why));
        assert_ok(one[i % 3]->get(one[i % 3]->ctx, 3, i / 3, .5, room_of(&b, CAP), why));
        assert_same_example(&a, &b);
        assert_ok(mix->get(mix->ctx, 3, HELD_OUT_FIRST + i, 1, room_of(&a, CAP), why));
        assert_ok(
            one[i % 3]->get(one[i % 3]->ctx, 3, HELD_OUT_FIRST + i / 3, 1, room_of(&b, CAP), why));
        assert_same_example(&a, &b);
    }
    assert_int_equal(mix->n_probes, n_probes);
    assert_ok(mix->probe(mix->ctx, 0, room_of(&a, CAP), want, 16, &n_want, &category, why));
    assert_string_equal(category, "ledger: sum");
    assert_true(mix->probe_need(mix->ctx, "ledger: sum") == 1);
    assert_ok(mix->probe(mix->ctx, 1800, room_of(&a, CAP), want, 16, &n_want, &category, why));
    assert_true(mix->probe_need(mix->ctx, category) == .997);
    assert_ok(mix->probe(mix->ctx, one[0]->n_probes + 2, room_of(&a, CAP), want, 16, &n_want,
                         &category, why));
    assert_ok(one[1]->probe(one[1]->ctx, 2, room_of(&b, CAP), want, 16, &n_want, &category, why));
    assert_same_example(&a, &b);
    assert_ok(
        mix->probe(mix->ctx, n_probes - 1, room_of(&a, CAP), want, 16, &n_want, &category, why));
    assert_memory_equal(category, "itinerary: ", 11);
    /* One alone is itself, by its name too: a training that was begun with it goes on. */
    assert_ok(example_mix_new(env, 1, NULL, m.tokenizer, &alone, why));
    assert_string_equal(alone->id, one[0]->id);
    assert_ok(alone->probe(alone->ctx, 0, room_of(&a, CAP), want, 16, &n_want, &category, why));
    assert_string_equal(category, "sum");
    assert_true(alone->probe_need(alone->ctx, "mismatch") == .997);
    example_mix_free(alone);
    alone = NULL;
    assert_int_equal(example_mix_new(env, 3, "nested", m.tokenizer, &alone, &err), STATUS_USAGE);
    assert_null(alone);
    example_mix_free(mix);
    for (int k = 0; k < 3; k++)
        example_env_free(one[k]);
    fake_model_deinit(&m);
}

static void test_probes_ask_and_expect(void **state)
{
    struct fake_model m;
    struct example_source *s = NULL;
    struct room r;
    struct error err = ERROR_INIT;
    struct str text = STR_INIT;
    int32_t want[16], n_want = 0, n_sum = 0;
    const char *category = NULL;

    (void)state;
    fake_model_init(&m, "compact", policy_plain);
    assert_ok(example_env_new(env_find("ledger"), NULL, m.tokenizer, &s, why));
    assert_int_equal(s->n_probes, 1800 + 9900 + 100);
    for (int32_t i = 0; i < s->n_probes; i += 97) {
        struct env_probe p;

        env_find("ledger")->probe(i, &p);
        assert_ok(s->probe(s->ctx, i, room_of(&r, CAP), want, 16, &n_want, &category, why));
        assert_string_equal(category, p.category);
        spell(m.tokenizer, &r.ex, &text);
        assert_string_equal(str_cstr(&text), p.prompt);
        str_clear(&text);
        tokenizer_decode(m.tokenizer, want, (size_t)n_want, false, &text);
        assert_string_equal(str_cstr(&text), p.expected);
        n_sum += strcmp(category, "sum") == 0;
    }
    assert_int_equal(n_sum, (1800 + 96) / 97);
    assert_true(s->probe_need(s->ctx, "sum") == 1 && s->probe_need(s->ctx, "match") == 1);
    assert_true(s->probe_need(s->ctx, "mismatch") == .997);
    assert_int_equal(s->probe(s->ctx, 0, room_of(&r, 3), want, 16, &n_want, &category, &err),
                     STATUS_LIMIT);
    example_env_free(s);
    str_deinit(&text);
    fake_model_deinit(&m);
}

static const char chat_text[] = "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' "
                                "%}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration "
                                "%}{% else %}{{ m.content }}{% endif %}{{ '\n' }}{% endfor %}";

static void write_file(char path[64], const char *text)
{
    int fd;

    (void)snprintf(path, 64, "/tmp/troupe-chat-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void test_conversations_train_the_assistant(void **state)
{
    struct fake_model m;
    struct example_chat_options o;
    struct example_source *s = NULL;
    struct room r;
    struct error err = ERROR_INIT;
    struct str text = STR_INIT;
    char path[64];

    (void)state;
    write_file(path,
               "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
               "\"content\":\"Ho\"},{\"role\":\"user\",\"content\":\"He\"},{\"role\":\"assistant\","
               "\"content\":\"Hum\"}]}\n\n"
               "{\"messages\":[{\"role\":\"assistant\",\"content\":\"Alone\"}]}\r\n");
    fake_model_init(&m, NULL, policy_plain);
    o = (struct example_chat_options){path, m.tokenizer, chat_text, NULL, "<|end|>", false};
    assert_ok(example_chat_new(&o, &s, why));
    assert_int_equal(s->n, 2);
    assert_int_equal(strlen(s->id), 5 + 64);
    assert_ok(s->get(s->ctx, 0, 0, 0, room_of(&r, CAP), why));
    spell(m.tokenizer, &r.ex, &text);
    assert_string_equal(str_cstr(&text), "user: Hi\nassistant: [Ho<|end|>]\nuser: He\n"
                                         "assistant: [Hum<|end|>]\n");
    assert_ok(s->get(s->ctx, 0, 1, 0, room_of(&r, CAP), why));
    spell(m.tokenizer, &r.ex, &text);
    assert_string_equal(str_cstr(&text), "assistant: [Alone<|end|>]\n");
    assert_ok(s->get(s->ctx, 0, 0, 0, room_of(&r, 12), why));
    assert_true(r.ex.truncated);
    assert_int_equal(s->get(s->ctx, 0, 2, 0, room_of(&r, 12), &err), STATUS_INVALID);
    example_chat_free(s);
    str_deinit(&text);
    fake_model_deinit(&m);
    unlink(path);
}

static void test_bad_lines_are_told_by_number(void **state)
{
    static const struct {
        const char *text, *where, *words;
    } cases[] = {
        {"\n{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}\n{\"messages\":", ":3:13",
         "not valid JSON"},
        {"{}\n", ":1", "messages"},
        {"{\"messages\":[]}\n", ":1", "messages"},
        {"{\"messages\":[{\"content\":\"x\"}]}\n", ":1", "role"},
        {"{\"messages\":[{\"role\":\"sistem\",\"content\":\"x\"}]}\n", ":1",
         "messages[0]: unknown role \"sistem\""},
        {"{\"messages\":[{\"role\":\"user\",\"contents\":\"x\"}]}\n", ":1",
         "messages[0]: unknown key \"contents\""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":5}]}\n", ":1", "not text"},
        {"{\"messages\":[{\"role\":\"user\"}]}\n", ":1", "no \"content\""},
        {"{\"messages\":[7]}\n", ":1", "messages[0]: expected an object"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":null}]}\n", ":1", "no \"content\""},
        {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":7}]}\n", ":1", "not a list"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}],\"tols\":[]}\n", ":1",
         "unknown key \"tols\""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}\n", ":1", "nothing to train"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}],\"tools\":7}\n", ":1",
         "tools"},
        {"\n\n", "", "contains no conversations"},
    };
    struct fake_model m;

    (void)state;
    fake_model_init(&m, NULL, policy_plain);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct example_chat_options o;
        struct example_source *s = NULL;
        struct error err = ERROR_INIT;
        char path[64];

        write_file(path, cases[i].text);
        o = (struct example_chat_options){path, m.tokenizer, chat_text, NULL, NULL, false};
        assert_int_equal(example_chat_new(&o, &s, &err), STATUS_INVALID);
        assert_non_null(strstr(err.where, cases[i].where));
        assert_non_null(strstr(err.message, cases[i].words));
        assert_null(s);
        unlink(path);
    }
    fake_model_deinit(&m);
}

/* Each conversation is in one of the two, by the seed; the data's id shows the split. */
static void test_a_share_is_held_out(void **state)
{
    struct fake_model m;
    struct example_chat_options o;
    struct str lines = STR_INIT, text = STR_INIT;
    char path[64], id[80], first[20][64];
    struct room r;

    (void)state;
    for (int i = 0; i < 20; i++)
        str_printf(&lines, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"%c\"}]}\n",
                   'a' + i);
    write_file(path, str_cstr(&lines));
    fake_model_init(&m, NULL, policy_plain);
    o = (struct example_chat_options){path, m.tokenizer, chat_text, NULL, "<|end|>", false};
    for (int round = 0; round < 2; round++) {
        struct example_source *s = NULL;
        const struct example_source *held = NULL;
        bool seen[20] = {false};

        assert_ok(example_chat_new(&o, &s, why));
        (void)snprintf(id, sizeof(id), "%s", s->id);
        assert_ok(example_chat_hold_out(s, .25, 7, &held, why));
        assert_int_equal(s->n, 15);
        assert_int_equal(held->n, 5);
        assert_string_not_equal(s->id, id);
        for (int i = 0; i < 20; i++) {
            const struct example_source *of = i < 15 ? s : held;

            assert_ok(of->get(of->ctx, 0, i < 15 ? i : i - 15, 0, room_of(&r, CAP), why));
            spell(m.tokenizer, &r.ex, &text);
            assert_false(seen[str_cstr(&text)[12] - 'a']); /* "assistant: [a<|end|>]" */
            seen[str_cstr(&text)[12] - 'a'] = true;
            if (round == 0)
                (void)snprintf(first[i], sizeof(first[i]), "%s", str_cstr(&text));
            assert_string_equal(first[i], str_cstr(&text));
        }
        example_chat_free(s);
    }
    str_deinit(&lines);
    str_deinit(&text);
    fake_model_deinit(&m);
    unlink(path);
}

/* A conversation that the template cannot render is reported with its line of the file. */
static void test_render_fault_names_the_line(void **state)
{
    struct fake_model m;
    struct example_chat_options o;
    struct example_source *s = NULL;
    struct room r;
    struct error err = ERROR_INIT;
    char path[64];

    (void)state;
    write_file(path, "\n{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}\n");
    fake_model_init(&m, NULL, policy_plain);
    o = (struct example_chat_options){path, m.tokenizer, "{{ raise_exception('not you') }}",
                                      NULL, NULL,        false};
    assert_ok(example_chat_new(&o, &s, why));
    assert_int_not_equal(s->get(s->ctx, 0, 0, 0, room_of(&r, CAP), &err), STATUS_OK);
    assert_non_null(strstr(err.where, ":2"));
    assert_non_null(strstr(err.message, "not you"));
    example_chat_free(s);
    fake_model_deinit(&m);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demonstrations_train_the_experts_words),
        cmocka_unit_test(test_kinds_and_cuts),
        cmocka_unit_test(test_a_mix_gives_each_environment_in_turn),
        cmocka_unit_test(test_probes_ask_and_expect),
        cmocka_unit_test(test_conversations_train_the_assistant),
        cmocka_unit_test(test_bad_lines_are_told_by_number),
        cmocka_unit_test(test_a_share_is_held_out),
        cmocka_unit_test(test_render_fault_names_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
