/* test_exchange.c - an exchange ends exactly once, even if one side leaves early.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/exchange/exchange.h"
#include "tests/support/check.h"

static struct json_view view(const char *text)
{
    return json_view_of(text, strlen(text));
}

/* An edge and a handler that writes down what it hears. */
struct scene {
    struct mcp_handler handler;
    struct mcp_exchange *open; /* of the handler */
    struct str heard;
    bool answers_at_once;
};

static void start(void *ctx, struct mcp_exchange *x)
{
    struct scene *s = ctx;

    if (s->answers_at_once)
        mcp_exchange_complete(x, view("{\"n\":1}"));
    else
        s->open = x;
}

static void cancel(void *ctx, struct mcp_exchange *x)
{
    struct scene *s = ctx;

    s->open = NULL;
    mcp_exchange_fail_cancelled(x);
}

static void note(void *ctx, struct mcp_exchange *x, enum mcp_method what, struct json_view params)
{
    struct scene *s = ctx;

    (void)x;
    str_printf(&s->heard, "%s ", mcp_method_facts(what)->name);
    json_view_put(&s->heard, params);
    str_putc(&s->heard, ';');
}

static void done(void *ctx, struct mcp_exchange *x, const struct mcp_answer *a)
{
    struct scene *s = ctx;

    if (a->kind == MCP_ERROR) {
        str_printf(&s->heard, "error %lld %s ", (long long)a->code, a->message);
        json_view_put(&s->heard, a->data);
    } else {
        json_view_put(&s->heard, a->result);
    }
    str_putc(&s->heard, ';');
    mcp_exchange_unref(x);
}

static int scene_open(void **state)
{
    struct scene *s = xcalloc(1, sizeof(*s));

    s->handler = (struct mcp_handler){.ctx = s, .start = start, .cancel = cancel};
    s->heard = STR_INIT;
    *state = s;
    return 0;
}

static int scene_close(void **state)
{
    struct scene *s = *state;

    str_deinit(&s->heard);
    free(s);
    return 0;
}

static struct mcp_exchange *begin(struct scene *s, enum mcp_log_level level)
{
    struct mcp_caller *c = mcp_caller_new(&(struct mcp_caller_spec){
        .principal = "p", .revision = MCP_2026_07_28, .capabilities = view("{\"roots\":{}}")});
    struct mcp_exchange *x = mcp_exchange_new(&(struct mcp_exchange_spec){
        .method = MCP_TOOLS_CALL,
        .caller = c,
        .params = view("{\"name\":\"t\"}"),
        .wants_progress = true,
        .log_level = level,
        .events = {.note = note, .done = done, .ctx = s},
    });

    mcp_caller_unref(c);
    mcp_exchange_start(x, &s->handler);
    return x;
}

static void an_answer_may_come_at_once_or_later(void **state)
{
    struct scene *s = *state;

    s->answers_at_once = true;
    begin(s, MCP_LOG_NONE);
    assert_string_equal(str_cstr(&s->heard), "{\"n\":1};");
    s->answers_at_once = false;
    begin(s, MCP_LOG_WARNING);
    str_clear(&s->heard);
    mcp_exchange_note(s->open, MCP_PROGRESS, view("{\"progress\":1}"));
    mcp_exchange_note(s->open, MCP_MESSAGE, view("{\"level\":\"info\"}"));
    mcp_exchange_note(s->open, MCP_MESSAGE, view("{\"level\":\"error\"}"));
    mcp_exchange_finish(s->open, &(struct mcp_answer){.kind = MCP_INPUT_REQUIRED,
                                                      .result = view("{\"requestState\":\"r\"}")});
    begin(s, MCP_LOG_NONE);
    mcp_exchange_fail(s->open, -5, "no %d", 7);
    assert_string_equal(str_cstr(&s->heard),
                        "notifications/progress {\"progress\":1};notifications/message "
                        "{\"level\":\"error\"};{\"requestState\":\"r\"};error -5 no 7 null;");
}

static void a_cancelled_exchange_still_ends(void **state)
{
    struct scene *s = *state;
    struct mcp_exchange *x = begin(s, MCP_LOG_NONE);

    mcp_exchange_cancel(x);
    assert_string_equal(str_cstr(&s->heard), "error -32603 the request was cancelled null;");
    assert_null(s->open);
}

static void an_abandoned_exchange_says_nothing_more(void **state)
{
    struct scene *s = *state;
    struct mcp_exchange *x = begin(s, MCP_LOG_NONE);

    mcp_exchange_abandon(x);
    mcp_exchange_unref(x);
    assert_string_equal(str_cstr(&s->heard), "");
}

static void a_reference_keeps_the_answer_of_a_finished_exchange(void **state)
{
    struct scene *s = *state;
    struct mcp_exchange *x = mcp_exchange_ref(begin(s, MCP_LOG_NONE));
    struct mcp_caller *c = mcp_caller_ref(x->caller);
    struct error err = ERROR_INIT;

    error_set(&err, STATUS_NOT_FOUND, "no such tool");
    mcp_exchange_fail_status(s->open, &err);
    assert_string_equal(str_cstr(&s->heard), "error -32602 no such tool null;");
    assert_int_equal(x->state, MCP_EXCHANGE_FINISHED);
    mcp_exchange_unref(x);
    assert_string_equal(c->principal, "p");
    assert_int_equal(c->can, MCP_CAN_LIST_ROOTS);
    mcp_caller_unref(c);
}

static void missing_abilities_are_named(void **state)
{
    struct scene *s = *state;

    begin(s, MCP_LOG_NONE);
    mcp_exchange_fail_abilities(s->open, MCP_CAN_SAMPLE | MCP_CAN_LIST_ROOTS);
    assert_string_equal(str_cstr(&s->heard),
                        "error -32021 the client lacks a capability that this request needs "
                        "{\"requiredCapabilities\":{\"sampling\":{}}};");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_may_come_at_once_or_later, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(a_cancelled_exchange_still_ends, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(an_abandoned_exchange_says_nothing_more, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(a_reference_keeps_the_answer_of_a_finished_exchange,
                                        scene_open, scene_close),
        cmocka_unit_test_setup_teardown(missing_abilities_are_named, scene_open, scene_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
