/* test_reply_stream.c - what a stream gives is the whole reply, wherever the text is cut; and it is
 * given as soon as it is certain.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/reply_stream.h"
#include "runtime/base/rng.h"
#include "runtime/base/unicode.h"
#include "tests/support/check.h"

struct given {
    struct str part[REPLY_PARTS];
};

static void give(void *ctx, enum reply_part part, const char *text, size_t n)
{
    struct given *g = ctx;

    assert_true(n > 0);
    assert_int_equal(utf8_valid_prefix(text, n), n);
    str_append(&g->part[part], text, n);
}

static struct reply_stream *begin(struct given *g, enum tool_call_format format, bool thinking)
{
    struct reply_stream_spec spec = {
        .format = format, .in_reasoning = thinking, .give = give, .ctx = g};

    g->part[REPLY_CONTENT] = g->part[REPLY_REASONING] = STR_INIT;
    return reply_stream_new(&spec);
}

static void finish(struct reply_stream *s, struct given *g)
{
    reply_stream_free(s);
    str_deinit(&g->part[REPLY_CONTENT]);
    str_deinit(&g->part[REPLY_REASONING]);
}

/* Ends the stream: the parse of the whole has its content and its reasoning. */
static void check_end(struct reply_stream *s, struct given *g, const char *text,
                      enum tool_call_format format, bool thinking, bool cut)
{
    struct parsed_reply r, want;

    assert_ok(reply_stream_end(s, cut, &r, why));
    assert_ok(tool_calls_parse(format, text, strlen(text),
                               thinking ? REPLY_STARTS_THINKING : REPLY_STARTS_TALKING, cut, NULL,
                               &want, why));
    if (strcmp(str_cstr(&g->part[REPLY_CONTENT]), want.content) != 0 ||
        strcmp(str_cstr(&g->part[REPLY_REASONING]), want.reasoning ? want.reasoning : "") != 0)
        fail_msg("\"%s\": gave \"%s\", thinking \"%s\"; is \"%s\", \"%s\"", text,
                 str_cstr(&g->part[REPLY_CONTENT]), str_cstr(&g->part[REPLY_REASONING]),
                 want.content, want.reasoning ? want.reasoning : "-");
    assert_string_equal(r.content, want.content);
    assert_int_equal(r.n_calls, want.n_calls);
    parsed_reply_deinit(&r);
    parsed_reply_deinit(&want);
}

static void check(const char *text, enum tool_call_format format, bool thinking, bool cut)
{
    const size_t n = strlen(text);
    struct reply_stream *s;
    struct given g;

    for (size_t at = 0; at <= n; at++) {
        if (at < n && ((unsigned char)text[at] & 0xc0) == 0x80)
            continue; /* inside a character */
        s = begin(&g, format, thinking);
        reply_stream_push(s, text, at);
        reply_stream_push(s, text + at, n - at);
        check_end(s, &g, text, format, thinking, cut);
        finish(s, &g);
    }
    s = begin(&g, format, thinking);
    for (size_t i = 0, next; i < n; i = next) {
        next = i;
        (void)utf8_next(text, n, &next);
        reply_stream_push(s, text + i, next - i);
    }
    check_end(s, &g, text, format, thinking, cut);
    finish(s, &g);
}

static void check_all_ways(const char *text)
{
    for (int format = TOOL_CALLS_NONE; format <= TOOL_CALLS_XML; format++)
        for (int thinking = 0; thinking < 2; thinking++)
            for (int cut = 0; cut < 2; cut++)
                check(text, (enum tool_call_format)format, thinking, cut);
}

#define CALL "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":\"</think>\"}}</tool_call>"
#define XML  "<tool_call><function=f><parameter=a>1</parameter></function></tool_call>"

static void the_pieces_are_the_whole(void **state)
{
    static const char *const texts[] = {
        "",
        " \n ",
        "  hi \n there  \n",
        "caf\xc3\xa9 \xe2\x82\xac < \xf0\x9f\x98\x80",
        "<think>\n a \n</think>\n\n b ",
        "\n<think>a</think>b<think> c </think> d <think></think>e<think>f",
        "a</think>b</think>c",
        "<think></think><think></think>x",
        "<think> </think><think>y</think>x",
        "<thin",
        "a <thin",
        "<think>a</thin",
        "<think>a<think>b</think>c",
        "x" CALL " y ",
        "x " XML " y" XML,
        "<think>so " CALL " and</think> done",
        "<think>so " CALL,
        "<think>so " XML " and</think> done <function=g></function>",
        "<think>write <tool_call> \n or <function= and go on</think>ok",
        "<think>never closed " CALL " more",
        "<think>never closed <tool_call>{ more",
        "stray </tool_call> and more",
        "almost <tool_call and <function and </tool_call",
        "<tool_call>not json</tool_call> text",
        "a < b > c <d> << <",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        check_all_ways(texts[i]);
}

/* Random sequences of what matters to the parser. */
static void any_mixture_of_tags(void **state)
{
    static const char *const words[] = {"<think>", "</think>", "<tool_call>",  "</tool_call>",
                                        CALL,      XML,        "<function=f>", "</function>",
                                        "<",       " ",        "\n",           "word",
                                        "{",       "<t",       "\xe2\x82\xac", "\""};

    (void)state;
    for (uint32_t i = 0; i < 400; i++) {
        struct str text = STR_INIT;
        struct rng_block b = rng_philox(11, i, 0, 0, 0);
        uint32_t n = 1 + rng_below(b.word[0], 7);

        for (uint32_t k = 0; k < n; k++) {
            struct rng_block w = rng_philox(12, i, k, 0, 0);

            str_puts(&text, words[rng_below(w.word[0], ARRAY_LEN(words))]);
        }
        check_all_ways(str_cstr(&text));
        str_deinit(&text);
    }
}

/* What is given after each prefix: no later than it is certain. */
static void nothing_waits_without_need(void **state)
{
    static const struct {
        const char *text, *content, *reasoning;
        bool thinking; /* the prompt opened it */
    } cases[] = {
        {"he", "he", "", false},
        {"hello wor", "hello wor", "", false},
        {"hello ", "hello", "", false}, /* a last blank is not part of the content */
        {"a <", "a", "", false},
        {"a <b", "a <b", "", false},
        {"<thi", "", "", false},
        {"<think>so", "", "so", false},
        {"so</thin", "", "so", true},
        {"so</think>then", "then", "so", true},
        {"so <tool_call> what", "", "so <tool_call> what", true},
        {"text <tool_call>{\"na", "text", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct given g;
        struct reply_stream *s = begin(&g, TOOL_CALLS_HERMES, cases[i].thinking);

        reply_stream_push(s, cases[i].text, strlen(cases[i].text));
        if (strcmp(str_cstr(&g.part[REPLY_CONTENT]), cases[i].content) != 0 ||
            strcmp(str_cstr(&g.part[REPLY_REASONING]), cases[i].reasoning) != 0)
            fail_msg("\"%s\": \"%s\", thinking \"%s\"", cases[i].text,
                     str_cstr(&g.part[REPLY_CONTENT]), str_cstr(&g.part[REPLY_REASONING]));
        finish(s, &g);
    }
}

static void whether_it_thinks(void **state)
{
    struct given g;
    struct reply_stream *s = begin(&g, TOOL_CALLS_HERMES, false);

    (void)state;
    assert_false(reply_stream_is_thinking(s));
    reply_stream_push(s, "<think>a", 8);
    assert_true(reply_stream_is_thinking(s));
    reply_stream_push(s, "</think>", 8);
    assert_false(reply_stream_is_thinking(s));
    finish(s, &g);
    s = begin(&g, TOOL_CALLS_HERMES, true);
    assert_true(reply_stream_is_thinking(s));
    finish(s, &g);
    assert_true(prompt_opens_reasoning("x<think>\n", 9));
    assert_true(prompt_opens_reasoning("<think>", 7));
    assert_false(prompt_opens_reasoning("<think>\n\n</think>\n\n", 19));
    assert_false(prompt_opens_reasoning("think>", 6));
    assert_false(prompt_opens_reasoning("", 0));
}

static void a_nul_does_not_end_it(void **state)
{
    struct given g;
    struct reply_stream *s = begin(&g, TOOL_CALLS_NONE, false);
    struct parsed_reply r;

    (void)state;
    reply_stream_push(s, "a\0b", 3);
    assert_ok(reply_stream_end(s, false, &r, why));
    assert_string_equal(r.content, "a\xef\xbf\xbd"
                                   "b");
    assert_string_equal(str_cstr(&g.part[REPLY_CONTENT]), r.content);
    parsed_reply_deinit(&r);
    finish(s, &g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pieces_are_the_whole),   cmocka_unit_test(any_mixture_of_tags),
        cmocka_unit_test(nothing_waits_without_need), cmocka_unit_test(whether_it_thinks),
        cmocka_unit_test(a_nul_does_not_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
