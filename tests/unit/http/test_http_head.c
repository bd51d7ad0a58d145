/* test_http_head.c - heads of requests: what is read, what is refused, and the limits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "runtime/base/seams.h"
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

/* Decodes the escapes of heads.txt in place; gives the number of bytes. */
static size_t unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        at++;
        if (*at == 'x') {
            char hex[3] = {at[1], at[2], 0};

            *to++ = (char)strtoul(hex, NULL, 16);
            at += 2;
        } else {
            *to++ = (char)(*at == 'r' ? '\r' : *at == 'n' ? '\n' : *at == 't' ? '\t' : *at);
        }
    }
    return (size_t)(to - text);
}

static void malformed_heads_are_refused_with_the_right_code(void **state)
{
    char path[512], *text, *rest, *line;
    size_t n_text;
    int n_cases = 0;

    (void)state;
    assert_ok(file_read(fixture_path(path, "tests/fixtures/http/heads.txt"), 1 << 20, &text,
                        &n_text, why));
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int code = atoi(line);
        char *bytes = strchr(line, ' ') + 1, shown[200];
        int64_t got;
        size_t n;

        if (*line == '#')
            continue;
        (void)snprintf(shown, sizeof(shown), "%s", bytes);
        n = unescape(bytes);
        got = parse_code(bytes, n);
        if (got != (code ? -code : (int64_t)n))
            fail_msg("%s: got %lld, not %d", shown, (long long)got, code);
        n_cases++;
    }
    free(text);
    assert_true(n_cases >= 100);
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
        put_line(&s, (size_t)(HTTP_LINE_MAX + more)); /* and with a wrong one: the same error */
        str_puts(&s, "\n" HOST END);
        assert_int_equal(parse_code(s.data, s.len), more > 0 ? -414 : -400);
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
