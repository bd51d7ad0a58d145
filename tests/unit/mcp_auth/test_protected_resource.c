/* test_protected_resource.c - which tokens this server takes, and what it says about itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/jwks.h"
#include "mcp/auth/protected_resource.h"
#include "runtime/loop/loop.h"
#include "test_keys.h"
#include "tests/support/http_memory.h"
#include "tests/support/temp_dir.h"

#define RESOURCE "https://troupe.example/mcp"
#define ISSUER   "https://as.example"
#define NOW_S    1800000000

struct bench {
    struct test_key rsa, ec, ed, other;
    char dir[64], file[128];
    struct seams seams;
    int64_t now_ms;
    struct protected_options options;
    struct protected_resource *p;
};

static int64_t wall_ms(void *ctx)
{
    return ((struct bench *)ctx)->now_ms;
}

static const char *const issuers[] = {ISSUER, "https://as2.example"};

static void put_keys(struct bench *b)
{
    struct str keys = STR_INIT;

    str_printf(&keys, "{\"keys\":[%s,%s,%s,{\"kty\":\"EC\",\"crv\":\"P-384\"}]}",
               str_cstr(&b->rsa.jwk), str_cstr(&b->ec.jwk), str_cstr(&b->ed.jwk));
    temp_put(b->file, str_cstr(&keys), keys.len);
    str_deinit(&keys);
}

static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    test_key_new(&b->rsa, "RSA", "rsa");
    test_key_new(&b->ec, "P-256", "ec");
    test_key_new(&b->ed, "ED25519", "ed");
    test_key_new(&b->other, "P-256", "ec"); /* the same kid, another key */
    temp_dir(b->dir);
    snprintf(b->file, sizeof(b->file), "%s/keys.json", b->dir);
    put_keys(b);
    b->now_ms = (int64_t)NOW_S * 1000;
    b->seams = *seams_real();
    b->seams.clock.ctx = b;
    b->seams.clock.wall_ms = wall_ms;
    b->options = (struct protected_options){.resource = RESOURCE,
                                            .name = "Troupe",
                                            .issuers = issuers,
                                            .n_issuers = 1,
                                            .scopes = "mcp:use mcp:admin",
                                            .required = "mcp:use",
                                            .jwks_file = b->file,
                                            .env = {.seams = &b->seams}};
    assert_ok(protected_resource_new(&b->options, &b->p, why));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    protected_resource_free(b->p);
    test_key_deinit(&b->rsa);
    test_key_deinit(&b->ec);
    test_key_deinit(&b->ed);
    test_key_deinit(&b->other);
    temp_dir_remove(b->dir);
    free(b);
    return 0;
}

/* The claims of a good token, with one changed: a JSON value; NULL: left out. */
static struct json *claims_with(const char *name, const char *value)
{
    struct json *c = fixture_json("{\"iss\":\"" ISSUER "\",\"aud\":\"" RESOURCE
                                  "\",\"sub\":\"ann\",\"exp\":1800000600,\"iat\":1800000000,"
                                  "\"scope\":\"mcp:use mcp:other\"}");

    if (name)
        jv_remove(c, name);
    if (name && value)
        jv_set_adopt(c, name, fixture_json(value));
    return c;
}

static enum status check(struct bench *b, const struct signature_key *key, const char *name,
                         const char *value, struct error *err)
{
    struct json *c = claims_with(name, value);
    struct str token = STR_INIT, scopes = STR_INIT;
    const char *subject = NULL;
    enum status st;

    assert_ok(jwt_make(key, c, &token, why));
    st = protected_resource_check(b->p, str_cstr(&token), token.len, &subject, &scopes, err);
    assert_int_equal(protected_resource_token(b->p, str_cstr(&token), token.len, &subject), !st);
    if (!st && !name) {
        assert_string_equal(subject, "ann");
        assert_string_equal(str_cstr(&scopes), "mcp:use mcp:other");
    }
    str_deinit(&token);
    str_deinit(&scopes);
    jv_unref(c);
    return st;
}

static void test_tokens_of_each_algorithm(void **state)
{
    struct bench *b = *state;

    assert_ok(check(b, b->rsa.key, NULL, NULL, why));
    assert_ok(check(b, b->ec.key, NULL, NULL, why));
    assert_ok(check(b, b->ed.key, NULL, NULL, why));
}

static const struct {
    const char *name, *value;
    const char *says; /* NULL: it is accepted */
} claims[] = {
    {"aud", "[\"https://x.example\",\"" RESOURCE "\"]", NULL},
    {"aud", "\"" RESOURCE "/\"", "another resource"},
    {"aud", "\"https://troupe.example\"", "another resource"},
    {"aud", "[\"https://x.example\"]", "another resource"},
    {"aud", "[]", "another resource"},
    {"aud", NULL, "another resource"},
    {"iss", "\"https://evil.example\"", "issuer that is not configured"},
    {"iss", "\"" ISSUER "/\"", "issuer that is not configured"},
    {"iss", NULL, "issuer that is not configured"},
    {"iss", "[\"" ISSUER "\"]", "issuer that is not configured"},
    {"exp", NULL, "(exp)"},
    {"exp", "\"1900000000\"", "(exp)"},
    {"exp", "1799999941", NULL}, /* within the leeway */
    {"exp", "1799999940", "has expired"},
    {"exp", "1.8e9", NULL},
    {"exp", "-1", "has expired"},
    {"nbf", "1800000060", NULL},
    {"nbf", "1800000061", "not valid yet"},
    {"nbf", "\"soon\"", "not valid yet"},
    {"sub", NULL, "(sub)"},
    {"sub", "\"\"", "(sub)"},
    {"sub", "\"a\\nb\"", "(sub)"},
    {"sub", "7", "(sub)"},
    {"scope", "\"mcp:user\"", "lacks a scope"},
    {"scope", NULL, "lacks a scope"},
    {"scope", "\"mcp:use\\u0001\"", "a scope has"},
    {"scp", "[\"x\"]", NULL},
};

static void test_claims(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        struct error err = ERROR_INIT;
        enum status st = check(b, b->ec.key, claims[i].name, claims[i].value, &err);

        if ((st == STATUS_OK) != !claims[i].says ||
            (claims[i].says && !strstr(err.message, claims[i].says)))
            fail_msg("%s %s: %s", claims[i].name, claims[i].value, err.message);
    }
}

static void put_part(struct str *out, const char *json)
{
    base64url_put(out, json, strlen(json));
}

/* A token with this header, signed by the EC key over exactly its text. */
static enum status check_header(struct bench *b, const char *header, struct error *err)
{
    struct json *c = claims_with(NULL, NULL);
    struct str token = STR_INIT, text = STR_INIT, signature = STR_INIT;
    const char *subject;
    enum status st;

    jv_write(c, 0, &text);
    put_part(&token, header);
    str_putc(&token, '.');
    put_part(&token, str_cstr(&text));
    assert_ok(signature_make(b->ec.key, str_cstr(&token), token.len, &signature, why));
    str_putc(&token, '.');
    base64url_put(&token, str_cstr(&signature), signature.len);
    st = protected_resource_check(b->p, str_cstr(&token), token.len, &subject, NULL, err);
    str_deinit(&token);
    str_deinit(&text);
    str_deinit(&signature);
    jv_unref(c);
    return st;
}

static void test_headers(void **state)
{
    static const char *const good[] = {
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"typ\":\"application/at+JWT\"}",
    };
    static const char *const bad[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"HS256\",\"kid\":\"ec\"}",
        "{\"alg\":\"es256\"}",
        "{}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"EdDSA\"}",
        "{\"alg\":\"ES256\",\"kid\":\"another\"}",
        "{\"alg\":\"ES256\",\"kid\":7}",
        "{\"alg\":\"ES256\",\"crit\":[\"x\"],\"x\":1}",
        "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\"}",
        "{\"alg\":\"ES256\",\"typ\":7}",
        "{\"alg\":\"none\",\"alg\":\"ES256\"}",
        "[]",
        "ES256",
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_ok(check_header(b, good[i], why));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (check_header(b, bad[i], NULL) != STATUS_REJECTED)
            fail_msg("%s was accepted", bad[i]);
}

static void test_changed_and_broken_tokens(void **state)
{
    struct bench *b = *state;
    struct json *c = claims_with(NULL, NULL);
    struct str token = STR_INIT;
    const char *subject;
    static const char *const bad[] = {"", ".", "..", "...", "a.b.c", "a.b", "\n"};
    char *huge = xmalloc(JWT_BYTES_MAX + 2);

    assert_ok(jwt_make(b->ec.key, c, &token, why));
    for (size_t i = 0; i < token.len; i++) { /* each of its characters counts */
        char was = token.data[i];

        token.data[i] = was == 'A' ? 'B' : 'A';
        if (protected_resource_token(b->p, str_cstr(&token), token.len, &subject))
            fail_msg("character %zu may be another one", i);
        token.data[i] = was;
    }
    assert_true(protected_resource_token(b->p, str_cstr(&token), token.len, &subject));
    assert_false(protected_resource_token(b->p, str_cstr(&token), token.len - 1, &subject));
    str_puts(&token, ".x");
    assert_false(protected_resource_token(b->p, str_cstr(&token), token.len, &subject));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(protected_resource_token(b->p, bad[i], strlen(bad[i]), &subject));
    memset(huge, 'A', JWT_BYTES_MAX + 1);
    huge[JWT_BYTES_MAX + 1] = '\0';
    huge[9] = huge[99] = '.';
    assert_false(protected_resource_token(b->p, huge, JWT_BYTES_MAX + 1, &subject));
    assert_int_equal(check(b, b->other.key, NULL, NULL, NULL), STATUS_REJECTED);
    free(huge);
    str_deinit(&token);
    jv_unref(c);
}

static void test_subjects_of_two_issuers_differ(void **state)
{
    struct bench *b = *state;
    struct protected_resource *two = NULL;
    const char *first = NULL, *second = NULL;
    struct str token = STR_INIT;
    struct json *c;

    b->options.n_issuers = 2;
    assert_ok(protected_resource_new(&b->options, &two, why));
    c = claims_with(NULL, NULL);
    assert_ok(jwt_make(b->ec.key, c, &token, why));
    assert_ok(protected_resource_check(two, str_cstr(&token), token.len, &first, NULL, why));
    jv_unref(c);
    str_clear(&token);
    c = claims_with("iss", "\"https://as2.example\"");
    assert_ok(jwt_make(b->ec.key, c, &token, why));
    assert_ok(protected_resource_check(two, str_cstr(&token), token.len, &second, NULL, why));
    assert_string_equal(first, "https://as.example ann");
    assert_string_equal(second, "https://as2.example ann");
    jv_unref(c);
    str_deinit(&token);
    protected_resource_free(two);
}

static void test_document_and_challenges(void **state)
{
    struct bench *b = *state;
    struct json *doc = fixture_json(protected_resource_document(b->p));
    struct str out = STR_INIT;

    assert_string_equal(jv_get_string(jv_get(doc, "resource"), ""), RESOURCE);
    assert_string_equal(jv_get_string(jv_at(jv_get(doc, "authorization_servers"), 0), ""), ISSUER);
    assert_string_equal(jv_get_string(jv_at(jv_get(doc, "scopes_supported"), 1), ""), "mcp:admin");
    assert_string_equal(jv_get_string(jv_at(jv_get(doc, "bearer_methods_supported"), 0), ""),
                        "header");
    jv_unref(doc);
    assert_true(protected_resource_is_document(b->p, "/.well-known/oauth-protected-resource/mcp"));
    assert_true(protected_resource_is_document(b->p, "/.well-known/oauth-protected-resource"));
    assert_false(protected_resource_is_document(b->p, "/.well-known/oauth-protected-resource/x"));
    assert_false(protected_resource_is_document(b->p, "/mcp"));
    protected_resource_challenge(b->p, false, &out);
    assert_string_equal(str_cstr(&out),
                        "Bearer resource_metadata=\"https://troupe.example/.well-known/"
                        "oauth-protected-resource/mcp\", scope=\"mcp:use\"");
    str_clear(&out);
    protected_resource_challenge(b->p, true, &out);
    assert_non_null(strstr(str_cstr(&out), "error=\"invalid_token\""));
    str_clear(&out);
    protected_resource_step_up(b->p, "mcp:admin", &out);
    assert_non_null(strstr(str_cstr(&out), "error=\"insufficient_scope\", scope=\"mcp:admin\""));
    str_deinit(&out);
}

static void test_key_sets(void **state)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"", "keys"},
        {"[]", "not a key set"},
        {"{\"keys\":{}}", "not a key set"},
        {"{\"keys\":[]}", "there is no key"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "secret key"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}", "32 bytes"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "not a usable key"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"A!\"}]}", "32 bytes"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\"}]}", "there is no key"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = ERROR_INIT;

        temp_put(b->file, bad[i].json, strlen(bad[i].json));
        assert_int_equal(protected_resource_reload(b->p, &err), STATUS_CONFIG);
        if (!strstr(err.message, bad[i].says) && !strstr(err.where, bad[i].says))
            fail_msg("%s: %s %s", bad[i].json, err.where, err.message);
        assert_ok(check(b, b->rsa.key, NULL, NULL, why)); /* the old keys stay */
    }
}

static void test_options(void **state)
{
    struct bench *b = *state;
    struct protected_resource *p = NULL;
    struct protected_options o = b->options;
    struct error err = ERROR_INIT;

    o.jwks_url = "https://as.example/jwks";
    assert_int_equal(protected_resource_new(&o, &p, &err), STATUS_CONFIG);
    o = b->options;
    o.jwks_file = NULL;
    assert_int_equal(protected_resource_new(&o, &p, &err), STATUS_CONFIG);
    o = b->options;
    o.n_issuers = 0;
    assert_int_equal(protected_resource_new(&o, &p, &err), STATUS_CONFIG);
    o = b->options;
    o.resource = "http://troupe.example/mcp";
    assert_int_equal(protected_resource_new(&o, &p, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "resource"));
    o = b->options;
    o.jwks_file = "/nowhere/keys.json";
    assert_int_equal(protected_resource_new(&o, &p, &err), STATUS_CONFIG);
    assert_null(p);
}

/* ---- keys from a URL */

static void stop(void *ctx)
{
    loop_stop(ctx);
}

static void run(struct loop *l, int64_t ms)
{
    struct loop_timer *t = loop_timer_new(l, ms, stop, l);

    loop_run(l);
    loop_timer_free(t);
}

static void test_keys_from_a_url_follow_a_rotation(void **state)
{
    struct bench *b = *state;
    struct protected_resource *of_file = b->p;
    struct loop *loop = NULL;
    struct http_memory *memory;
    struct str first = STR_INIT, second = STR_INIT;

    assert_ok(loop_new(seams_real(), &loop, why));
    memory = http_memory_new(loop);
    b->options.jwks_file = NULL;
    b->options.jwks_url = "https://as.example/jwks";
    b->options.env.loop = loop;
    b->options.env.http = http_client_with(loop, NULL, http_memory_ops(memory));
    str_printf(&first, "{\"keys\":[%s]}", str_cstr(&b->rsa.jwk));
    str_printf(&second, "{\"keys\":[%s]}", str_cstr(&b->ec.jwk));
    http_memory_reply(memory, &(struct http_memory_reply){.body = str_cstr(&first)});
    http_memory_reply(memory, &(struct http_memory_reply){.body = "<html>"});
    http_memory_reply(memory, &(struct http_memory_reply){.body = str_cstr(&second), .times = -1});
    assert_ok(protected_resource_new(&b->options, &b->p, why));
    assert_int_equal(check(b, b->rsa.key, NULL, NULL, NULL), STATUS_REJECTED); /* not there yet */
    run(loop, 30);
    assert_ok(check(b, b->rsa.key, NULL, NULL, why));
    for (int i = 0; i < 100; i++) /* unknown keys: no flood of requests */
        assert_int_equal(check(b, b->ec.key, NULL, NULL, NULL), STATUS_REJECTED);
    run(loop, 30);
    assert_int_equal(http_memory_n_requests(memory), 1);
    b->now_ms += PROTECTED_KEYS_GAP_MS;
    assert_int_equal(check(b, b->ec.key, NULL, NULL, NULL), STATUS_REJECTED);
    run(loop, 30);
    assert_int_equal(http_memory_n_requests(memory), 2);
    assert_ok(
        check(b, b->rsa.key, NULL, NULL, why)); /* a page instead of keys: the old ones stay */
    b->now_ms += PROTECTED_KEYS_GAP_MS;
    assert_int_equal(check(b, b->ec.key, NULL, NULL, NULL), STATUS_REJECTED);
    run(loop, 30);
    assert_ok(check(b, b->ec.key, NULL, NULL, why));
    assert_int_equal(check(b, b->rsa.key, NULL, NULL, NULL), STATUS_REJECTED);
    protected_resource_free(b->p);
    b->p = of_file;
    http_client_free(b->options.env.http);
    http_memory_free(memory);
    loop_free(loop);
    str_deinit(&first);
    str_deinit(&second);
}

int main(void)
{
#define BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        BENCH(test_tokens_of_each_algorithm),
        BENCH(test_claims),
        BENCH(test_headers),
        BENCH(test_changed_and_broken_tokens),
        BENCH(test_subjects_of_two_issuers_differ),
        BENCH(test_document_and_challenges),
        BENCH(test_key_sets),
        BENCH(test_options),
        BENCH(test_keys_from_a_url_follow_a_rotation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
