/* test_http_ended.c - the handler learns once how each request ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conn_world.h"

static void a_reply_is_reported_with_its_route_code_and_bytes(void **state)
{
    struct world *w = *state;

    world_feeds(w, POST("/echo", "3", "abc"));
    assert_int_equal(w->n_ended, 1);
    assert_int_equal(w->ended.method, HTTP_POST);
    assert_int_equal(w->ended.route, 7);
    assert_int_equal(w->ended.code, 200);
    assert_int_equal(w->ended.bytes, w->sent.len);
    assert_string_equal(w->ended_path, "/echo");
    assert_false(w->ended.aborted);
    assert_ptr_equal(w->ended.note, w);
    world_feeds(w, "HEAD /echo HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(w->n_ended, 2);
    assert_int_equal(w->ended.method, HTTP_HEAD);
}

static void the_time_is_that_from_head_to_reply(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/later"));
    assert_int_equal(w->n_ended, 0);
    world_pass(w, 2500);
    http_call_reply_json(w->call, 200, "{}", 2);
    w->call = NULL;
    assert_int_equal(w->n_ended, 1);
    assert_int_equal(w->ended.took_us, 2500000);
}

static void refusals_are_reported_without_a_note(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/nothing"));
    assert_int_equal(w->ended.code, 404);
    assert_int_equal(w->ended.route, 0);
    assert_string_equal(w->ended_path, "/nothing");
    assert_null(w->ended.note);
    world_feeds(w, POST("/later", "11", "01234567890"));
    assert_int_equal(w->ended.code, 413);
    assert_int_equal(w->n_ended, 2);
    world_feeds(w, "nonsense\r\n\r\n");
    assert_int_equal(w->ended.code, 400);
    assert_int_equal(w->ended.method, HTTP_OTHER);
    assert_string_equal(w->ended_path, "");
    assert_int_equal(w->n_ended, 3);
}

static void a_stream_ends_with_its_last_byte(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/stream"));
    assert_true(http_call_write(w->call, "x", 1));
    assert_int_equal(w->n_ended, 0);
    world_pass(w, 100);
    http_call_end(w->call);
    w->call = NULL;
    world_pump(w);
    assert_int_equal(w->n_ended, 1);
    assert_int_equal(w->ended.code, 200);
    assert_int_equal(w->ended.bytes, w->sent.len - 5); /* the last chunk is empty */
    assert_false(w->ended.aborted);
    assert_string_equal(w->ended_path, ""); /* a stream keeps no request */
}

static void a_client_that_leaves_ends_its_request(void **state)
{
    struct world *w = *state;

    world_feeds(w, GET("/later"));
    http_conn_free(w->conn);
    assert_int_equal(w->n_gone, 1);
    assert_int_equal(w->n_ended, 1);
    assert_int_equal(w->ended.code, 0);
    assert_true(w->ended.aborted);
    world_open(w);
    world_feeds(w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nabc");
    http_conn_free(w->conn); /* amid the body */
    assert_int_equal(w->n_ended, 2);
    assert_int_equal(w->ended.code, 0);
    assert_int_equal(w->ended.route, 7);
    world_open(w);
    world_feeds(w, GET("/abort"));
    assert_int_equal(w->n_ended, 3);
    assert_true(w->ended.aborted);
    http_conn_free(w->conn);
    assert_int_equal(w->n_ended, 3);
    world_open(w);
    world_feeds(w, GET("/stream"));
    http_conn_free(w->conn);
    assert_int_equal(w->n_ended, 4);
    assert_int_equal(w->ended.code, 200);
    assert_true(w->ended.aborted);
    world_open(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(a_reply_is_reported_with_its_route_code_and_bytes),
        T(the_time_is_that_from_head_to_reply),
        T(refusals_are_reported_without_a_note),
        T(a_stream_ends_with_its_last_byte),
        T(a_client_that_leaves_ends_its_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
