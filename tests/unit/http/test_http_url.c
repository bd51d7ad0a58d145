/* test_http_url.c - URLs taken apart, what is refused, and relative ones.
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

#include "runtime/base/memory.h"
#include "runtime/http/http_url.h"

static const struct {
    const char *text, *origin, *host, *target;
    int port;
    bool is_address;
} good[] = {
    {"https://example.com", "https://example.com", "example.com", "/", 443, false},
    {"HTTPS://EXAMPLE.com:443/A/b?C=d#frag", "https://example.com", "example.com", "/A/b?C=d", 443,
     false},
    {"http://example.com:8080?q", "http://example.com:8080", "example.com", "/?q", 8080, false},
    {"http://example.com:443/", "http://example.com:443", "example.com", "/", 443, false},
    {"http://example.com:/x", "http://example.com", "example.com", "/x", 80, false},
    {"http://localhost:65535/%7e", "http://localhost:65535", "localhost", "/%7e", 65535, false},
    {"http://127.0.0.1/", "http://127.0.0.1", "127.0.0.1", "/", 80, true},
    {"https://[2001:DB8:0:0::1]:8443/x", "https://[2001:db8::1]:8443", "2001:db8::1", "/x", 8443,
     true},
    {"https://[::FFFF:127.0.0.1]/", "https://[::ffff:127.0.0.1]", "::ffff:127.0.0.1", "/", 443,
     true},
    {"https://my_host-1.xn--nxasmq6b/a/../b", "https://my_host-1.xn--nxasmq6b",
     "my_host-1.xn--nxasmq6b", "/a/../b", 443, false},
    {"https://1.2.3.4.example/", "https://1.2.3.4.example", "1.2.3.4.example", "/", 443, false},
    {"https://0x7f.example/", "https://0x7f.example", "0x7f.example", "/", 443, false},
    {"https://h/?a=/?:@-._~!$&'()*+,;=%00#x[", "https://h", "h", "/?a=/?:@-._~!$&'()*+,;=%00", 443,
     false},
};

static void test_the_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct http_url u;
        struct error err = ERROR_INIT;

        if (http_url_parse(good[i].text, &u, &err))
            fail_msg("%s: %s", good[i].text, err.message);
        assert_string_equal(u.origin, good[i].origin);
        assert_string_equal(u.host, good[i].host);
        assert_string_equal(u.target, good[i].target);
        assert_int_equal(u.port, good[i].port);
        assert_int_equal(u.host_is_address, good[i].is_address);
        assert_int_equal(u.is_https, strncmp(good[i].origin, "https", 5) == 0);
        http_url_deinit(&u);
    }
}

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "neither https"},
    {"example.com/", "neither https"},
    {"ftp://example.com/", "neither https"},
    {"file:///etc/passwd", "neither https"},
    {"gopher://127.0.0.1:70/x", "neither https"},
    {"https:/example.com", "neither https"},
    {"https:example.com", "neither https"},
    {"https://", "missing"},
    {"https:///x", "missing"},
    {"https://:80/", "missing"},
    {"https://user@example.com/", "user or a password"},
    {"https://user:secret@example.com/", "user or a password"},
    {"https://example.com@127.0.0.1/", "user or a password"},
    {"https://example.com\\@127.0.0.1/", "byte 19"},
    {"https://exa mple.com/", "byte 11"},
    {"https://example.com/ x", "byte 20"},
    {" https://example.com/", "byte 0"},
    {"https://example.com/\r\nHost: x", "%0D"},
    {"https://example.com/\x7f", "0x7f"},
    {"https://ex\xc3\xa4mple.com/", "byte 10"},
    {"https://example.com/%", "hexadecimal"},
    {"https://example.com/%2", "hexadecimal"},
    {"https://example.com/%zz", "hexadecimal"},
    {"https://example.com/a\"b", "%22"},
    {"https://example.com/[x]", "%5B"},
    {"https://127.0.0.1%2f/", "not a valid name"},
    {"https://%6c%6f/", "not a valid name"},
    {"https://a..b/", "not a valid name"},
    {"https://.a/", "not a valid name"},
    {"https://example.com./", "not a valid name"},
    {"https://-a/", "not a valid name"},
    {"https://a-/", "not a valid name"},
    {"https://a-.b/", "not a valid name"},
    {"https://a,b/", "not a valid name"},
    {"https://example.com:0/", "1 to 65535"},
    {"https://example.com:65536/", "1 to 65535"},
    {"https://example.com:99999999999/", "1 to 65535"},
    {"https://example.com:80a/", "1 to 65535"},
    {"https://example.com:-1/", "1 to 65535"},
    {"https://example.com:80:80/", "1 to 65535"},
    {"http://127.1/", "more than one reading"},
    {"http://127.0.1/", "more than one reading"},
    {"http://2130706433/", "more than one reading"},
    {"http://0x7f000001/", "more than one reading"},
    {"http://0x7f.0.0.1/", "more than one reading"},
    {"http://127.0.0.0x1/", "more than one reading"},
    {"http://0X7F.1/", "more than one reading"},
    {"http://0177.0.0.1/", "more than one reading"},
    {"http://017700000001/", "more than one reading"},
    {"http://127.0.0.01/", "more than one reading"},
    {"http://127.0.0.1./", "not a valid name"},
    {"http://256.0.0.1/", "more than one reading"},
    {"http://1.2.3.4.5/", "more than one reading"},
    {"http://0x/", "more than one reading"},
    {"http://[::1/", "closing"},
    {"http://[::1]x/", "followed by \"x\""},
    {"http://[::1]]/", "followed by \"]\""},
    {"http://[]/", "missing"},
    {"http://[127.0.0.1]/", "IPv6"},
    {"http://[::ffff:127.0.0.1%25x]/", "IPv6"},
    {"http://[fe80::1%25eth0]/", "IPv6"},
    {"http://[v1.x]/", "IPv6"},
    {"http://[::1::2]/", "IPv6"},
    {"http://::1/", "missing"},
};

static void test_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_url u;
        struct error err = ERROR_INIT;

        if (http_url_parse(bad[i].text, &u, &err) != STATUS_USAGE)
            fail_msg("%s: accepted", bad[i].text);
        if (!strstr(err.message, bad[i].says))
            fail_msg("%s: %s", bad[i].text, err.message);
        assert_null(strstr(err.message, "secret"));
    }
}

static void test_lengths(void **state)
{
    char text[HTTP_URL_MAX + 64];
    struct http_url u;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);
    text[8 + 63] = '.';
    text[8 + 127] = '.';
    text[8 + 191] = '.';
    text[8 + 253] = '\0';
    assert_int_equal(http_url_parse(text, &u, NULL), STATUS_OK);
    http_url_deinit(&u);
    text[8 + 253] = 'a';
    text[8 + 254] = '\0';
    assert_int_equal(http_url_parse(text, &u, NULL), STATUS_USAGE);
    memcpy(text, "https://h/", 10);
    memset(text + 10, 'a', sizeof(text) - 10);
    text[HTTP_URL_MAX] = '\0';
    assert_int_equal(http_url_parse(text, &u, NULL), STATUS_OK);
    http_url_deinit(&u);
    text[HTTP_URL_MAX] = 'a';
    text[HTTP_URL_MAX + 1] = '\0';
    assert_int_equal(http_url_parse(text, &u, NULL), STATUS_USAGE);
}

/* RFC 3986, 5.4; the base there is http://a/b/c/d;p?q.
 */
static const struct {
    const char *location, *gives;
} relative[] = {
    {"g:h", "g:h"},
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q#s"},
    {"g#s", "http://a/b/c/g#s"},
    {"g?y#s", "http://a/b/c/g?y#s"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
    {"g;x=1/../y", "http://a/b/c/y"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"https://other/x", "https://other/x"},
};

static void test_relative_urls(void **state)
{
    struct http_url base;

    (void)state;
    assert_int_equal(http_url_parse("http://a/b/c/d;p?q", &base, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(relative); i++) {
        struct str out = STR_INIT;

        assert_int_equal(http_url_resolve(&base, relative[i].location, &out, NULL), STATUS_OK);
        if (strcmp(str_cstr(&out), relative[i].gives) != 0)
            fail_msg("%s gives %s", relative[i].location, str_cstr(&out));
        str_deinit(&out);
    }
    http_url_deinit(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_parts),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_relative_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
