/* test_serve_route.c - which path goes where: patterns, other methods, HEAD, limits, open paths.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/serve_internal.h"
#include "tests/support/check.h"

static struct http_route route_of(enum http_method method, const char *path)
{
    const struct http_request q = {.method = method, .path = path, .query = ""};

    return serve_route(NULL, &q);
}

static void paths_have_their_route(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        int reject;
        const char *allow;
        int64_t max_body;
        bool is_open;
    } cases[] = {
        {HTTP_GET, "/healthz", 0, NULL, 0, true},
        {HTTP_HEAD, "/healthz", 0, NULL, 0, true},
        {HTTP_GET, "/version", 0, NULL, 0, false},
        {HTTP_GET, "/v1/models", 0, NULL, 0, false},
        {HTTP_HEAD, "/v1/models", 0, NULL, 0, false},
        {HTTP_GET, "/v1/models/embedded", 0, NULL, 0, false},
        {HTTP_GET, "/v1/models/agent/helper", 0, NULL, 0, false}, /* the rest has slashes */
        {HTTP_POST, "/v1/chat/completions", 0, NULL, 4 << 20, false},
        {HTTP_POST, "/v1/completions", 0, NULL, 4 << 20, false},
        {HTTP_POST, "/v1/models", 405, "GET, HEAD", 0, false},
        {HTTP_DELETE, "/v1/models/embedded", 405, "GET, HEAD", 0, false},
        {HTTP_POST, "/healthz", 405, "GET, HEAD", 0, false},
        {HTTP_GET, "/v1/chat/completions", 405, "POST", 0, false},
        {HTTP_HEAD, "/v1/chat/completions", 405, "POST", 0, false},
        {HTTP_OTHER, "/v1/completions", 405, "POST", 0, false},
        {HTTP_GET, "/", 404, NULL, 0, false},
        {HTTP_GET, "/v1", 404, NULL, 0, false},
        {HTTP_GET, "/v1/", 404, NULL, 0, false},
        {HTTP_GET, "/v1/models/", 404, NULL, 0, false},
        {HTTP_GET, "/v1/modelsx", 404, NULL, 0, false},
        {HTTP_GET, "/v1/model", 404, NULL, 0, false},
        {HTTP_GET, "/V1/models", 404, NULL, 0, false},
        {HTTP_GET, "//v1/models", 404, NULL, 0, false},
        {HTTP_POST, "/v1/chat/completions/", 404, NULL, 0, false},
        {HTTP_GET, "/healthz/x", 404, NULL, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_route r = route_of(cases[i].method, cases[i].path);

        if (r.reject != cases[i].reject || r.max_body != cases[i].max_body ||
            r.is_open != cases[i].is_open)
            fail_msg("%s: %d, %lld bytes, open %d", cases[i].path, r.reject, (long long)r.max_body,
                     r.is_open);
        if (cases[i].allow)
            assert_string_equal(r.allow, cases[i].allow);
        else
            assert_null(r.allow);
        assert_true(!r.reject || r.message);
    }
}

/* A path of route.def with its parts filled in. */
static void fill(const char *pattern, struct str *out)
{
    for (; *pattern; pattern++) {
        if (*pattern == '{') {
            pattern = strchr(pattern, '}');
            str_puts(out, "some");
        } else {
            str_putc(out, *pattern);
        }
    }
}

static void every_path_has_methods_that_can_be_named(void **state)
{
    static const char *const all[] = {
#define ROUTE(method, path, scopes, max_body, fn) path,
#include "runtime/serve/route.def"
#undef ROUTE
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct str path = STR_INIT;
        struct http_route r;

        fill(all[i], &path);
        r = route_of(HTTP_OTHER, str_cstr(&path));
        if (r.reject != 405 || !r.allow || !r.allow[0])
            fail_msg("%s: %d", str_cstr(&path), r.reject);
        str_deinit(&path);
    }
}

static void a_very_long_path_is_none(void **state)
{
    struct str path = STR_INIT;

    (void)state;
    for (int n = 2046; n <= 2049; n++) {
        str_clear(&path);
        str_puts(&path, "/v1/models/");
        for (int i = 0; i < n; i++)
            str_putc(&path, 'a');
        assert_int_equal(route_of(HTTP_GET, str_cstr(&path)).reject, n < 2048 ? 0 : 404);
    }
    str_deinit(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_have_their_route),
        cmocka_unit_test(every_path_has_methods_that_can_be_named),
        cmocka_unit_test(a_very_long_path_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
