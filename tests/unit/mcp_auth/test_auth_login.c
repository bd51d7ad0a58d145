/* test_auth_login.c - the listener that receives the redirect of a login, over real sockets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_login.h"
#include "runtime/http/http_server.h"
#include "runtime/loop/loop.h"
#include "tests/support/check.h"

struct bench {
    struct loop *loop;
    struct http_client *http;
    struct address_policy policy;
    struct auth_login *login;
    struct str state, page;
    int code, n_done;
    bool is_over;
    enum status st, fetch_st;
    struct str code_got;
    struct error err;
    struct str kept; /* fields of the answer */
};

static void on_login_done(void *ctx, enum status st, const char *code, const struct error *err)
{
    struct bench *b = ctx;

    b->n_done++;
    b->st = st;
    b->err = *err;
    str_puts(&b->code_got, code);
    loop_stop(b->loop);
}

static void new_login(struct bench *b, int64_t life_ms)
{
    const struct auth_env env = {
        .loop = b->loop, .http = b->http, .seams = seams_real(), .policy = &b->policy};
    struct server_metadata server = {.issuer = xstrdup("https://as.example"),
                                     .authorization_endpoint = xstrdup("https://as.example/login"),
                                     .scopes = STR_INIT};
    const char *url, *state;

    assert_ok(auth_login_new(
        &env, &(struct auth_login_spec){.life_ms = life_ms, .ctx = b, .done = on_login_done},
        &b->login, why));
    url = auth_login_url(b->login, &server, "me", "https://mcp.example/mcp", "a offline_access");
    assert_non_null(strstr(url, "&prompt=consent"));
    assert_null(strstr(url, auth_login_verifier(b->login)));
    state = strstr(url, "state=") + strlen("state=");
    str_clear(&b->state);
    str_append(&b->state, state, strcspn(state, "&"));
    server_metadata_deinit(&server); /* the login keeps what it needs */
}

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    b->state = b->page = b->code_got = b->kept = STR_INIT;
    b->policy = (struct address_policy){.allow_http = true, .allow_loopback = true};
    assert_ok(loop_new(seams_real(), &b->loop, why));
    assert_ok(http_client_new(b->loop, NULL, &b->http, why));
    new_login(b, 20000);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    auth_login_free(b->login);
    http_client_free(b->http);
    loop_run(b->loop);
    loop_free(b->loop);
    str_deinit(&b->state);
    str_deinit(&b->page);
    str_deinit(&b->code_got);
    str_deinit(&b->kept);
    free(b);
    return 0;
}

static void on_head(void *ctx, int code, const struct http_field *fields, int32_t n)
{
    struct bench *b = ctx;

    b->code = code;
    for (int32_t i = 0; i < n; i++)
        str_printf(&b->kept, "%s: %s\n", fields[i].name, fields[i].value);
}

static bool on_body(void *ctx, const char *bytes, size_t n)
{
    struct bench *b = ctx;

    str_append(&b->page, bytes, n);
    return true;
}

static void on_done(void *ctx, enum status st, bool sent, const struct error *err)
{
    struct bench *b = ctx;

    (void)sent;
    (void)err;
    b->is_over = true;
    b->fetch_st = st;
    loop_stop(b->loop);
}

/* What the browser does; the code of the answer, 0: no connection. */
static int browse(struct bench *b, enum http_method method, const char *url)
{
    struct http_fetch *f;

    b->code = 0;
    b->is_over = false;
    str_clear(&b->page);
    str_clear(&b->kept);
    assert_ok(http_fetch_start(b->http,
                               &(struct http_fetch_spec){.method = method,
                                                         .url = url,
                                                         .policy = &b->policy,
                                                         .ctx = b,
                                                         .on_head = on_head,
                                                         .on_body = on_body,
                                                         .on_done = on_done},
                               &f, why));
    while (!b->is_over)
        loop_run(b->loop);
    return b->code;
}

static void put_redirect(struct bench *b, struct str *out, const char *query)
{
    str_clear(out);
    str_printf(out, "%s?%s&state=%s", auth_login_redirect_uri(b->login), query,
               str_cstr(&b->state));
}

static void test_the_redirect_is_received_once(void **state)
{
    struct bench *b = *state;
    struct str url = STR_INIT;

    put_redirect(b, &url, "code=c0de&iss=https%3A%2F%2Fas.example");
    assert_int_equal(strncmp(str_cstr(&url), "http://localhost:", 17), 0);
    assert_int_equal(browse(b, HTTP_GET, str_cstr(&url)), 200);
    assert_non_null(strstr(str_cstr(&b->page), "You can close this page"));
    assert_non_null(strstr(str_cstr(&b->kept), "cache-control: no-store"));
    assert_non_null(strstr(str_cstr(&b->kept), "referrer-policy: no-referrer"));
    while (b->n_done == 0)
        loop_run(b->loop);
    assert_int_equal(b->st, STATUS_OK);
    assert_string_equal(str_cstr(&b->code_got), "c0de");
    assert_int_equal(browse(b, HTTP_GET, str_cstr(&url)), 400);
    assert_int_equal(b->n_done, 1);
    str_deinit(&url);
}

static void test_other_requests_do_not_end_it(void **state)
{
    struct bench *b = *state;
    struct str url = STR_INIT;

    put_redirect(b, &url, "code=c0de");
    assert_int_equal(browse(b, HTTP_POST, str_cstr(&url)), 405);
    url.data[url.len - 1] = url.data[url.len - 1] == 'A' ? 'B' : 'A'; /* of the state */
    assert_int_equal(browse(b, HTTP_GET, str_cstr(&url)), 400);
    assert_null(strstr(str_cstr(&b->page), "c0de"));
    assert_int_equal(browse(b, HTTP_GET, auth_login_redirect_uri(b->login)), 400);
    str_clear(&url);
    str_append(&url, auth_login_redirect_uri(b->login),
               strlen(auth_login_redirect_uri(b->login)) - strlen("callback"));
    assert_int_equal(browse(b, HTTP_GET, str_cstr(&url)), 404);
    assert_int_equal(b->n_done, 0);
    put_redirect(b, &url, "code=c0de");
    assert_int_equal(browse(b, HTTP_GET, str_cstr(&url)), 200);
    str_deinit(&url);
}

/* The page does not show what the redirect says: it would be a text of somebody else here. */
static void test_a_refusal_is_reported_without_its_text(void **state)
{
    struct bench *b = *state;
    struct str url = STR_INIT;

    put_redirect(b, &url, "error=access_denied&error_description=%3Cb%3Ecall%201234");
    assert_int_equal(browse(b, HTTP_GET, str_cstr(&url)), 400);
    assert_null(strstr(str_cstr(&b->page), "1234"));
    while (b->n_done == 0)
        loop_run(b->loop);
    assert_int_equal(b->st, STATUS_REJECTED);
    assert_null(strstr(b->err.message, "1234"));
    str_deinit(&url);
}

static void test_it_ends_after_its_time(void **state)
{
    struct bench *b = *state;

    auth_login_free(b->login);
    new_login(b, 30);
    loop_run(b->loop);
    assert_int_equal(b->st, STATUS_TIMEOUT);
    assert_int_equal(auth_login_take(b->login, "code=x", NULL), STATUS_REJECTED);
}

static void test_a_port_in_use_is_an_error(void **state)
{
    struct bench *b = *state;
    const struct auth_env env = {.loop = b->loop, .http = b->http, .seams = seams_real()};
    int32_t port =
        (int32_t)strtol(auth_login_redirect_uri(b->login) + strlen("http://localhost:"), NULL, 10);
    struct auth_login *second = NULL;
    struct error err = ERROR_INIT;

    assert_int_equal(
        auth_login_new(&env,
                       &(struct auth_login_spec){
                           .port = port, .life_ms = 1000, .ctx = b, .done = on_login_done},
                       &second, &err),
        STATUS_FAILED);
    assert_non_null(strstr(err.message, "the listener for the redirect"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_redirect_is_received_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_requests_do_not_end_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refusal_is_reported_without_its_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_it_ends_after_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_port_in_use_is_an_error, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
