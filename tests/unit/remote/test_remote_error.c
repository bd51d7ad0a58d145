/* Errors of servers: what they mean, and whether to try again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/remote/remote_error.h"
#include "runtime/base/memory.h"
#include "tests/unit/remote/answer_bench.h"

static struct remote_spec spec = {.url = (char[]){"https://host/v1"},
                                  .model = (char[]){"big"},
                                  .key = (char[]){"${env:SOME_KEY}"}};

static enum status ask(int code, const char *body, int64_t retry_ms, struct remote_fault *f,
                       struct error *err)
{
    struct remote_refusal r = {.code = code,
                               .body = body,
                               .n = strlen(body),
                               .retry_after_ms = retry_ms,
                               .location = "https://other/v1?key=secret"};

    *err = ERROR_INIT;
    return remote_error_http(&spec, &r, f, err);
}

static const struct {
    int code;
    const char *body;
    enum status status;
    bool passes, outage;
    const char *message;
} code_cases[] = {
    {400, "{\"error\":{\"message\":\"bad\\n  thing\",\"type\":\"invalid_request_error\"}}",
     STATUS_INVALID, false, false, "the server refused the request (400): bad thing"},
    {400, "{\"error\":\"bad\"}", STATUS_INVALID, false, false,
     "the server refused the request (400): bad"},
    {400, "{\"message\":\"bad\",\"object\":\"error\"}", STATUS_INVALID, false, false,
     "the server refused the request (400): bad"},
    {422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"extra\"}]}", STATUS_INVALID, false, false,
     "the server refused the request (422): extra"},
    {400, "[{\"error\":{\"message\":\"in a list\"}}]", STATUS_INVALID, false, false,
     "the server refused the request (400): in a list"},
    {400, "plain words\nmore", STATUS_INVALID, false, false,
     "the server refused the request (400): plain words more"},
    {502, "<html><head><title>Bad\nGateway</title></head>", STATUS_FAILED, true, true,
     "the server failed (502 Bad Gateway): an HTML page with the title \"Bad Gateway\""},
    {500, "<!DOCTYPE html><body>", STATUS_FAILED, true, true,
     "the server failed (500 Internal Server Error): an HTML page"},
    {500, "", STATUS_FAILED, true, true,
     "the server failed (500 Internal Server Error): nothing more is said"},
    {501, "", STATUS_FAILED, false, false,
     "the server failed (501 Not Implemented): nothing more is said"},
    {503, "{\"error\":{\"message\":\"Loading model\",\"code\":503}}", STATUS_BUSY, true, true,
     "the server is overloaded or starting (503): Loading model"},
    {529, "", STATUS_BUSY, true, true,
     "the server is overloaded or starting (529): nothing more is said"},
    {429, "{\"error\":{\"message\":\"slow\",\"type\":\"rate_limit_error\"}}", STATUS_BUSY, true,
     false, "the server takes no more requests now (429): slow"},
    {429, "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\"}}", STATUS_FAILED, false,
     false, "the account at the server is used up (429): pay"},
    {402, "{}", STATUS_FAILED, false, false, "the account at the server is used up (402): {}"},
    {408, "late", STATUS_BUSY, true, false, "the server asks to try again (408): late"},
    {401, "{\"error\":{\"message\":\"who?\"}}", STATUS_FAILED, false, false,
     "the server refused the key ${env:SOME_KEY} (401): who?"},
    {403, "", STATUS_FAILED, false, false,
     "the server refused the key ${env:SOME_KEY} (403): nothing more is said"},
    {404, "{\"error\":{\"message\":\"no such model\"}}", STATUS_NOT_FOUND, false, false,
     "the server has no model \"big\", or no path https://host/v1/chat/completions (404): no "
     "such model"},
    {413, "", STATUS_LIMIT, false, false,
     "the request is too long for the server (413): nothing more is said"},
    {400,
     "{\"error\":{\"message\":\"This model's maximum context length is 5 tokens\",\"code\":"
     "\"context_length_exceeded\"}}",
     STATUS_LIMIT, false, false,
     "the prompt is too long for the model's context: This model's maximum context length is 5 "
     "tokens"},
    {500, "{\"error\":{\"message\":\"the request exceeds the available context size\"}}",
     STATUS_LIMIT, false, false,
     "the prompt is too long for the model's context: the request exceeds the available "
     "context size"},
    {302, "", STATUS_FAILED, false, false,
     "the server redirects to https://other/v1 (302), which is not followed"},
    {204, "", STATUS_FAILED, false, false,
     "the server answered 204 instead of 200: nothing more is said"},
};

static void codes_and_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(code_cases); i++) {
        struct remote_fault f;
        struct error err;
        enum status st = ask(code_cases[i].code, code_cases[i].body, -1, &f, &err);

        if (st != code_cases[i].status || f.passes != code_cases[i].passes ||
            f.is_outage != code_cases[i].outage || strcmp(err.message, code_cases[i].message) != 0)
            fail_msg("%d %s: %s \"%s\"", code_cases[i].code, code_cases[i].body, status_name(st),
                     err.message);
        assert_int_equal(f.retry_after_ms, 0);
    }
}

/* 4xx of a server are the caller's fault only where they are about the request. */
static void whose_fault_it_is(void **state)
{
    static const struct {
        int code;
        const char *body;
        enum model_fault whose;
    } cases[] = {
        {400, "{\"error\":{\"message\":\"bad\"}}", MODEL_FAULT_REQUEST},
        {422, "", MODEL_FAULT_REQUEST},
        {400, "{\"error\":{\"message\":\"no\",\"code\":\"content_filter\"}}", MODEL_FAULT_FILTER},
        {400, "{\"error\":{\"message\":\"no\",\"code\":\"context_length_exceeded\"}}",
         MODEL_FAULT_PROMPT},
        {500, "{\"error\":{\"message\":\"the available context size\"}}", MODEL_FAULT_PROMPT},
        {413, "", MODEL_FAULT_PROMPT},
        {429, "", MODEL_FAULT_RATE},
        {429, "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\"}}",
         MODEL_FAULT_SETUP},
        {401, "", MODEL_FAULT_SETUP},
        {402, "", MODEL_FAULT_SETUP},
        {403, "", MODEL_FAULT_SETUP},
        {404, "", MODEL_FAULT_SETUP},
        {405, "", MODEL_FAULT_SETUP},
        {302, "", MODEL_FAULT_SETUP},
        {204, "", MODEL_FAULT_SETUP},
        {408, "", MODEL_FAULT_DOWN},
        {503, "", MODEL_FAULT_DOWN},
        {529, "", MODEL_FAULT_DOWN},
        {504, "", MODEL_FAULT_LATE},
        {500, "", MODEL_FAULT_ANSWER},
        {501, "", MODEL_FAULT_ANSWER},
        {502, "", MODEL_FAULT_ANSWER},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct remote_fault f;
        struct error err;

        ask(cases[i].code, cases[i].body, -1, &f, &err);
        if (f.whose != cases[i].whose)
            fail_msg("%d %s: %d", cases[i].code, cases[i].body, (int)f.whose);
    }
}

static void captured_errors(void **state)
{
    size_t n = 0;
    char *context = bench_wire("err-context.txt", &n), *bad;
    struct remote_fault f;
    struct error err;

    (void)state;
    strrchr(context, '}')[1] = '\0'; /* the last line is the code */
    assert_int_equal(ask(400, context, -1, &f, &err), STATUS_LIMIT);
    assert_string_equal(err.message,
                        "the prompt has 6030 tokens, but the context of the model is 2048");
    assert_false(f.passes);
    free(context);
    bad = bench_wire("err-badjson.txt", &n);
    strrchr(bad, '}')[1] = '\0';
    assert_int_equal(ask(400, bad, -1, &f, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "parse error at line 1, column 2"));
    free(bad);
}

static void a_wait_counts_where_another_try_helps(void **state)
{
    struct remote_fault f;
    struct error err;

    (void)state;
    ask(429, "", 1500, &f, &err);
    assert_int_equal(f.retry_after_ms, 1500);
    ask(503, "", 0, &f, &err);
    assert_int_equal(f.retry_after_ms, 0);
    ask(400, "", 1500, &f, &err);
    assert_int_equal(f.retry_after_ms, 0);
    ask(429, "", INT64_MAX, &f, &err);
    assert_int_equal(f.retry_after_ms, 86400000);
}

static void refused_log_probs_are_recognised(void **state)
{
    struct remote_fault f;
    struct error err;

    (void)state;
    ask(400, "{\"error\":{\"message\":\"logprobs is not supported with tools + stream\"}}", -1, &f,
        &err);
    assert_true(f.refuses_logprobs);
    ask(400, "{\"error\":{\"message\":\"tools are not supported\"}}", -1, &f, &err);
    assert_false(f.refuses_logprobs);
    ask(500, "logprobs", -1, &f, &err);
    assert_false(f.refuses_logprobs);
}

static void a_model_without_a_key_is_asked_for_one(void **state)
{
    struct remote_spec open = {.url = spec.url, .model = spec.model},
                       text = {.url = spec.url, .model = spec.model, .key = (char[]){"sk-plain"}};
    struct remote_refusal r = {.code = 401, .body = "", .retry_after_ms = -1};
    struct remote_fault f;
    struct error err = ERROR_INIT;

    (void)state;
    (void)remote_error_http(&open, &r, &f, &err);
    assert_non_null(strstr(err.message, "wants a key"));
    assert_non_null(strstr(err.hint, "key: ${env:NAME}"));
    (void)remote_error_http(&text, &r, &f, &err);
    assert_null(strstr(err.message, "sk-plain"));
}

static void long_and_hostile_words_become_one_short_line(void **state)
{
    struct str body = STR_INIT;
    struct remote_fault f;
    struct error err;

    (void)state;
    str_puts(&body, "\x1b[31m\xff\r\n\t");
    for (int i = 0; i < 10000; i++)
        str_puts(&body, "word \n");
    ask(500, str_cstr(&body), -1, &f, &err);
    assert_true(strlen(err.message) < 400);
    assert_null(strpbrk(err.message, "\x1b\r\n\t"));
    assert_non_null(strstr(err.message, " ..."));
    str_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_bodies),
        cmocka_unit_test(whose_fault_it_is),
        cmocka_unit_test(captured_errors),
        cmocka_unit_test(a_wait_counts_where_another_try_helps),
        cmocka_unit_test(refused_log_probs_are_recognised),
        cmocka_unit_test(a_model_without_a_key_is_asked_for_one),
        cmocka_unit_test(long_and_hostile_words_become_one_short_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
