/* test_tokenizer.c - the same ids as Hugging Face tokenizers, and every way in which tokenizer.json
 * can be wrong.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/byte_chars.h"
#include "models/formats/tokenizer.h"
#include "models/formats/tokenizer_write.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "runtime/base/seams.h"
#include "runtime/base/unicode.h"
#include "tests/support/check.h"
#include "tests/support/tokenizer_file.h"

static char *read_fixture(const char *name, const char *ending, size_t *n)
{
    char file[128], path[512], *text = NULL;

    snprintf(file, sizeof(file), "tests/fixtures/tokenizer/%s%s", name, ending);
    assert_ok(file_read(fixture_path(path, file), (size_t)1 << 24, &text, n, why));
    return text;
}

static struct tokenizer *load(const char *name)
{
    struct tokenizer *t = NULL;
    struct error err = ERROR_INIT;
    char file[128], path[512];

    snprintf(file, sizeof(file), "tests/fixtures/tokenizer/%s.json", name);
    if (tokenizer_file_read(fixture_path(path, file), &t, &err))
        fail_msg("%s: %s", name, err.message);
    return t;
}

static enum status encode(const struct tokenizer *t, const char *text, size_t n, bool parse_special,
                          struct token_ids *out, struct error *err)
{
    struct tokenizer_scratch *scratch = tokenizer_scratch_new();
    enum status st = tokenizer_encode(t, scratch, text, n, parse_special, out, err);

    tokenizer_scratch_free(scratch);
    return st;
}

static void compare_ids(const char *name, size_t at, const char *text, const struct json *want,
                        const struct token_ids *got)
{
    bool same = jv_size(want) == got->n;

    for (size_t i = 0; same && i < got->n; i++)
        same = jv_get_int(jv_at(want, i), -1) == got->id[i];
    if (!same) {
        char *words = jv_dump(want);
        struct str ids = STR_INIT;

        for (size_t i = 0; i < got->n; i++)
            str_printf(&ids, "%d,", got->id[i]);
        fail_msg("%s, case %zu, \"%s\": want %s got %s", name, at, text, words, str_cstr(&ids));
    }
}

/* Streaming gives the cleaned text, a character at a time. */
static void check_stream(const struct tokenizer *t, const struct token_ids *ids,
                         const struct str *whole)
{
    struct token_stream s = TOKEN_STREAM_INIT;
    struct str clean = STR_INIT, streamed = STR_INIT;

    utf8_clean(str_cstr(whole), whole->len, &clean);
    for (size_t i = 0; i < ids->n; i++)
        token_stream_push(&s, t, ids->id[i], false, &streamed);
    token_stream_finish(&s, &streamed);
    assert_string_equal(str_cstr(&streamed), str_cstr(&clean));
    str_deinit(&clean);
    str_deinit(&streamed);
}

static void check_case(struct tokenizer *t, struct tokenizer_scratch *scratch, const char *name,
                       size_t at, const struct json *c)
{
    const char *text = jv_get_string(jv_get(c, "text"), NULL);
    const struct json *plain = jv_get(c, "plain") ? jv_get(c, "plain") : jv_get(c, "ids");
    const struct json *decoded = jv_get(c, "decoded");
    const char *back = jv_get_string(decoded, text);
    struct token_ids ids = TOKEN_IDS_INIT;
    struct str out = STR_INIT;

    assert_non_null(text);
    assert_ok(tokenizer_encode(t, scratch, text, strlen(text), true, &ids, why));
    compare_ids(name, at, text, jv_get(c, "ids"), &ids);
    tokenizer_decode(t, ids.id, ids.n, false, &out);
    if ((!decoded || jv_kind(decoded) == JV_STRING) && strcmp(str_cstr(&out), back) != 0)
        fail_msg("%s, case %zu: decoded \"%s\", want \"%s\"", name, at, str_cstr(&out), back);
    check_stream(t, &ids, &out);
    token_ids_clear(&ids);
    assert_ok(tokenizer_encode(t, scratch, text, strlen(text), false, &ids, why));
    compare_ids(name, at, text, plain, &ids);
    token_ids_deinit(&ids);
    str_deinit(&out);
}

static void test_same_ids_as_the_reference(void **state)
{
    static const char *const names[] = {
        "qwen",  "llama",         "gpt2",         "digits",        "omni",
        "bytes", "sentencepiece", "words",        "metaspace",     "edges",
        "steps", "tables_llama",  "tables_qwen2", "tables_smollm", "tables_llama-bpe"};

    struct tokenizer_scratch *scratch = tokenizer_scratch_new(); /* of all, by turns */

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        struct tokenizer *t = load(names[k]);
        struct json *cases = NULL;
        size_t n;
        char *text = read_fixture(names[k], ".vectors.json", &n);

        assert_int_equal(jv_parse(text, n, names[k], &cases, NULL), STATUS_OK);
        assert_true(jv_size(cases) > 100);
        for (int again = 0; again < 2; again++) /* without cached pieces, and with them */
            for (size_t i = 0; i < jv_size(cases); i++)
                check_case(t, scratch, names[k], i, jv_at(cases, i));
        jv_unref(cases);
        free(text);
        tokenizer_free(t);
    }
    tokenizer_scratch_free(scratch);
}

/* Without a normaliser any bytes come back, valid or not, and streaming gives the cleaned text. */
static void test_any_bytes_come_back(void **state)
{
    struct tokenizer *t = load("llama");
    struct token_ids ids = TOKEN_IDS_INIT;
    struct str out = STR_INIT, clean = STR_INIT, streamed = STR_INIT;

    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        char text[64];
        const size_t n = rng_philox(1, round, 0, 0, 0).word[0] % sizeof(text);
        struct token_stream s = TOKEN_STREAM_INIT;

        for (uint32_t i = 0; i < n; i++) {
            const struct rng_block r = rng_philox(2, round, i, 0, 0);

            text[i] = (char)(r.word[0] % 3 ? r.word[1] % 256 : 0x20 + r.word[1] % 0x60);
        }
        token_ids_clear(&ids);
        str_clear(&out);
        str_clear(&clean);
        str_clear(&streamed);
        assert_int_equal(encode(t, text, n, true, &ids, NULL), STATUS_OK);
        tokenizer_decode(t, ids.id, ids.n, false, &out);
        assert_int_equal(out.len, n);
        assert_memory_equal(str_cstr(&out), text, n);
        utf8_clean(text, n, &clean);
        for (size_t i = 0; i < ids.n; i++) {
            token_stream_push(&s, t, ids.id[i], false, &streamed);
            assert_int_equal(utf8_valid_prefix(str_cstr(&streamed), streamed.len), streamed.len);
        }
        token_stream_finish(&s, &streamed);
        assert_string_equal(str_cstr(&streamed), str_cstr(&clean));
    }
    token_ids_deinit(&ids);
    str_deinit(&out);
    str_deinit(&clean);
    str_deinit(&streamed);
    tokenizer_free(t);
}

static void test_streaming_holds_back_half_characters(void **state)
{
    static const struct {
        const char *bytes;
        const char *end;      /* what the end adds */
        const char *after[5]; /* the text after each byte */
    } cases[] = {
        {"\xe2\x82\xac", "", {"", "", "\xe2\x82\xac"}},
        {"\xf0\x9f\x98\x80", "", {"", "", "", "\xf0\x9f\x98\x80"}},
        {"\xc3\xa9x", "", {"", "\xc3\xa9", "\xc3\xa9x"}},
        {"\xe2\x41", "", {"", "\xef\xbf\xbd\x41"}},
        {"\xff\x41", "", {"\xef\xbf\xbd", "\xef\xbf\xbd\x41"}},
        {"\xe2\x82", "\xef\xbf\xbd", {"", ""}}, /* one character was cut, however many bytes */
        {"\xf0\x9f\x98", "\xef\xbf\xbd", {"", "", ""}},
        {"\xe2\x82\x41", "", {"", "", "\xef\xbf\xbd\x41"}},
        {"\xe2\x82\xe2\x82\xac",
         "",
         {"", "", "\xef\xbf\xbd", "\xef\xbf\xbd", "\xef\xbf\xbd\xe2\x82\xac"}},
        {"\xe0\x80", "", {"", "\xef\xbf\xbd\xef\xbf\xbd"}}, /* overlong: cannot become whole */
        {"\xed\xa0", "", {"", "\xef\xbf\xbd\xef\xbf\xbd"}}, /* a surrogate */
        {"\xf4\x90", "", {"", "\xef\xbf\xbd\xef\xbf\xbd"}}, /* above U+10FFFF */
    };
    struct tokenizer *t = load("llama");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct token_stream s = TOKEN_STREAM_INIT;
        struct str out = STR_INIT;

        for (size_t b = 0; cases[i].bytes[b]; b++) {
            const char one[2] = {cases[i].bytes[b], 0};
            const int32_t id = tokenizer_id_of(t, one);

            token_stream_push(&s, t, id, false, &out);
            assert_string_equal(str_cstr(&out), cases[i].after[b]);
        }
        str_clear(&out);
        token_stream_finish(&s, &out);
        assert_string_equal(str_cstr(&out), cases[i].end);
        str_deinit(&out);
    }
    tokenizer_free(t);
}

static void test_look_ups(void **state)
{
    struct tokenizer *t = load("qwen");
    size_t n = 0;
    const int32_t end = tokenizer_id_of(t, "<|im_end|>"), call = tokenizer_id_of(t, "<tool_call>");
    const int32_t the = tokenizer_id_of(t, " the");
    const struct sha256 hash = tokenizer_hash(t);
    struct token_ids ids = TOKEN_IDS_INIT;
    struct str out = STR_INIT;

    (void)state;
    assert_true(end > 256 && call > end && the > 0);
    assert_true(tokenizer_is_special(t, end));
    assert_true(!tokenizer_is_special(t, call));
    assert_true(!tokenizer_is_special(t, the));
    assert_memory_equal(tokenizer_bytes(t, the, &n), " the", 4);
    assert_int_equal(n, 4);
    assert_null(tokenizer_bytes(t, -1, &n));
    assert_null(tokenizer_bytes(t, tokenizer_size(t), &n));
    assert_int_equal(tokenizer_id_of(t, "no such token"), -1);
    assert_int_equal(tokenizer_id_of(t, ""), -1);
    assert_false(tokenizer_is_special(t, 1 << 30));
    assert_true(hash.byte[0] | hash.byte[1] | hash.byte[2]);
    assert_int_equal(token_ids_push(&ids, the, NULL), STATUS_OK);
    assert_int_equal(token_ids_push(&ids, end, NULL), STATUS_OK);
    assert_int_equal(token_ids_push(&ids, 1 << 30, NULL), STATUS_OK);
    tokenizer_decode(t, ids.id, ids.n, true, &out);
    assert_string_equal(str_cstr(&out), " the");
    token_ids_deinit(&ids);
    str_deinit(&out);
    tokenizer_free(t);
}

/* A change to a good file, as Python would write it: path, new value (NULL removes). */
struct change {
    const char *path; /* "model.vocab.a", "added_tokens.0.id" */
    const char *value;
    enum status status;
    const char *says;
};

static void apply(struct json *doc, const struct change *c)
{
    char path[128], *dot, *key = path;
    struct json *value = NULL;

    snprintf(path, sizeof(path), "%s", c->path);
    while ((dot = strchr(key, '.'))) {
        *dot = '\0';
        doc = jv_kind(doc) == JV_ARRAY ? jv_at(doc, (size_t)strtoul(key, NULL, 10))
                                       : jv_get(doc, key);
        assert_non_null(doc);
        key = dot + 1;
    }
    if (c->value == NULL) {
        jv_remove(doc, key);
        return;
    }
    assert_int_equal(jv_parse(c->value, strlen(c->value), "v", &value, NULL), STATUS_OK);
    if (jv_kind(doc) == JV_ARRAY)
        jv_append_adopt(doc, value);
    else
        jv_set_adopt(doc, key, value);
}

#define PRE_SPLIT(split)                                                                           \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"," split                         \
    "},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"

static const struct change CHANGES[] = {
    {"model.vocab.zz", "99999", STATUS_INVALID, "only 468 tokens"},
    {"model.vocab.zz", "-1", STATUS_INVALID, "out of range"},
    {"model.vocab.zz", "4194304", STATUS_INVALID, "out of range"},
    {"model.vocab.zz", "\"7\"", STATUS_INVALID, "out of range"},
    {"model.vocab.zz", "7", STATUS_INVALID, "given twice"},
    {"model.vocab.zz", "1.5", STATUS_INVALID, "out of range"},
    {"model.vocab.zz", "[1]", STATUS_INVALID, "out of range"},
    {"model.vocab", "[]", STATUS_INVALID, "vocab"},
    {"model.merges", "{}", STATUS_INVALID, "merges"},
    {"model.merges.x", "[\"a\"]", STATUS_INVALID, "model.merges[204]"},
    {"model.merges.x", "\"ab\"", STATUS_INVALID, "not a pair"},
    {"model.merges.x", "\"a b c\"", STATUS_INVALID, "not a pair"},
    {"model.merges.x", "[\"a\",7]", STATUS_INVALID, "not a pair"},
    {"model.merges.x", "[\"a\",\"qqqq\"]", STATUS_INVALID, "\"qqqq\" is not in"},
    {"model.merges.x", "[\"q\",\"x\"]", STATUS_INVALID, "result \"qx\""},
    {"model.type", "\"WordPiece\"", STATUS_UNSUPPORTED, "WordPiece"},
    {"model.type", "\"Unigram\"", STATUS_UNSUPPORTED, "Unigram"},
    {"model.unk_token", "\"<unk>\"", STATUS_INVALID, "model.unk_token: \"<unk>\""},
    {"model.dropout", "0.1", STATUS_UNSUPPORTED, "dropout"},
    {"model.end_of_word_suffix", "\"</w>\"", STATUS_UNSUPPORTED, "end_of_word_suffix"},
    {"model", "[]", STATUS_UNSUPPORTED, "model"},
    {"model", NULL, STATUS_UNSUPPORTED, "model"},
    {"added_tokens", "{\"a\":1}", STATUS_INVALID, "added_tokens"},
    {"added_tokens.0.id", "5", STATUS_INVALID, "given twice"},
    {"added_tokens.0.id", NULL, STATUS_INVALID, "added_tokens[0]"},
    {"added_tokens.0.content", "\"\"", STATUS_LIMIT, "empty"},
    {"added_tokens.0.content", "7", STATUS_INVALID, "added_tokens[0]"},
    {"added_tokens.0.content", "\"<|im_end|>\"", STATUS_INVALID, "given twice"},
    {"normalizer", "{\"type\":\"NFKD\"}", STATUS_UNSUPPORTED, "normalizer: \"NFKD\""},
    {"normalizer",
     "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Lowercase\"}]}",
     STATUS_UNSUPPORTED, "normalizer.normalizers[1]: \"Lowercase\""},
    {"normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"x\"}",
     STATUS_UNSUPPORTED, "Replace without"},
    {"normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"x\"}",
     STATUS_INVALID, "regular expression"},
    {"normalizer", "{\"type\":\"Sequence\"}", STATUS_UNSUPPORTED, "a Sequence without parts"},
    {"pre_tokenizer", "null", STATUS_UNSUPPORTED, "decoder: \"ByteLevel\""},
    {"pre_tokenizer", "{\"type\":\"BertPreTokenizer\"}", STATUS_UNSUPPORTED,
     "pre_tokenizer: \"BertPreTokenizer\""},
    {"pre_tokenizer",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"Digits\"}]}",
     STATUS_UNSUPPORTED, "ByteLevel not at the end"},
    {"pre_tokenizer", "{\"type\":\"Metaspace\",\"prepend_scheme\":\"last\"}", STATUS_UNSUPPORTED,
     "pre_tokenizer: \"last\""},
    {"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"\"}", STATUS_UNSUPPORTED,
     "an empty replacement"},
    {"pre_tokenizer", PRE_SPLIT("\"pattern\":{\"String\":\"\"},\"behavior\":\"Isolated\""),
     STATUS_UNSUPPORTED, "pre_tokenizer.pretokenizers[0]: \"a pattern that is neither"},
    {"pre_tokenizer", PRE_SPLIT("\"pattern\":{\"Regex\":\" \"},\"behavior\":\"Removes\""),
     STATUS_UNSUPPORTED, "Removes"},
    {"pre_tokenizer", PRE_SPLIT("\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\""),
     STATUS_INVALID, "pre_tokenizer"},
    {"decoder", "null", STATUS_UNSUPPORTED, "decoder"},
    {"decoder", "{\"type\":\"Metaspace\"}", STATUS_UNSUPPORTED, "Metaspace"},
    {"decoder", "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"WordPiece\"}]}",
     STATUS_UNSUPPORTED, "decoder.decoders[0]: \"WordPiece\""},
    {"post_processor", "{\"type\":\"BertProcessing\"}", STATUS_UNSUPPORTED,
     "post_processor: \"BertProcessing\""},
    {"post_processor",
     "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}",
     STATUS_INVALID, "\"x\" is not in special_tokens"},
    {"post_processor",
     "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
     "\"special_tokens\":{\"x\":{\"ids\":[99999]}}}",
     STATUS_INVALID, "post_processor: an id is out of range"},
};

static void test_wrong_files_are_refused_by_name(void **state)
{
    size_t n;
    char *good = read_fixture("qwen", ".json", &n);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CHANGES); i++) {
        struct tokenizer *t = NULL;
        struct json *doc = NULL;
        struct error err = ERROR_INIT;
        char *text;
        enum status got;

        assert_int_equal(jv_parse(good, n, "good", &doc, NULL), STATUS_OK);
        apply(doc, &CHANGES[i]);
        text = jv_dump(doc);
        got = tokenizer_from_json(text, strlen(text), "t.json", &t, &err);
        if (got != CHANGES[i].status || !strstr(err.message, CHANGES[i].says) ||
            !strstr(err.message, "t.json"))
            fail_msg("case %zu: %s, \"%s\"", i, status_name(got), err.message);
        assert_null(t);
        free(text);
        jv_unref(doc);
    }
    free(good);
}

static void test_a_token_of_a_mebibyte(void **state)
{
    size_t n;
    char *good = read_fixture("qwen", ".json", &n), *text, *giant = malloc(1 << 20);
    struct json *doc = NULL, *vocab;
    struct tokenizer *t = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    memset(giant, 'a', (1 << 20) - 1);
    giant[(1 << 20) - 1] = '\0';
    assert_int_equal(jv_parse(good, n, "good", &doc, NULL), STATUS_OK);
    vocab = jv_get(jv_get(doc, "model"), "vocab");
    jv_set_int(vocab, giant, (int64_t)jv_size(vocab));
    text = jv_dump(doc);
    assert_int_equal(tokenizer_from_json(text, strlen(text), "t", &t, &err), STATUS_LIMIT);
    free(text);
    free(giant);
    free(good);
    jv_unref(doc);
}

/* A megabyte without a break must take about a thousand times what a kilobyte takes. */
/* Ids without a token: no text encodes to them, and they decode to nothing. */
static void test_ids_may_be_left_out(void **state)
{
    struct tokenizer *t = load("omni");
    const int32_t end = tokenizer_id_of(t, "<|im_end|>");
    struct token_stream stream = TOKEN_STREAM_INIT;
    struct str out = STR_INIT;
    int32_t id[3] = {tokenizer_id_of(t, "a"), end - 1, tokenizer_id_of(t, "b")};
    size_t n = 7;

    (void)state;
    assert_int_equal(tokenizer_size(t), end + 1);
    assert_true(end > tokenizer_id_of(t, "<|im_start|>") + 30);
    assert_non_null(tokenizer_bytes(t, end - 1, &n));
    assert_int_equal(n, 0);
    assert_null(tokenizer_bytes(t, end + 1, &n));
    assert_false(tokenizer_is_special(t, end - 1));
    assert_int_equal(tokenizer_id_of(t, ""), -1);
    tokenizer_decode(t, id, 3, false, &out);
    assert_string_equal(str_cstr(&out), "ab");
    str_clear(&out);
    for (size_t i = 0; i < 3; i++)
        token_stream_push(&stream, t, id[i], false, &out);
    token_stream_finish(&stream, &out);
    assert_string_equal(str_cstr(&out), "ab");
    str_deinit(&out);
    tokenizer_free(t);
}

/* One run of more than a million blanks: what 65,536 give, 16 times. */
static void test_a_million_blanks(void **state)
{
    struct tokenizer *t = load("qwen");
    const size_t n = (size_t)1 << 20, part = n / 16;
    char *text = malloc(n);
    struct token_ids ids = TOKEN_IDS_INIT, few = TOKEN_IDS_INIT;

    (void)state;
    for (const char *c = " \t\n"; *c; c++) {
        memset(text, *c, n);
        token_ids_clear(&ids);
        token_ids_clear(&few);
        assert_ok(encode(t, text, n, true, &ids, why));
        assert_ok(encode(t, text, part, true, &few, why));
        assert_int_equal(ids.n, 16 * few.n);
        for (size_t i = 0; i < ids.n; i++)
            assert_int_equal(ids.id[i], few.id[i % few.n]);
    }
    free(text);
    token_ids_deinit(&ids);
    token_ids_deinit(&few);
    tokenizer_free(t);
}

static void test_merging_is_near_linear(void **state)
{
    struct tokenizer *t = load("llama");
    const size_t n = (size_t)1 << 20;
    char *text = malloc(n);
    struct token_ids ids = TOKEN_IDS_INIT;
    struct str out = STR_INIT;
    const int64_t before = seams_mono_us(seams_real());

    (void)state;
    for (size_t i = 0; i < n; i++)
        text[i] = "thequickbrownfox"[(i * 7 + i / 5) % 16];
    assert_int_equal(encode(t, text, n, true, &ids, NULL), STATUS_OK);
    tokenizer_decode(t, ids.id, ids.n, false, &out);
    assert_int_equal(out.len, n);
    assert_memory_equal(str_cstr(&out), text, n);
    assert_true(ids.n < n);
    assert_true(seams_mono_us(seams_real()) - before < 20000000);
    free(text);
    token_ids_deinit(&ids);
    str_deinit(&out);
    tokenizer_free(t);
}

static struct tokenizer *make_bytes(void)
{
    static const struct added_token added[] = {
        {"<|pad|>", true}, {"<|end|>", true}, {"<go>", false}};
    struct str text = STR_INIT;
    struct tokenizer *t = NULL;
    char *want;
    size_t n;

    assert_ok(tokenizer_write_bytes(added, 3, &text, why));
    want = read_fixture("bytes", ".json", &n); /* which the reference reads, and gives the ids of */
    assert_string_equal(str_cstr(&text), want);
    free(want);
    assert_ok(tokenizer_from_json(text.data, text.len, "tokenizer.json", &t, why));
    str_deinit(&text);
    return t;
}

static void test_bytes_are_tokens(void **state)
{
    struct tokenizer *t = make_bytes();
    struct token_ids ids = TOKEN_IDS_INIT;
    char all[256 + 8];

    (void)state;
    assert_int_equal(tokenizer_size(t), 259);
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    memcpy(all + 256, "<go>x", 5);
    assert_int_equal(encode(t, all, 261, true, &ids, NULL), STATUS_OK);
    assert_int_equal(ids.n, 258);
    for (int i = 0; i < 256; i++)
        assert_int_equal(ids.id[i], i);
    assert_int_equal(ids.id[256], 258);
    token_ids_clear(&ids);
    assert_int_equal(encode(t, "<|end|>", 7, false, &ids, NULL), STATUS_OK);
    assert_int_equal(ids.n, 7); /* as text */
    token_ids_clear(&ids);
    assert_int_equal(encode(t, "<|end|>", 7, true, &ids, NULL), STATUS_OK);
    assert_int_equal(ids.n, 1);
    assert_int_equal(ids.id[0], tokenizer_id_of(t, "<|end|>"));
    token_ids_deinit(&ids);
    tokenizer_free(t);
}

static void test_bytes_allocate_nothing(void **state)
{
    struct tokenizer *t = make_bytes();
    struct token_ids ids = TOKEN_IDS_INIT;
    static const char text[] = "SET e25; GET e; <go>OK 25<|end|>";

    (void)state;
    assert_int_equal(token_ids_reserve(&ids, sizeof(text), NULL), STATUS_OK);
    mem_fail_after(1);
    assert_int_equal(encode(t, text, sizeof(text) - 1, true, &ids, NULL), STATUS_OK);
    mem_fail_after(0);
    assert_true(ids.n > 10);
    token_ids_deinit(&ids);
    tokenizer_free(t);
}

static void test_lists_have_a_maximum(void **state)
{
    struct tokenizer *t = make_bytes();
    struct token_ids ids;
    struct error err = ERROR_INIT;

    (void)state;
    token_ids_init(&ids, 10);
    assert_int_equal(encode(t, "0123456789", 10, true, &ids, &err), STATUS_OK);
    assert_int_equal(encode(t, "x<go>y", 6, true, &ids, &err), STATUS_LIMIT);
    assert_int_equal(ids.n, 10); /* nothing half done */
    token_ids_deinit(&ids);
    tokenizer_free(t);
}

static void test_no_memory_is_an_error(void **state)
{
    size_t n;
    char *good = read_fixture("qwen", ".json", &n);
    struct error err = ERROR_INIT;
    int failures = 0;

    (void)state;
    for (uint64_t nth = 1; nth < 100; nth++) {
        struct tokenizer *t = NULL;
        enum status st;

        mem_fail_after(nth);
        st = tokenizer_from_json(good, n, "t", &t, &err);
        mem_fail_after(0);
        /* JSON is read in another way when the first one has no memory. */
        tokenizer_free(t);
        if (st != STATUS_OK) {
            assert_int_equal(st, STATUS_NO_MEMORY);
            failures++;
        }
    }
    assert_true(failures >= 6);
    free(good);
}

static void test_byte_characters(void **state)
{
    (void)state;
    assert_int_equal(byte_char_of(' '), 0x120);
    assert_int_equal(byte_char_of('\n'), 0x10a);
    assert_int_equal(byte_char_of(173), 0x143);
    assert_int_equal(byte_char_of(160), 0x142);
    for (int b = 0; b < 256; b++)
        assert_int_equal(byte_of_char(byte_char_of((uint8_t)b)), b);
    assert_int_equal(byte_of_char(' '), -1);
    assert_int_equal(byte_of_char(0x144), -1);
    assert_int_equal(byte_of_char(173), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_ids_as_the_reference),
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_streaming_holds_back_half_characters),
        cmocka_unit_test(test_look_ups),
        cmocka_unit_test(test_wrong_files_are_refused_by_name),
        cmocka_unit_test(test_a_token_of_a_mebibyte),
        cmocka_unit_test(test_ids_may_be_left_out),
        cmocka_unit_test(test_a_million_blanks),
        cmocka_unit_test(test_merging_is_near_linear),
        cmocka_unit_test(test_bytes_are_tokens),
        cmocka_unit_test(test_bytes_allocate_nothing),
        cmocka_unit_test(test_lists_have_a_maximum),
        cmocka_unit_test(test_no_memory_is_an_error),
        cmocka_unit_test(test_byte_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
