/* test_http_client_tls.c - certificates: made here, accepted only with the file that vouches for
 * them, and only for their name.
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
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "http_peer.h"
#include "runtime/base/memory.h"

struct world {
    char folder[64], cert[128], key[128], expired[128];
    struct peer *peer;
};

static void write_cert(const char *path, EVP_PKEY *key, long valid_from_s, long valid_for_s)
{
    X509 *cert = X509_new();
    X509_EXTENSION *name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    (void)X509_set_version(cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), valid_from_s);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), valid_from_s + valid_for_s);
    (void)X509_set_pubkey(cert, key);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                     (const unsigned char *)"localhost", -1, -1, 0);
    (void)X509_set_issuer_name(cert, X509_get_subject_name(cert));
    (void)X509_add_ext(cert, name, -1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(f, cert), 1);
    (void)fclose(f);
    X509_EXTENSION_free(name);
    X509_free(cert);
}

static bool serve(void *ctx, struct peer_conn *c, const struct peer_request *q)
{
    (void)ctx;
    if (strcmp(q->path, "/cut") == 0) {
        (void)peer_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        return false;
    }
    return peer_answer(c, q->body, q->body_bytes);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *f;

    (void)snprintf(w->folder, sizeof(w->folder), "/tmp/test_http_client_tls.XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    (void)snprintf(w->cert, sizeof(w->cert), "%s/cert", w->folder);
    (void)snprintf(w->key, sizeof(w->key), "%s/key", w->folder);
    (void)snprintf(w->expired, sizeof(w->expired), "%s/expired", w->folder);
    write_cert(w->cert, key, -60, 3600);
    write_cert(w->expired, key, -7200, 3600);
    f = fopen(w->key, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(f);
    EVP_PKEY_free(key);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    peer_free(w->peer);
    (void)unlink(w->cert);
    (void)unlink(w->key);
    (void)unlink(w->expired);
    (void)rmdir(w->folder);
    free(w);
    return 0;
}

/* What comes of a POST of "secret" to the server with this certificate. */
static struct got post(struct world *w, const char *cert, const char *ca_file, const char *host,
                       const char *path)
{
    struct http_client_options o = {.ca_file = ca_file};
    struct bench *b = bench_new(&o);
    struct got g = {.code = 0};
    char url[256];

    peer_free(w->peer);
    w->peer = peer_new("127.0.0.1", 0, cert, w->key, serve, w);
    (void)snprintf(url, sizeof(url), "https://%s:%d%s", host, peer_port(w->peer), path);
    b->policy.allow_http = false;
    for (int i = 0; i < 2; i++) {
        got_deinit(&g);
        g = (struct got){.code = 0};
        bench_fetch(b, &g,
                    (struct http_fetch_spec){
                        .url = url, .method = HTTP_POST, .body = "secret", .body_bytes = 6});
    }
    bench_free(b);
    return g;
}

static void test_a_certificate_that_is_known(void **state)
{
    struct world *w = *state;
    struct got g = post(w, w->cert, w->cert, "localhost", "/");

    if (g.st)
        fail_msg("%s", g.err.message);
    assert_int_equal(g.code, 200);
    assert_string_equal(str_cstr(&g.body), "secret");
    assert_int_equal(peer_n_connections(w->peer), 1);
    got_deinit(&g);
}

static void test_certificates_that_are_refused(void **state)
{
    struct world *w = *state;
    const struct {
        const char *cert, *ca_file, *host;
    } rows[] = {
        {w->cert, NULL, "localhost"},    /* nobody vouches for it */
        {w->cert, w->cert, "127.0.0.1"}, /* it is of another name */
        {w->expired, w->expired, "localhost"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct got g = post(w, rows[i].cert, rows[i].ca_file, rows[i].host, "/");

        assert_int_equal(g.st, STATUS_REJECTED);
        assert_false(g.sent);
        assert_int_equal(peer_n_requests(w->peer), 0);
        assert_non_null(strstr(g.err.message, rows[i].host));
        got_deinit(&g);
    }
}

static void test_a_file_that_is_not_there(void **state)
{
    struct world *w = *state;
    struct got g = post(w, w->cert, "/no/such/file", "localhost", "/");

    assert_int_equal(g.st, STATUS_CONFIG);
    assert_false(g.sent);
    assert_non_null(strstr(g.err.message, "/no/such/file"));
    got_deinit(&g);
}

static void test_cut_off(void **state)
{
    struct world *w = *state;
    struct got g = post(w, w->cert, w->cert, "localhost", "/cut");

    assert_int_equal(g.st, STATUS_IO);
    assert_true(g.sent);
    assert_string_equal(str_cstr(&g.body), "half");
    got_deinit(&g);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_certificate_that_is_known),
        T(test_certificates_that_are_refused),
        T(test_a_file_that_is_not_there),
        T(test_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
