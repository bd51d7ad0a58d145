/* Specifications: URL#NAME, entries of troupe.yaml, and errors that name their place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/remote/remote_spec.h"
#include "runtime/base/memory.h"

static void names(void **state)
{
    static const struct {
        const char *name, *url, *model, *error;
        bool local;
    } cases[] = {
        {"http://127.0.0.1:8000/v1#m", "http://127.0.0.1:8000/v1", "m", NULL, true},
        {"http://127.0.0.1:8000/v1/#m", "http://127.0.0.1:8000/v1", "m", NULL, true},
        {"http://localhost/v1/chat/completions#m", "http://localhost/v1", "m", NULL, true},
        {"http://[::1]:80/v1#org/m:7b", "http://[::1]:80/v1", "org/m:7b", NULL, true},
        {"http://gpu.localhost/v1#m", "http://gpu.localhost/v1", "m", NULL, true},
        {"https://api.example.com/v1#m", "https://api.example.com/v1", "m", NULL, false},
        {"http://api.example.com/v1#m", NULL, NULL, "is not encrypted", false},
        {"http://notlocalhost/v1#m", NULL, NULL, "is not encrypted", false},
        {"https://api.example.com/v1", NULL, NULL, "expected URL#NAME", false},
        {"https://api.example.com/v1#", NULL, NULL, "expected URL#NAME", false},
        {"https://api.example.com/v1?x=1#m", NULL, NULL, "no query", false},
        {"https://user:pw@api.example.com/v1#m", NULL, NULL, "", false},
        {"ftp://api.example.com/v1#m", NULL, NULL, "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct remote_spec s;
        struct error err = ERROR_INIT;
        enum status st = remote_spec_from_name(cases[i].name, &s, &err);

        if (cases[i].error) {
            if (st != STATUS_USAGE || !strstr(err.message, cases[i].error))
                fail_msg("%s: %s %s", cases[i].name, status_name(st), err.message);
            continue;
        }
        if (st)
            fail_msg("%s: %s", cases[i].name, err.message);
        assert_string_equal(s.url, cases[i].url);
        assert_string_equal(s.model, cases[i].model);
        assert_int_equal(s.allow_local, cases[i].local);
        assert_true(s.stream);
        assert_null(s.key);
        assert_true(s.price_input < 0 && s.price_output < 0);
        remote_spec_deinit(&s);
    }
}

static enum status read(const char *text, struct remote_spec *out, struct error *err)
{
    struct yaml *y = NULL;
    enum status st = yaml_parse(text, strlen(text), "conf/troupe.yaml", &y, err);

    if (st)
        fail_msg("%s", err->message);
    st = remote_spec_from_yaml(y, yaml_root(y), out, err);
    yaml_free(y);
    return st;
}

static void an_entry_with_everything(void **state)
{
    struct remote_spec s, t;
    struct error err = ERROR_INIT;
    char *body;

    (void)state;
    if (read("url: http://gpu-box:8000/v1/\n"
             "model: qwen\n"
             "key: ${env:KEY}\n"
             "headers: {X-Team: a, x-token: \"${file:token}\"}\n"
             "body: {temperature: null, think: {on: true}}\n"
             "price: {input: 3, cached: 0.3, output: 15.5}\n"
             "context: 200000\n"
             "max_concurrent: 4\n"
             "max_tries: 2\n"
             "first_byte: 90s\n"
             "idle: 5m\n"
             "timeout: 20m\n"
             "strict_schema: true\n"
             "stream: false\n"
             "max_completion_tokens: true\n"
             "allow_local: true\n"
             "reasoning: reasoning_content\n"
             "ids: vllm\n",
             &s, &err))
        fail_msg("%s: %s", err.where, err.message);
    s.folder = strdup("conf");
    remote_spec_copy(&s, &t);
    remote_spec_deinit(&s);
    assert_string_equal(t.url, "http://gpu-box:8000/v1");
    assert_string_equal(t.model, "qwen");
    assert_string_equal(t.key, "${env:KEY}");
    assert_string_equal(t.folder, "conf");
    assert_string_equal(jv_get_string(jv_get(t.headers, "x-token"), ""), "${file:token}");
    body = jv_dump(t.body);
    assert_string_equal(body, "{\"temperature\":null,\"think\":{\"on\":true}}");
    free(body);
    assert_true(t.price_input == 3 && t.price_cached == 0.3 && t.price_output == 15.5);
    assert_int_equal(t.context, 200000);
    assert_int_equal(t.max_concurrent, 4);
    assert_int_equal(t.max_tries, 2);
    assert_int_equal(t.first_byte_ms, 90000);
    assert_int_equal(t.idle_ms, 300000);
    assert_int_equal(t.timeout_ms, 1200000);
    assert_true(t.strict_schema && !t.stream && t.max_completion_tokens && t.allow_local);
    assert_int_equal(t.reasoning, REMOTE_REASONING_CONTENT);
    assert_int_equal(t.ids, REMOTE_IDS_VLLM);
    remote_spec_deinit(&t);
}

static void an_entry_with_the_least_has_the_defaults(void **state)
{
    struct remote_spec s;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(read("{url: https://a.example/v1, model: m}", &s, &err), STATUS_OK);
    assert_true(s.stream && !s.strict_schema && !s.allow_local);
    assert_true(s.price_input < 0 && s.price_cached < 0 && s.price_output < 0);
    assert_int_equal(s.max_tries, 0);
    remote_spec_deinit(&s);
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
#define OK "url: https://a.example/v1\nmodel: m\n"
    static const struct {
        const char *text, *where, *word;
    } cases[] = {
        {"- a", ":1:1", "a mapping with `url` and `model`"},
        {"model: m", ":1:1", "needs `url`"},
        {"url: https://a.example/v1", ":1:1", "needs `model`"},
        {OK "modle: x", ":3:1", "model"},
        {"url: http://a.example/v1\nmodel: m", ":1:6", "is not encrypted"},
        {"url: nonsense\nmodel: m", ":1:6", "`url`"},
        {"url: [a]\nmodel: m", ":1:6", "`url` takes text"},
        {"url: https://a.example/v1\nmodel: 7", ":2:8", "`model` takes text"},
        {OK "key: []", ":3:6", "`key` takes text"},
        {OK "headers: x", ":3:10", "`headers` takes a mapping"},
        {OK "headers: {Host: x}", ":3:11", "cannot be set here"},
        {OK "headers: {Authorization: x}", ":3:11", "use `key`"},
        {OK "headers: {\"a b\": x}", ":3:11", "not a name of a header"},
        {OK "headers: {a: \"x\\ny\"}", ":3:14", "one line of text"},
        {OK "headers: {a: {b: c}}", ":3:14", "one line of text"},
        {OK "body: 3", ":3:7", "`body` takes a mapping"},
        {OK "body: {messages: []}", ":3:8", "each request has its own"},
        {OK "price: 3", ":3:8", "`price` takes"},
        {OK "price: {input: 3}", ":3:8", "both `input` and `output`"},
        {OK "price: {input: -1, output: 2}", ":3:16", "from 0"},
        {OK "price: {input: .nan, output: 2}", ":3:16", "from 0"},
        {OK "price: {in: 3}", ":3:9", "input"},
        {OK "context: 0", ":3:10", "an integer from 1"},
        {OK "context: many", ":3:10", "an integer from 1"},
        {OK "max_concurrent: 100000", ":3:17", "from 1 to 10000"},
        {OK "max_tries: 0", ":3:12", "from 1 to 20"},
        {OK "first_byte: 90", ":3:13", "with its unit"},
        {OK "idle: 100d", ":3:7", "up to 24h"},
        {OK "timeout: 5", ":3:10", "with its unit"},
        {OK "stream: maybe", ":3:9", "true or false"},
        {OK "reasoning: always", ":3:12", "none, reasoning_content or reasoning"},
        {OK "ids: llama", ":3:6", "none, vllm or sglang"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct remote_spec s;
        struct error err = ERROR_INIT;
        enum status st = read(cases[i].text, &s, &err);
        char where[64];

        snprintf(where, sizeof(where), "conf/troupe.yaml%s", cases[i].where);
        if (st != STATUS_CONFIG || strcmp(err.where, where) != 0 ||
            !strstr(err.message, cases[i].word))
            fail_msg("%s: %s %s: %s", cases[i].text, status_name(st), err.where, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(an_entry_with_everything),
        cmocka_unit_test(an_entry_with_the_least_has_the_defaults),
        cmocka_unit_test(what_is_wrong_is_named_with_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
