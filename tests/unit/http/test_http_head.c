/* test_http_head.c - heads of requests: what is read, what is refused, and the limits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "runtime/base/str.h"
#include "runtime/http/http_head.h"
#include "tests/support/check.h"

/* In memory of exactly n bytes, so that the sanitizer sees each read after the end. */
static int64_t parse(const char *bytes, size_t n, char **copy, struct http_request *q)
{
    const char *why = NULL;
    int64_t got;

    *copy = malloc(n ? n : 1);
    memcpy(*copy, bytes, n);
    got = http_head_parse(*copy, n, q, &why);
    assert_true(got >= 0 || (why && *why));
    return got;
}

static int64_t parse_code(const char *bytes, size_t n)
{
    struct http_request q;
    char *copy;
    int64_t got = parse(bytes, n, &copy, &q);

    free(copy);
    return got;
}

static void a_head_is_read_with_its_fields(void **state)
{
    static const char text[] =
        "POST /v1/a%20b?x=%31&y HTTP/1.1\r\nHOST: h:1\r\nContent-Length: 12\r\n"
        "X-Odd:\t a  b \t\r\nEmpty:\r\nExpect: 100-Continue\r\n\r\nhello";
    struct http_request q;
    char *copy;

    (void)state;
    assert_int_equal(parse(text, sizeof(text) - 1, &copy, &q), sizeof(text) - 1 - 5);
    assert_int_equal(q.method, HTTP_POST);
    assert_string_equal(q.method_name, "POST");
    assert_string_equal(q.path, "/v1/a b");
    assert_string_equal(q.query, "x=%31&y");
    assert_string_equal(q.host, "h:1");
    assert_int_equal(q.body_bytes, 12);
    assert_int_equal(q.n_fields, 5);
    assert_string_equal(http_field_value(q.fields, q.n_fields, "x-odd"), "a  b");
    assert_string_equal(http_field_value(q.fields, q.n_fields, "empty"), "");
    assert_null(http_field_value(q.fields, q.n_fields, "absent"));
    assert_true(q.expects_100);
    assert_true(q.keep_alive);
    assert_false(q.is_1_0);
    free(copy);
}

static void a_head_cut_anywhere_is_incomplete(void **state)
{
    static const char text[] = "GET /x?y HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n";

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++)
        assert_int_equal(parse_code(text, n), 0);
    assert_int_equal(parse_code(text, sizeof(text) - 1), sizeof(text) - 1);
}

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define END  "\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define C(code, bytes)                                                                             \
    {                                                                                              \
        code, bytes, sizeof(bytes) - 1                                                             \
    }

static const struct {
    int code; /* 0: accepted */
    const char *bytes;
    size_t n;
} cases[] = {
    C(0, GET HOST END),
    C(0, "GET / HTTP/1.0\r\n" HOST END),
    C(0, "PURGE /x HTTP/1.1\r\n" HOST END),
    C(0, "get / HTTP/1.1\r\n" HOST END), /* another method, since methods are case-sensitive */
    C(0, GET "hOsT:h\r\n" END),
    C(0, GET HOST "X: \x80\xff\r\n" END),
    C(0, GET HOST "X: a\tb\r\n" END),
    C(0, "GET /a/..b/c.. HTTP/1.1\r\n" HOST END),
    C(0, "GET /%C3%A4 HTTP/1.1\r\n" HOST END),
    C(0, POST "Content-Length: 0\r\n" END),
    C(0, POST "Content-Length: 007\r\n" END),
    C(0, POST "Content-Length: 999999999999999999\r\n" END),
    /* the request line */
    C(400, "\r\n" GET HOST END),
    C(400, "\r\n\r\n"),
    C(400, " GET / HTTP/1.1\r\n" HOST END),
    C(400, "GET  / HTTP/1.1\r\n" HOST END),
    C(400, "GET /  HTTP/1.1\r\n" HOST END),
    C(400, "GET / HTTP/1.1 \r\n" HOST END),
    C(400, "GET\t/ HTTP/1.1\r\n" HOST END),
    C(400, "GET /\tHTTP/1.1\r\n" HOST END),
    C(400, "GET /a b HTTP/1.1\r\n" HOST END),
    C(400, "GET /\r\n" HOST END),
    C(400, "GET\r\n" HOST END),
    C(400, "GET / HTTP/11\r\n" HOST END),
    C(400, "GET / HTTP/1.10\r\n" HOST END),
    C(400, "GET / http/1.1\r\n" HOST END),
    C(400, "GET / HTTP/1,1\r\n" HOST END),
    C(400, "GET / HTTP/x.1\r\n" HOST END),
    C(400, "GET / HTTPS/1.1\r\n" HOST END),
    C(505, "GET / HTTP/2.0\r\n" HOST END),
    C(505, "GET / HTTP/1.2\r\n" HOST END),
    C(505, "GET / HTTP/0.9\r\n" HOST END),
    C(400, "PRI * HTTP/2.1\n\n"),
    C(505, "PRI * HTTP/2.0\r\n\r\n"),
    C(400, "G@T / HTTP/1.1\r\n" HOST END),
    C(400, "G\xc3\xa4T / HTTP/1.1\r\n" HOST END),
    C(400, "/ GET HTTP/1.1\r\n" HOST END),
    C(400, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST END),
    C(400, "GET http://h/ HTTP/1.1\r\n" HOST END),
    C(400, "CONNECT h:80 HTTP/1.1\r\n" HOST END),
    C(400, "OPTIONS * HTTP/1.1\r\n" HOST END),
    C(400, "GET \\x HTTP/1.1\r\n" HOST END),
    C(400, "GET /a#b HTTP/1.1\r\n" HOST END),
    C(400, "GET /\x80 HTTP/1.1\r\n" HOST END),
    C(400, "GET /\x7f HTTP/1.1\r\n" HOST END),
    C(400, "GET /a\0b HTTP/1.1\r\n" HOST END),
    C(400, "GET /%00 HTTP/1.1\r\n" HOST END),
    C(400, "GET /%0d%0aX:y HTTP/1.1\r\n" HOST END),
    C(400, "GET /%zz HTTP/1.1\r\n" HOST END),
    C(400, "GET /%4 HTTP/1.1\r\n" HOST END),
    C(400, "GET /% HTTP/1.1\r\n" HOST END),
    C(400, "GET /%2?41 HTTP/1.1\r\n" HOST END),
    C(400, "GET /%ff HTTP/1.1\r\n" HOST END),
    C(400, "GET /%c0%af HTTP/1.1\r\n" HOST END), /* an overlong slash */
    C(400, "GET /../x HTTP/1.1\r\n" HOST END),
    C(400, "GET /a/.. HTTP/1.1\r\n" HOST END),
    C(400, "GET /a/%2e%2E/b HTTP/1.1\r\n" HOST END),
    C(400, "GET /a%2f..%2fb HTTP/1.1\r\n" HOST END),
    /* line ends */
    C(400, "GET / HTTP/1.1\n" HOST END),
    C(400, GET "Host: h\n" END),
    C(400, GET HOST "\n"),
    C(400, GET HOST "X: a\r\r\n" END),
    C(400, GET HOST "X: a\rb\r\n" END),
    C(400, GET HOST "X: a\nContent-Length: 5\r\n" END),
    C(400, "GET / HTTP/1.1\r\r\n" HOST END),
    /* fields */
    C(400, GET HOST "X : a\r\n" END),
    C(400, GET HOST "Transfer-Encoding : chunked\r\n" END),
    C(400, GET HOST "Content-Length : 5\r\n" END),
    C(400, GET HOST "X\t: a\r\n" END),
    C(400, GET HOST " X: a\r\n" END),
    C(400, GET HOST "X: a\r\n b\r\n" END),
    C(400, GET HOST "X: a\r\n\tb\r\n" END),
    C(400, GET " Host: h\r\n" END),
    C(400, GET HOST "X\r\n" END),
    C(400, GET HOST ": a\r\n" END),
    C(400, GET HOST "X(: a\r\n" END),
    C(400, GET HOST "X\xc3\xa4: a\r\n" END),
    C(400, GET HOST "X: a\0b\r\n" END),
    C(400, GET HOST "X\0Y: b\r\n" END),
    C(400, GET HOST "X: \x01\r\n" END),
    C(400, GET HOST "X: \x7f\r\n" END),
    C(400, GET HOST "X: \x1b[2J\r\n" END),
    /* Host */
    C(400, GET END),
    C(400, "GET / HTTP/1.0\r\n" END),
    C(400, GET HOST HOST END),
    C(400, GET HOST "hOST: g\r\n" END),
    /* Content-Length */
    C(400, POST "Content-Length: -1\r\n" END),
    C(400, POST "Content-Length: +1\r\n" END),
    C(400, POST "Content-Length: 5, 5\r\n" END),
    C(400, POST "Content-Length: 5 5\r\n" END),
    C(400, POST "Content-Length: 5,\r\n" END),
    C(400, POST "Content-Length: 0x5\r\n" END),
    C(400, POST "Content-Length: 5e1\r\n" END),
    C(400, POST "Content-Length: 5.0\r\n" END),
    C(400, POST "Content-Length: \r\n" END),
    C(400, POST "Content-Length: 9999999999999999999\r\n" END),
    C(400, POST "Content-Length: 18446744073709551621\r\n" END),
    C(400, POST "Content-Length: 0000000000000000005\r\n" END),
    C(400, POST "Content-Length: 5\r\nContent-Length: 5\r\n" END),
    C(400, POST "Content-Length: 5\r\nContent-Length: 6\r\n" END),
    C(400, POST "Content-Length: 5\r\ncontent-length: 0\r\n" END),
    C(0, POST "Content_Length: 5\r\nX: y\r\n" END), /* another field */
    /* Transfer-Encoding */
    C(411, POST "Transfer-Encoding: chunked\r\n" END),
    C(411, POST "transfer-encoding: CHUNKED\r\n" END),
    C(411, POST "Transfer-Encoding: identity\r\n" END),
    C(400, POST "Transfer-Encoding: \x0b"
                "chunked\r\n" END),
    C(411, POST "Transfer-Encoding: gzip, chunked\r\n" END),
    C(411, POST "Transfer-Encoding:\r\n" END),
    C(411, "GET / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" END),
    C(400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
    C(400, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END),
    C(400, POST "Transfer-Encoding: x\r\n chunked\r\n" END),
    /* others */
    C(400, GET HOST "Authorization: a\r\nAuthorization: b\r\n" END),
    C(400, GET HOST "Origin: a\r\nOrigin: b\r\n" END),
    C(400, GET HOST "Content-Type: a\r\nContent-Type: b\r\n" END),
    C(417, GET HOST "Expect: 200-ok\r\n" END),
};

static void malformed_heads_are_refused_with_the_right_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t got = parse_code(cases[i].bytes, cases[i].n);

        if (got != (cases[i].code ? -cases[i].code : (int64_t)cases[i].n))
            fail_msg("case %zu (%s): got %lld, not %d", i, cases[i].bytes, (long long)got,
                     cases[i].code);
    }
    assert_true(ARRAY_LEN(cases) >= 100);
}

static void connection_options_decide_about_keep_alive(void **state)
{
    static const struct {
        const char *version, *fields;
        bool keep;
    } c[] = {
        {"1.1", "", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.1", "Connection: CLOSE\r\n", false},
        {"1.1", "Connection: x, close ,y\r\n", false},
        {"1.1", "Connection: closed\r\n", true},
        {"1.1", "Connection: close\r\nConnection: keep-alive\r\n", false},
        {"1.1", "Connection: keep-alive, close\r\n", false},
        {"1.0", "", false},
        {"1.0", "Connection: Keep-Alive\r\n", true},
        {"1.0", "Connection: keep-alive, close\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        char text[200], *copy;
        struct http_request q;
        int n = snprintf(text, sizeof(text), "GET / HTTP/%s\r\n%sHost: h\r\n\r\n", c[i].version,
                         c[i].fields);

        assert_int_equal(parse(text, (size_t)n, &copy, &q), n);
        assert_int_equal(q.keep_alive, c[i].keep);
        assert_int_equal(q.is_1_0, c[i].version[2] == '0');
        free(copy);
    }
}

static void repeat(struct str *s, char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        str_putc(s, c);
}

/* A request line of `line` bytes. */
static void put_line(struct str *s, size_t line)
{
    str_puts(s, "GET /");
    repeat(s, 'a', line - strlen("GET / HTTP/1.1"));
    str_puts(s, " HTTP/1.1");
}

static void a_request_line_may_have_8_kib(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct str s = STR_INIT;

        put_line(&s, (size_t)(HTTP_LINE_MAX + more));
        /* Also without its end: the error must not wait for it. */
        assert_int_equal(parse_code(s.data, s.len), more > 0 ? -414 : 0);
        str_puts(&s, "\r\n" HOST END);
        assert_int_equal(parse_code(s.data, s.len), more > 0 ? -414 : (int64_t)s.len);
        str_deinit(&s);
    }
}

static void header_fields_may_have_16_kib(void **state)
{
    (void)state;
    for (int more = -1; more <= 1; more++) {
        struct str s = STR_INIT;
        size_t fixed = strlen(HOST "X: \r\n");

        str_puts(&s, GET HOST "X: ");
        repeat(&s, 'x', (size_t)(HTTP_HEAD_MAX + more) - fixed);
        assert_int_equal(parse_code(s.data, s.len), more > 0 ? -431 : 0);
        str_puts(&s, "\r\n");
        assert_int_equal(parse_code(s.data, s.len), more > 0 ? -431 : 0);
        str_puts(&s, END);
        assert_int_equal(parse_code(s.data, s.len), more > 0 ? -431 : (int64_t)s.len);
        str_deinit(&s);
    }
}

static void there_may_be_64_fields(void **state)
{
    (void)state;
    for (int32_t n = HTTP_FIELDS_MAX - 1; n <= HTTP_FIELDS_MAX + 1; n++) {
        struct str s = STR_INIT;

        str_puts(&s, GET HOST);
        for (int32_t i = 1; i < n; i++)
            str_printf(&s, "X%d: y\r\n", i);
        str_puts(&s, END);
        assert_int_equal(parse_code(s.data, s.len), n > HTTP_FIELDS_MAX ? -431 : (int64_t)s.len);
        str_deinit(&s);
    }
}

static void query_values_are_decoded(void **state)
{
    static const struct {
        const char *query, *name, *value; /* NULL: none */
    } c[] = {
        {"a=1&b=2", "a", "1"},         {"a=1&b=2", "b", "2"}, {"a=1&b=2", "c", NULL},
        {"ab=1", "a", NULL},           {"a", "a", ""},        {"a=", "a", ""},
        {"a=%41+b%2B", "a", "A b+"},   {"a=1&a=2", "a", "1"}, {"a=%", "a", NULL},
        {"a=%00", "a", NULL},          {"a=%ff", "a", NULL},  {"a=1234567", "a", "1234567"},
        {"a=12345678", "a", NULL},     {"&&a=1", "a", "1"},   {"", "a", NULL},
        {"a=%c3%a4", "a", "\xc3\xa4"}, {"x=a=1", "a", NULL},  {"a=b=c", "a", "b=c"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        char out[8];
        bool found = http_query_value(c[i].query, c[i].name, out, sizeof(out));

        if (found != (c[i].value != NULL) || (found && strcmp(out, c[i].value) != 0))
            fail_msg("case %zu: %s", i, c[i].query);
    }
    assert_false(http_query_value("a=1", "a", NULL, 0));
}

static void methods_and_codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(http_method_name(HTTP_DELETE), "DELETE");
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read_with_its_fields),
        cmocka_unit_test(a_head_cut_anywhere_is_incomplete),
        cmocka_unit_test(malformed_heads_are_refused_with_the_right_code),
        cmocka_unit_test(connection_options_decide_about_keep_alive),
        cmocka_unit_test(a_request_line_may_have_8_kib),
        cmocka_unit_test(header_fields_may_have_16_kib),
        cmocka_unit_test(there_may_be_64_fields),
        cmocka_unit_test(query_values_are_decoded),
        cmocka_unit_test(methods_and_codes_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
