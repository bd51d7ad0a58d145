/* test_hub_call.c - what every request to a server passes: the books, retries sent twice, caps.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/check.h"
#include "tests/unit/mcp/hub_scene.h"

#define TOOLS "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"}}]}"
#define ASKS  "{\"inputRequests\":{\"k\":{\"method\":\"roots/list\"}},\"requestState\":\"s\"}"
#define DONE  "{\"content\":[]}"

/* Rows as lines, and those who wait for them. */
struct books {
    struct str rows;
    struct {
        void (*done)(void *arg, const struct error *err);
        void *arg;
    } waits[16];
    int n_waits;
};

static bool append(void *ctx, const struct hub_audit_row *row,
                   void (*done)(void *arg, const struct error *err), void *arg)
{
    struct books *b = ctx;

    str_printf(&b->rows, "%s %s.%s %s %s %s%s\n", row->who, row->server, row->target,
               effect_words[row->effect], row->decision, row->outcome, done ? " waits" : "");
    if (done) {
        b->waits[b->n_waits].done = done;
        b->waits[b->n_waits++].arg = arg;
    }
    return !done;
}

static void write_rows(struct books *b, const struct error *err)
{
    for (int i = 0; i < b->n_waits; i++)
        b->waits[i].done(b->waits[i].arg, err);
    b->n_waits = 0;
}

static const char *state_of(struct scene *s, char **out)
{
    *out = scene_between(scene_heard(s), "\"requestState\":\"", "\"");
    return *out;
}

static void retry(struct scene *s, const char *principal, const char *state, const char *input,
                  struct mcp_exchange **out)
{
    struct str params = STR_INIT;
    struct mcp_exchange *x;

    str_printf(&params, "{\"name\":\"a__t\",\"requestState\":\"%s\",\"inputResponses\":%s}", state,
               input);
    x = scene_ask(s, principal, "", MCP_TOOLS_CALL, str_cstr(&params));
    if (out)
        *out = x;
    str_deinit(&params);
}

static void a_retry_sent_twice_is_one_call_with_one_answer(void **state)
{
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .answers = {ASKS}};
    char *sealed;

    (void)state;
    scene_open(&s, NULL);
    scene_add(&s, &a, NULL, false);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    state_of(&s, &sealed);
    retry(&s, "p", sealed, "{\"k\":{\"roots\":[],\"x\":1}}", NULL);
    retry(&s, "p", sealed, "{\"k\":{\"x\":1,\"roots\":[]}}", NULL); /* while the first runs */
    assert_string_equal(str_cstr(&s.heard), "");
    fake_answer(&a, DONE);
    assert_string_equal(scene_heard(&s), "complete " DONE "\ncomplete " DONE "\n");
    retry(&s, "p", sealed, "{\"k\":{\"roots\":[],\"x\":1}}", NULL); /* after it */
    assert_string_equal(scene_heard(&s), "complete " DONE "\n");
    assert_int_equal(a.n_asked, 2);
    /* other input is another request */
    retry(&s, "p", sealed, "{\"k\":{\"roots\":[2]}}", NULL);
    assert_int_equal(a.n_asked, 3);
    fake_answer(&a, DONE);
    free(sealed);
    scene_close(&s);
    fake_deinit(&a);
}

static void a_retry_goes_on_when_the_first_of_two_is_cancelled(void **state)
{
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .answers = {ASKS}};
    struct mcp_exchange *first;
    char *sealed;

    (void)state;
    scene_open(&s, NULL);
    scene_add(&s, &a, NULL, false);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    state_of(&s, &sealed);
    retry(&s, "p", sealed, "{}", &first);
    retry(&s, "p", sealed, "{}", NULL);
    mcp_exchange_cancel(first);
    assert_string_equal(scene_heard(&s), "error -32603 the request was cancelled\n");
    assert_int_equal(a.cancelled, 0);
    fake_answer(&a, DONE);
    assert_string_equal(scene_heard(&s), "complete " DONE "\n");
    /* alone, it is cancelled at the server, and never sent again */
    retry(&s, "p", sealed, "{\"k\":1}", &first);
    mcp_exchange_cancel(first);
    scene_heard(&s);
    assert_int_equal(a.cancelled, 1);
    retry(&s, "p", sealed, "{\"k\":1}", NULL);
    assert_string_equal(scene_heard(&s),
                        "error -32603 the request was sent before, and was cancelled then\n");
    assert_int_equal(a.n_asked, 3);
    free(sealed);
    scene_close(&s);
    fake_deinit(&a);
}

/* An answer that is too large to be kept, and one that is kept no more. */
static void a_retry_without_its_answer_is_an_error_and_no_second_call(void **state)
{
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .answers = {ASKS, DONE, ASKS, DONE}};
    char *sealed;

    (void)state;
    scene_open(&s, &(struct hub_options){.kept_bytes = 1, .kept_ms = 200});
    scene_add(&s, &a, NULL, false);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    state_of(&s, &sealed);
    retry(&s, "p", sealed, "{}", NULL);
    assert_string_equal(scene_heard(&s), "complete " DONE "\n");
    retry(&s, "p", sealed, "{}", NULL);
    assert_string_equal(scene_heard(&s), "error -32603 this retry was sent before, and its answer "
                                         "was not kept\n");
    assert_int_equal(a.n_asked, 2);
    free(sealed);
    scene_close(&s);
    fake_deinit(&a);
}

static void a_state_of_another_hub_is_an_error_by_name(void **state)
{
    static const unsigned char key[HUB_KEY_BYTES] = {7};
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .answers = {ASKS}}, b = a;
    char *sealed;

    (void)state;
    scene_open(&s, &(struct hub_options){.key = key});
    scene_add(&s, &a, NULL, false);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    state_of(&s, &sealed);
    scene_close(&s);
    scene_open(&s, &(struct hub_options){.key = key}); /* as after a restart */
    scene_add(&s, &b, NULL, false);
    retry(&s, "p", sealed, "{}", NULL);
    assert_string_equal(scene_heard(&s), "error -32602 requestState is not one that this server "
                                         "gave for this request\n");
    assert_int_equal(b.n_asked, 0);
    free(sealed);
    scene_close(&s);
    fake_deinit(&a);
    fake_deinit(&b);
}

static void the_id_of_a_task_opens_after_a_restart_with_the_same_key(void **state)
{
    static const unsigned char key[HUB_KEY_BYTES] = {7};
    struct scene s;
    struct fake a = {.name = "a",
                     .lists = {TOOLS},
                     .answers = {"#{\"taskId\":\"own\",\"status\":\"working\"}"}},
                b = a;
    struct str params = STR_INIT;
    char *id;

    (void)state;
    scene_open(&s, &(struct hub_options){.key = key});
    scene_add(&s, &a, NULL, false);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    id = scene_between(scene_heard(&s), "\"taskId\":\"", "\"");
    str_printf(&params, "{\"taskId\":\"%s\"}", id);
    scene_close(&s);
    scene_open(&s, &(struct hub_options){.key = key});
    b.answers[0] = "{\"taskId\":\"own\",\"status\":\"completed\"}";
    scene_add(&s, &b, NULL, false);
    scene_ask(&s, "q", "", MCP_TASKS_GET, str_cstr(&params));
    assert_string_equal(scene_heard(&s), "error -32602 unknown task\n");
    scene_ask(&s, "p", "", MCP_TASKS_GET, str_cstr(&params));
    assert_non_null(strstr(scene_heard(&s), "\"status\":\"completed\""));
    assert_string_equal(str_cstr(&b.asked), "{\"taskId\":\"own\"}");
    free(id);
    str_deinit(&params);
    scene_close(&s);
    fake_deinit(&a);
    fake_deinit(&b);
}

/* ---- the books */

static void a_call_that_may_have_changed_something_is_on_the_disk_before_the_reply(void **state)
{
    struct books b = {.rows = STR_INIT};
    struct error full = ERROR_INIT;
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .answers = {DONE, "!-32602 bad", DONE, DONE}};

    (void)state;
    scene_open(&s, &(struct hub_options){.audit = {.ctx = &b, .append = append}});
    scene_add(&s, &a, NULL, false);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    scene_run(&s, 20);
    assert_string_equal(str_cstr(&s.heard), "");
    write_rows(&b, NULL);
    assert_string_equal(scene_heard(&s), "complete " DONE "\n");
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    write_rows(&b, NULL);
    assert_string_equal(scene_heard(&s), "error -32602 bad\n");
    /* a disk that is full */
    error_set(&full, STATUS_DISK_FULL, "the disk is full");
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    write_rows(&b, &full);
    assert_string_equal(scene_heard(&s), "error -32603 the call was made, but its record cannot "
                                         "be written: the disk is full\n");
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}"); /* waits at the end */
    scene_close(&s);
    assert_string_equal(str_cstr(&b.rows),
                        "p a.t once allow ok waits\np a.t once allow error waits\n"
                        "p a.t once allow ok waits\np a.t once allow ok waits\n");
    write_rows(&b, NULL); /* after the hub's end */
    str_deinit(&b.rows);
    fake_deinit(&a);
}

static void a_call_that_only_reads_waits_for_nothing_and_leaves_a_row_in_a_hundred(void **state)
{
    struct books b = {.rows = STR_INIT};
    struct hub_traffic t;
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .only_reads = true, .always = DONE};

    (void)state;
    scene_open(&s, &(struct hub_options){.audit = {.ctx = &b, .append = append}});
    scene_add(&s, &a, NULL, false);
    for (int i = 0; i < 250; i++)
        scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(str_cstr(&b.rows), "p a.t read allow ok\np a.t read allow ok\n"
                                           "p a.t read allow ok\n");
    t = hub_traffic_at(s.hub, 0);
    assert_int_equal(t.outcomes[HUB_OUTCOME_OK], 250);
    assert_int_equal(t.bytes_out, 250 * strlen(DONE));
    scene_close(&s);
    str_deinit(&b.rows);
    fake_deinit(&a);
}

static void a_cancelled_call_leaves_a_row_that_nobody_waits_for(void **state)
{
    struct books b = {.rows = STR_INIT};
    struct mcp_exchange *x;
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .answers = {NULL}};

    (void)state;
    scene_open(&s, &(struct hub_options){.audit = {.ctx = &b, .append = append}});
    scene_add(&s, &a, NULL, false);
    x = scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    mcp_exchange_cancel(x);
    assert_string_equal(scene_heard(&s), "error -32603 the request was cancelled\n");
    assert_string_equal(str_cstr(&b.rows), "p a.t once allow cancelled\n");
    /* cancelled while its row is being written */
    a.always = DONE;
    x = scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    mcp_exchange_cancel(x);
    assert_string_equal(scene_heard(&s), "error -32603 the request was cancelled\n");
    write_rows(&b, NULL);
    assert_string_equal(str_cstr(&s.heard), "");
    scene_close(&s);
    str_deinit(&b.rows);
    fake_deinit(&a);
}

/* ---- limits, and what passes unchanged */

static void a_principal_has_so_many_requests_under_way(void **state)
{
    struct scene s;
    struct fake a = {.name = "a", .lists = {TOOLS}, .answers = {NULL}};

    (void)state;
    scene_open(&s, &(struct hub_options){.calls = 2});
    scene_add(&s, &a, NULL, false);
    for (int i = 0; i < 2; i++)
        scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(str_cstr(&s.heard), "");
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(&s),
                        "error -32603 2 requests are under way already; try again later\n");
    a.always = DONE;
    scene_ask(&s, "q", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}"); /* another one is not hindered */
    assert_string_equal(scene_heard(&s), "complete " DONE "\n");
    fake_answer(&a, DONE);
    scene_heard(&s);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(&s), "complete " DONE "\n");
    scene_close(&s);
    fake_deinit(&a);
}

static void the_server_behind_the_hub_does_not_name_itself(void **state)
{
    struct scene s;
    struct fake a = {
        .name = "a",
        .lists = {TOOLS},
        .answers = {"{\"content\":[],\"new\":[1, {\"x\":2}],\"_meta\":{\"k\":1,"
                    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"own\"}}}",
                    "{\"_meta\":{\"io.modelcontextprotocol/serverInfo\":1},\"content\":[]}"}};

    (void)state;
    scene_open(&s, NULL);
    scene_add(&s, &a, NULL, false);
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(&s), "complete {\"content\":[],\"new\":[1, {\"x\":2}],"
                                         "\"_meta\":{\"k\":1}}\n");
    scene_ask(&s, "p", "", MCP_TOOLS_CALL, "{\"name\":\"a__t\"}");
    assert_string_equal(scene_heard(&s), "complete " DONE "\n");
    scene_close(&s);
    fake_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_sent_twice_is_one_call_with_one_answer),
        cmocka_unit_test(a_retry_goes_on_when_the_first_of_two_is_cancelled),
        cmocka_unit_test(a_retry_without_its_answer_is_an_error_and_no_second_call),
        cmocka_unit_test(a_state_of_another_hub_is_an_error_by_name),
        cmocka_unit_test(the_id_of_a_task_opens_after_a_restart_with_the_same_key),
        cmocka_unit_test(a_call_that_may_have_changed_something_is_on_the_disk_before_the_reply),
        cmocka_unit_test(a_call_that_only_reads_waits_for_nothing_and_leaves_a_row_in_a_hundred),
        cmocka_unit_test(a_cancelled_call_leaves_a_row_that_nobody_waits_for),
        cmocka_unit_test(a_principal_has_so_many_requests_under_way),
        cmocka_unit_test(the_server_behind_the_hub_does_not_name_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
