/* test_rpc.c - JSON-RPC messages are read strictly, and written as they are read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/rpc.h"
#include "tests/support/check.h"

static void each_kind_is_read(void **state)
{
    static const struct {
        const char *text;
        enum rpc_kind kind;
        const char *id;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", RPC_REQUEST, "1"},
        {"{\"id\":\"a\\u0062\",\"method\":\"x\",\"params\":{},\"jsonrpc\":\"2.0\"}", RPC_REQUEST,
         "\"a\\u0062\""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}", RPC_NOTIFICATION, NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":-7,\"result\":{}}", RPC_RESULT, "-7"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"m\"}}", RPC_ERROR,
         "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"m\"}}",
         RPC_ERROR, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rpc_message m;
        enum rpc_code code;

        assert_ok(rpc_read(cases[i].text, strlen(cases[i].text), 1000, &m, &code, why));
        assert_int_equal(m.kind, cases[i].kind);
        if (cases[i].id)
            assert_memory_equal(m.id.at, cases[i].id, strlen(cases[i].id));
        else
            assert_null(m.id.at);
    }
}

static void what_is_no_message_has_the_code_of_its_fault(void **state)
{
    static const struct {
        const char *text;
        enum rpc_code code;
        bool has_id;
    } cases[] = {
        {"", RPC_PARSE_ERROR, false},
        {"{", RPC_PARSE_ERROR, false},
        {"\xff", RPC_PARSE_ERROR, false},
        {"[]", RPC_INVALID_REQUEST, false},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", RPC_INVALID_REQUEST, false},
        {"1", RPC_INVALID_REQUEST, false},
        {"{}", RPC_INVALID_REQUEST, false},
        {"{\"id\":1,\"method\":\"ping\"}", RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", RPC_INVALID_REQUEST, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", RPC_INVALID_REQUEST, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", RPC_INVALID_REQUEST, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"Method\":\"ping\"}", RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"method\":\"b\"}", RPC_INVALID_REQUEST,
         false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[]}", RPC_INVALID_REQUEST,
         true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}", RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{\"code\":1,\"message\":\"\"}}",
         RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"method\":\"x\"}", RPC_INVALID_REQUEST,
         true},
        {"{\"jsonrpc\":\"2.0\",\"result\":{}}", RPC_INVALID_REQUEST, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"1\",\"message\":\"\"}}",
         RPC_INVALID_REQUEST, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", RPC_INVALID_REQUEST, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rpc_message m;
        enum rpc_code code = 0;
        struct error err = ERROR_INIT;

        assert_int_not_equal(rpc_read(cases[i].text, strlen(cases[i].text), 1000, &m, &code, &err),
                             STATUS_OK);
        if (code != cases[i].code || (m.id.at != NULL) != cases[i].has_id || !err.message[0])
            fail_msg("%s: %d %s", cases[i].text, code, err.message);
    }
}

static void what_is_written_is_read_again(void **state)
{
    struct str out = STR_INIT;
    struct rpc_message m;
    enum rpc_code code;
    struct json_view id = json_view_of("\"q\"", 3), object = json_view_of("{\"a\":[1]}", 9);

    (void)state;
    rpc_write_request(&out, id, "tools/call", object);
    assert_string_equal(str_cstr(&out), "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":"
                                        "\"tools/call\",\"params\":{\"a\":[1]}}");
    assert_ok(rpc_read(str_cstr(&out), out.len, 1000, &m, &code, why));
    str_clear(&out);
    rpc_write_error(&out, JSON_VIEW_NONE, RPC_PARSE_ERROR, "a \"b\"", object);
    assert_string_equal(str_cstr(&out),
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":"
                        "-32700,\"message\":\"a \\\"b\\\"\",\"data\":{\"a\":[1]}}}");
    assert_ok(rpc_read(str_cstr(&out), out.len, 1000, &m, &code, why));
    assert_int_equal(m.kind, RPC_ERROR);
    str_clear(&out);
    rpc_write_result(&out, id, JSON_VIEW_NONE);
    assert_string_equal(str_cstr(&out), "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{}}");
    str_clear(&out);
    rpc_write_notification(&out, "notifications/progress", JSON_VIEW_NONE);
    assert_string_equal(str_cstr(&out),
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}");
    str_deinit(&out);
}

static void the_beginning_of_a_broken_answer_says_whose_it_is(void **state)
{
    static const struct {
        const char *text;
        int64_t id;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":12,\"result\":{\"text\":\"xxx", 12},
        {"{\"id\": 12, \"jsonrpc\": \"2.0\", \"result\": {", 12},
        {"{\"jsonrpc\":\"2.0\",\"result\":{\"id\":12", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"ping\",\"params\":{", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"12\",\"result\":{", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":-12,\"result\":{", 0},
        {"{\"level\":\"info\",\"id\":12,\"message\":\"", 0},
        {"info \"jsonrpc\" \"id\":12", 0},
        {"{", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (rpc_peek_id(cases[i].text, strlen(cases[i].text)) != cases[i].id)
            fail_msg("%s", cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_read),
        cmocka_unit_test(what_is_no_message_has_the_code_of_its_fault),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(the_beginning_of_a_broken_answer_says_whose_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
