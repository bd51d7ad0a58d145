/* test_sse.c - event streams: what is written is read back; bytes cut anywhere give the same
 * events.
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

#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/http/sse.h"

struct reader {
    struct str out; /* each event as [event|id|data|retry] */
    int n, n_json;
    int stop_at; /* the event that on_event refuses; 0: none */
};

static enum status on_event(void *ctx, const struct sse_event *e, struct error *err)
{
    struct reader *r = ctx;
    struct json *v = NULL;

    assert_int_equal(e->data[e->n], '\0');
    str_printf(&r->out, "[%s|%s|", e->event, e->id);
    str_append(&r->out, e->data, e->n);
    str_printf(&r->out, "|%lld]", (long long)e->retry_ms);
    if (jv_parse(e->data, e->n, "event", &v, NULL) == STATUS_OK)
        r->n_json++;
    jv_unref(v);
    if (++r->n == r->stop_at)
        return error_set(err, STATUS_REJECTED, "not this one");
    return STATUS_OK;
}

/* Feeds the stream in two parts, or byte by byte (cut 0), or in one (cut n). */
static enum status read_stream(struct reader *r, const char *bytes, size_t n, size_t cut)
{
    struct sse_parser *p = sse_parser_new(1 << 20, on_event, r);
    enum status st = STATUS_OK;

    r->out = STR_INIT;
    if (cut == 0) {
        for (size_t i = 0; i < n && st == STATUS_OK; i++)
            st = sse_feed(p, bytes + i, 1, NULL);
    } else {
        st = sse_feed(p, bytes, cut, NULL);
        if (st == STATUS_OK)
            st = sse_feed(p, bytes + cut, n - cut, NULL);
    }
    sse_parser_free(p);
    return st;
}

/* The same events for every cut. */
static void check_stream(const char *bytes, size_t n, const char *expected)
{
    for (size_t cut = 0; cut <= n; cut++) {
        struct reader r = {.n = 0};

        assert_int_equal(read_stream(&r, bytes, n, cut), STATUS_OK);
        if (strcmp(str_cstr(&r.out), expected) != 0)
            fail_msg("cut at %zu: %s instead of %s", cut, str_cstr(&r.out), expected);
        str_deinit(&r.out);
    }
}

static const struct {
    const char *stream, *events;
} streams[] = {
    {"", ""},
    {"data: one\n\n", "[message||one|-1]"},
    {"data: one\r\n\r\n", "[message||one|-1]"},
    {"data: one\r\r", "[message||one|-1]"},
    {"data: one\n\r\ndata: two\r\n\n", "[message||one|-1][message||two|-1]"},
    {"\xef\xbb\xbf"
     "data: bom\n\n",
     "[message||bom|-1]"},
    {"data: a\n\n\xef\xbb\xbf"
     "data: not the first line\n\n",
     "[message||a|-1]"},
    {"data:no blank\ndata:  two blanks\n\n", "[message||no blank\n two blanks|-1]"},
    {"data\n\n", "[message|||-1]"},
    {"data:\n\n", "[message|||-1]"},
    {"data\ndata\n\n", "[message||\n|-1]"},
    {"event: ping\n\n", ""},
    {"event: a\n\ndata: b\n\n", "[message||b|-1]"},
    {"event: a\nevent: b\ndata: c\n\n", "[b||c|-1]"},
    {"event:\ndata: c\n\n", "[message||c|-1]"},
    {": comment\n\n:\n\n", ""},
    {": c\ndata: x\n: d\ndata: y\n\n", "[message||x\ny|-1]"},
    {"data: : keepalive\n\n", "[message||: keepalive|-1]"},
    {"\n\n\n", ""},
    {"unknown: x\ndatax: y\nDATA: z\n data: w\n\n", ""},
    {"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
     "[message|1|a|-1][message|1|b|-1][message||c|-1]"},
    {"retry: 1500\ndata: a\n\n", "[message||a|1500]"},
    {"retry: 15\n\ndata: a\n\n", "[message||a|15]"},
    {"retry: 1.5\nretry: -1\nretry: x\nretry:\nretry: 99999999999999999999\ndata: a\n\n",
     "[message||a|-1]"},
    {"data: cut", ""},
    {"data: cut\n", ""},
    {"data: whole\n\ndata: cut\n", "[message||whole|-1]"},
    {"data: \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n\n",
     "[message||\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80|-1]"},
    {"data: \xff\xfe\n\n", "[message||\xff\xfe|-1]"},
};

static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++)
        check_stream(streams[i].stream, strlen(streams[i].stream), streams[i].events);
}

static void test_nul(void **state)
{
    static const char stream[] = "id: a\0b\nid: ok\nid: c\0\ndata: x\n\n";
    static const char data[] = "data: x\0y\n\n", event[] = "event: \0y\ndata: x\n\n";
    struct reader r = {.n = 0};

    (void)state;
    check_stream(stream, sizeof(stream) - 1, "[message|ok|x|-1]");
    check_stream(event, sizeof(event) - 1, "[message||x|-1]");
    assert_int_equal(read_stream(&r, data, sizeof(data) - 1, 0), STATUS_OK);
    assert_int_equal(r.out.len, strlen("[message||x.y|-1]"));
    str_deinit(&r.out);
}

/* Recorded streams of servers (tests/fixtures/wire/README.md): each event but the last is JSON. */
static const struct {
    const char *name;
    int n; /* lines that begin with "data: " */
} recorded[] = {
    {"litellm-mock-stream.sse", 9},
    {"litellm-to-llama-server-tool.sse", 20},
    {"llama-server-chat-stream-logprobs.sse", 10},
    {"llama-server-json-schema-stream.sse", 12},
    {"llama-server-tool-required-stream.sse", 59},
    {"llama-server-tool-stream.sse", 20},
};

static void test_recorded_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
        char path[512], *bytes = NULL;
        struct reader whole = {.n = 0};
        size_t n = 0;

        (void)snprintf(path, sizeof(path), "%s/tests/fixtures/wire/%s", getenv("TROUPE_SOURCE_DIR"),
                       recorded[i].name);
        assert_int_equal(file_read(path, 1 << 20, &bytes, &n, NULL), STATUS_OK);
        assert_int_equal(read_stream(&whole, bytes, n, n), STATUS_OK);
        if (whole.n != recorded[i].n || whole.n_json != recorded[i].n - 1)
            fail_msg("%s: %d events, %d of JSON", recorded[i].name, whole.n, whole.n_json);
        assert_non_null(strstr(str_cstr(&whole.out), "[message||[DONE]|-1]"));
        for (size_t cut = 0; cut < n; cut += 1 + n / 1000) {
            struct reader r = {.n = 0};

            assert_int_equal(read_stream(&r, bytes, n, cut), STATUS_OK);
            assert_string_equal(str_cstr(&r.out), str_cstr(&whole.out));
            str_deinit(&r.out);
        }
        str_deinit(&whole.out);
        free(bytes);
    }
}

static const struct {
    const char *event, *id, *data, *text, *read;
} writes[] = {
    {NULL, NULL, "x", "data: x\n\n", "[message||x|-1]"},
    {"delta", "7", "x", "event: delta\nid: 7\ndata: x\n\n", "[delta|7|x|-1]"},
    {NULL, NULL, "", "data: \n\n", "[message|||-1]"},
    {NULL, NULL, " x", "data:  x\n\n", "[message|| x|-1]"},
    {NULL, NULL, "a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n",
     "[message||a\nb\nc\nd|-1]"},
    {NULL, NULL, "\n", "data: \ndata: \n\n", "[message||\n|-1]"},
    {"a\nid: 9", "1\rdata: y", "x", "event: a\nid: 1\ndata: x\n\n", "[a|1|x|-1]"},
};

static void test_writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
        struct str out = STR_INIT;

        sse_write(&out, writes[i].event, writes[i].id, writes[i].data, strlen(writes[i].data));
        assert_string_equal(str_cstr(&out), writes[i].text);
        sse_comment(&out, "alive\ndata: not this");
        check_stream(str_cstr(&out), out.len, writes[i].read);
        str_deinit(&out);
    }
}

static void test_a_limit(void **state)
{
    static const char *const too_long[] = {
        "data: 01234567890123456789",             /* a line without an end */
        "data: 0123456789\ndata: 0123456789\n\n", /* lines that are short */
        ": 012345678901234567890123456789\n\n",   /* a comment */
    };
    struct reader r = {.out = STR_INIT};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(too_long); i++) {
        struct sse_parser *p = sse_parser_new(24, on_event, &r);
        enum status st = STATUS_OK;

        assert_int_equal(sse_feed(p, "data: short\n\n", 13, &err), STATUS_OK);
        for (const char *c = too_long[i]; *c && st == STATUS_OK; c++)
            st = sse_feed(p, c, 1, &err);
        assert_int_equal(st, STATUS_LIMIT);
        assert_non_null(strstr(err.message, "24 bytes"));
        assert_int_equal(sse_feed(p, "data: x\n\n", 9, &err), STATUS_LIMIT);
        sse_parser_free(p);
    }
    assert_int_equal(r.n, 3);
    str_deinit(&r.out);
}

static void test_the_reader_stops(void **state)
{
    static const char stream[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    struct reader r = {.out = STR_INIT, .stop_at = 2};
    struct sse_parser *p = sse_parser_new(1000, on_event, &r);
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(sse_feed(p, stream, sizeof(stream) - 1, &err), STATUS_REJECTED);
    assert_string_equal(err.message, "not this one");
    assert_string_equal(str_cstr(&r.out), "[message||a|-1][message||b|-1]");
    assert_int_equal(sse_feed(p, "\n", 1, &err), STATUS_REJECTED);
    sse_parser_free(p);
    str_deinit(&r.out);
}

/* What a client sends after a reconnect is the id of the last complete event. */
static void test_where_to_go_on(void **state)
{
    struct reader r = {.out = STR_INIT};
    struct sse_parser *p = sse_parser_new(1000, on_event, &r);

    (void)state;
    assert_string_equal(sse_last_id(p), "");
    assert_int_equal(sse_retry_ms(p), -1);
    assert_int_equal(sse_feed(p, "id: 1\ndata: a\n\nid: 2\nretry: 9\n", 30, NULL), STATUS_OK);
    assert_string_equal(sse_last_id(p), "1");
    assert_int_equal(sse_retry_ms(p), 9);
    assert_int_equal(sse_feed(p, "\n", 1, NULL), STATUS_OK);
    assert_string_equal(sse_last_id(p), "2");
    assert_int_equal(r.n, 1);
    sse_parser_free(p);
    str_deinit(&r.out);
}

static void test_no_memory(void **state)
{
    static const char stream[] = "id: 1\nevent: e\ndata: a\n\n";

    (void)state;
    for (uint64_t n = 1; n < 20; n++) {
        struct reader r = {.out = STR_INIT};
        struct sse_parser *p = sse_parser_new(1000, on_event, &r);
        enum status st = STATUS_OK;

        mem_fail_after(n);
        for (size_t i = 0; i < sizeof(stream) - 1 && st == STATUS_OK; i++)
            st = sse_feed(p, stream + i, 1, NULL);
        mem_fail_after(0);
        if (st)
            assert_int_equal(st, STATUS_NO_MEMORY);
        else
            assert_int_equal(r.n, 1);
        assert_true(st || n > 4);
        sse_parser_free(p);
        str_deinit(&r.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),          cmocka_unit_test(test_nul),
        cmocka_unit_test(test_recorded_streams), cmocka_unit_test(test_writing),
        cmocka_unit_test(test_a_limit),          cmocka_unit_test(test_the_reader_stops),
        cmocka_unit_test(test_where_to_go_on),   cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
