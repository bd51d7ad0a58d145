/* test_text_work.c - work on foreign text grows near-linearly, whatever the text is.
 *
 * Each routine runs on hostile text of two sizes and the basic blocks that it runs are counted (the
 * sources are compiled once more for this, see CMakeLists.txt): eight times the text may take
 * little more than eight times the work. A count does not depend on the machine's load.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/tokenizer.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/pattern.h"
#include "runtime/base/unicode.h"
#include "runtime/base/yaml.h"
#include "tests/support/check.h"
#include "tests/support/tokenizer_file.h"
#include "tests/unit/formats/work_count.h"

#define SMALL   ((size_t)8 << 10)
#define TIMES   8
#define MOST    (1.5 * TIMES) /* n log n is 1.25 * TIMES here */
#define OF_TINY 20000         /* blocks: fewer are not significant */

struct bench {
    struct tokenizer *qwen, *omni, *gpt2, *sentencepiece, *edges, *scores;
    struct tokenizer_scratch *scratch;
    struct pattern *blank_lines;
};

/* The measured function; it frees all its memory. */
typedef void (*routine)(const struct bench *b, const char *text, size_t n);

static const char *const UNITS[] = {
    " ",
    "\t",
    "\n",
    " \r\n",
    "a",
    "A",
    "aA",
    "7",
    "!",
    "'",
    "'s ",
    "<",
    "<|im_end|>",
    "<|im_",
    "\xcc\x81\xcc\xa3",         /* marks of two classes, in the wrong order */
    "\xcc\xa3\xcc\xa3\xcc\x81", /* and repeated */
    "e\xcc\x81",
    "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8",
    "\xe4\xbd\xa0",
    "\xf0\x9f\x98\x80",
    "\xff",
    "\xe2\x82",
    "\xf0\x9f",
    "a\xff",
    "\xc2\xa0",
    "\x01 ",
    "\xe2\x96\x81",
    "a\xe2\x96\x81",
    ">\xe2\x96\x81",
    "\xef\xb7\xba", /* one character of eighteen */
    "--,",
    "word ",
    "[",
    "[]",
    "\"",
    "\\",
    "{a: ",
    "- "};

static void clean(const struct bench *b, const char *text, size_t n)
{
    struct str out = STR_INIT;

    (void)b;
    utf8_clean(text, n, &out);
    assert_int_equal(utf8_valid_prefix(out.data, out.len), out.len);
    (void)utf8_width(text, n);
    str_deinit(&out);
}

static void nfc(const struct bench *b, const char *text, size_t n)
{
    struct str valid = STR_INIT, out = STR_INIT;

    (void)b;
    utf8_clean(text, n, &valid);
    assert_int_equal(utf8_nfc(valid.data, valid.len, &out, NULL), STATUS_OK);
    str_deinit(&valid);
    str_deinit(&out);
}

static void encode(const struct bench *b, const struct tokenizer *t, const char *text, size_t n)
{
    struct token_ids ids = TOKEN_IDS_INIT;
    struct token_stream stream = TOKEN_STREAM_INIT;
    struct str out = STR_INIT;

    assert_int_equal(tokenizer_encode(t, b->scratch, text, n, false, &ids, NULL), STATUS_OK);
    assert_int_equal(tokenizer_encode(t, b->scratch, text, n, true, &ids, NULL), STATUS_OK);
    for (size_t i = 0; i < ids.n; i++)
        token_stream_push(&stream, t, ids.id[i], false, &out);
    token_stream_finish(&stream, &out);
    token_ids_deinit(&ids);
    str_deinit(&out);
}

static void encode_qwen(const struct bench *b, const char *text, size_t n)
{
    encode(b, b->qwen, text, n);
}

static void encode_omni(const struct bench *b, const char *text, size_t n)
{
    encode(b, b->omni, text, n);
}

static void encode_gpt2(const struct bench *b, const char *text, size_t n)
{
    encode(b, b->gpt2, text, n);
}

static void encode_sentencepiece(const struct bench *b, const char *text, size_t n)
{
    encode(b, b->sentencepiece, text, n);
}

static void encode_edges(const struct bench *b, const char *text, size_t n)
{
    encode(b, b->edges, text, n);
}

static void encode_scores(const struct bench *b, const char *text, size_t n)
{
    encode(b, b->scores, text, n);
}

/* The text as a string, as it is, and as an array's elements. */
static void json(const struct bench *b, const char *text, size_t n)
{
    struct json *v = jv_string_n(text, n), *back = NULL;
    char *dump = jv_dump(v);

    (void)b;
    assert_int_equal(jv_parse(dump, strlen(dump), "text", &back, NULL), STATUS_OK);
    jv_unref(v);
    jv_unref(back);
    free(dump);
    back = NULL;
    if (jv_parse(text, n, "text", &back, NULL) == STATUS_OK)
        jv_unref(back);
}

static void yaml(const struct bench *b, const char *text, size_t n)
{
    struct yaml *y = NULL;
    struct error err = ERROR_INIT;

    (void)b;
    if (yaml_parse(text, n, "text", &y, &err) == STATUS_OK) {
        jv_unref(yaml_to_json(yaml_root(y)));
        yaml_free(y);
    }
}

static void find_all(const struct bench *b, const char *text, size_t n)
{
    struct str valid = STR_INIT;
    size_t at = 0, from, to;
    bool found = true;

    utf8_clean(text, n, &valid);
    while (found && at <= valid.len) {
        assert_int_equal(
            pattern_find(b->blank_lines, NULL, valid.data, valid.len, at, &found, &from, &to, NULL),
            STATUS_OK);
        at = to + 1;
    }
    str_deinit(&valid);
}

static uint64_t work_of(const struct bench *b, routine r, const char *unit, size_t n)
{
    const size_t n_unit = strlen(unit);
    char *text = xmalloc(n);

    n -= n % n_unit; /* else one size may end in half a character, and be refused at once */
    for (size_t i = 0; i < n; i++)
        text[i] = unit[i % n_unit];
    (void)work_count_take();
    r(b, text, n);
    free(text);
    return work_count_take();
}

static void work_grows_with_the_text(void **state)
{
    static const struct {
        const char *name;
        routine run;
    } routines[] = {{"clean", clean},
                    {"NFC", nfc},
                    {"tokenizer with NFC", encode_qwen},
                    {"tokenizer of matches alone", encode_omni},
                    {"tokenizer of GPT-2", encode_gpt2},
                    {"tokenizer of characters", encode_sentencepiece},
                    {"tokenizer of many steps", encode_edges},
                    {"tokenizer by scores", encode_scores},
                    {"JSON", json},
                    {"YAML", yaml},
                    {"pattern", find_all}};
    const struct bench *b = *state;
    uint64_t all = 0;

    for (size_t r = 0; r < ARRAY_LEN(routines); r++)
        for (size_t u = 0; u < ARRAY_LEN(UNITS); u++) {
            uint64_t few = work_of(b, routines[r].run, UNITS[u], SMALL);
            uint64_t many = work_of(b, routines[r].run, UNITS[u], TIMES * SMALL);

            all += many;
            if (many > OF_TINY && (double)many > MOST * (double)few)
                fail_msg("%s, text %zu (\"%s\"): %d times the text took %.1f times the work",
                         routines[r].name, u, UNITS[u], TIMES, (double)many / (double)few);
        }
    assert_true(all > 10000000); /* the sources do count */
}

static void load(const char *name, struct tokenizer **t)
{
    char file[128], path[512];

    snprintf(file, sizeof(file), "tests/fixtures/tokenizer/%s.json", name);
    assert_ok(tokenizer_file_read(fixture_path(path, file), t, why));
}

static int set_up(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    load("qwen", &b->qwen);
    load("omni", &b->omni);
    load("gpt2", &b->gpt2);
    load("sentencepiece", &b->sentencepiece);
    load("edges", &b->edges);
    load("tables_llama", &b->scores);
    b->scratch = tokenizer_scratch_new();
    assert_int_equal(pattern_compile("\\s*[\\r\\n]+", 11, &b->blank_lines, NULL), STATUS_OK);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    tokenizer_free(b->qwen);
    tokenizer_free(b->omni);
    tokenizer_free(b->gpt2);
    tokenizer_free(b->sentencepiece);
    tokenizer_free(b->edges);
    tokenizer_free(b->scores);
    tokenizer_scratch_free(b->scratch);
    pattern_free(b->blank_lines);
    free(b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(work_grows_with_the_text)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
