/* test_http_tls.c - the server over TLS: versions, certificates, their reload.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "runtime/loop/loop.h"
#include "server_world.h"
#include "tests/support/temp_dir.h"

struct tls_world {
    struct world w;
    char folder[64], cert[100], key[100];
};

/* ---- certificates */

static void write_cert(struct tls_world *t, long serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    FILE *f;

    assert_non_null(key);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    f = fopen(t->cert, "we");
    assert_true(f && PEM_write_X509(f, x));
    fclose(f);
    f = fopen(t->key, "we");
    assert_true(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* The system's configuration refuses TLS 1.1, whatever the server does. OpenSSL reads it once, at
 * its first use: before the fork of the first server. */
static void allow_all_versions(const struct tls_world *t)
{
    static const char text[] = "openssl_conf = init\n[init]\nssl_conf = ssl\n"
                               "[ssl]\nsystem_default = any\n"
                               "[any]\nMinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n";
    char path[100];

    temp_dir_put(t->folder, "openssl.cnf", text, sizeof(text) - 1);
    (void)snprintf(path, sizeof(path), "%s/openssl.cnf", t->folder);
    setenv("OPENSSL_CONF", path, 1);
}

static int setup(void **state)
{
    struct tls_world *t = calloc(1, sizeof(*t));

    temp_dir(t->folder);
    (void)snprintf(t->cert, sizeof(t->cert), "%s/cert.pem", t->folder);
    (void)snprintf(t->key, sizeof(t->key), "%s/key.pem", t->folder);
    allow_all_versions(t);
    write_cert(t, 7);
    t->w.o.tls_cert = t->cert;
    t->w.o.tls_key = t->key;
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct tls_world *t = *state;

    if (t->w.pid)
        world_stop(&t->w);
    temp_dir_remove(t->folder);
    free(t);
    return 0;
}

/* ---- a client */

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

/* max_version 0: the newest. Returns whether the handshake worked. */
static bool tls_open(const struct tls_world *t, struct client *c, int max_version)
{
    static const unsigned char alpn[] = "\x02h2\x08http/1.1";

    c->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(c->ctx, 0); /* the client itself would refuse TLS 1.1 */
    SSL_CTX_set_min_proto_version(c->ctx, TLS1_VERSION);
    if (max_version)
        SSL_CTX_set_max_proto_version(c->ctx, max_version);
    SSL_CTX_set_alpn_protos(c->ctx, alpn, sizeof(alpn) - 1);
    c->ssl = SSL_new(c->ctx);
    c->fd = client_open(&t->w);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

static void tls_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
    ERR_clear_error();
}

static void tls_send(struct client *c, const char *bytes, size_t n)
{
    assert_int_equal(SSL_write(c->ssl, bytes, (int)n), (int)n);
}

/* Reads n bytes of a body after the head. The code. */
static int tls_reply(struct client *c, struct str *body, size_t n)
{
    struct str all = STR_INIT;
    char block[16384];
    const char *end = NULL;
    int code = 0, k;

    while ((!end || all.len - (size_t)(end + 4 - all.data) < n) &&
           (k = SSL_read(c->ssl, block, sizeof(block))) > 0) {
        str_append(&all, block, (size_t)k);
        end = strstr(str_cstr(&all), "\r\n\r\n");
    }
    str_clear(body);
    if (end && sscanf(all.data, "HTTP/1.1 %d", &code) == 1)
        str_append(body, end + 4, all.len - (size_t)(end + 4 - all.data));
    str_deinit(&all);
    return code;
}

static void get(const struct tls_world *t, struct client *c, const char *path)
{
    char text[200];
    int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path,
                     t->w.port);

    tls_send(c, text, (size_t)n);
}

static void requests_and_replies_go_over_tls(void **state)
{
    struct tls_world *t = *state;
    struct str body = STR_INIT;
    struct client c;
    char *big = malloc(1000000), text[200];
    const unsigned char *alpn;
    unsigned alpn_n;
    int n;

    for (int i = 0; i < 1000000; i++)
        big[i] = (char)('a' + i % 19);
    world_start(&t->w);
    assert_true(tls_open(t, &c, 0));
    assert_int_equal(SSL_version(c.ssl), TLS1_3_VERSION);
    SSL_get0_alpn_selected(c.ssl, &alpn, &alpn_n);
    assert_int_equal(alpn_n, 8);
    assert_memory_equal(alpn, "http/1.1", 8);
    for (int i = 0; i < 3; i++) {
        get(t, &c, "/healthz");
        assert_int_equal(tls_reply(&c, &body, 2), 200);
        assert_string_equal(body.data, "{}");
    }
    n = snprintf(text, sizeof(text),
                 "POST /echo HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 1000000\r\n\r\n",
                 t->w.port);
    tls_send(&c, text, (size_t)n);
    tls_send(&c, big, 1000000);
    assert_int_equal(tls_reply(&c, &body, 1000000), 200);
    assert_int_equal(body.len, 1000000);
    assert_memory_equal(body.data, big, 1000000);
    get(t, &c, "/big");
    usleep(100000);
    assert_int_equal(tls_reply(&c, &body, 5000000), 200);
    assert_int_equal(body.len, 5000000);
    tls_close(&c);
    free(big);
    str_deinit(&body);
}

static void an_idle_connection_outlives_the_handshake(void **state)
{
    struct tls_world *t = *state;
    struct str body = STR_INIT;
    struct client c;

    t->w.o.limits.head_ms = 1000;
    world_start(&t->w);
    assert_true(tls_open(t, &c, 0));
    get(t, &c, "/healthz");
    assert_int_equal(tls_reply(&c, &body, 2), 200);
    usleep(3000000); /* longer than the time for a handshake */
    get(t, &c, "/healthz");
    assert_int_equal(tls_reply(&c, &body, 2), 200);
    tls_close(&c);
    str_deinit(&body);
}

static void old_versions_are_refused(void **state)
{
    struct tls_world *t = *state;
    struct client c;

    assert_non_null(getenv("OPENSSL_CONF"));
    world_start(&t->w);
    assert_false(tls_open(t, &c, TLS1_1_VERSION));
    tls_close(&c);
    assert_true(tls_open(t, &c, TLS1_2_VERSION));
    assert_int_equal(SSL_version(c.ssl), TLS1_2_VERSION);
    tls_close(&c);
}

static void plain_requests_and_silence_do_no_harm(void **state)
{
    struct tls_world *t = *state;
    struct str body = STR_INIT;
    struct client c;
    int plain, silent;

    t->w.o.limits.head_ms = 1000;
    world_start(&t->w);
    plain = client_open(&t->w);
    silent = client_open(&t->w);
    client_send(silent, "\x16\x03\x01", 3); /* the begin of a handshake */
    client_get(&t->w, plain, "/healthz");
    assert_int_equal(client_reply(plain, NULL), 0);
    assert_true(tls_open(t, &c, 0));
    get(t, &c, "/healthz");
    assert_int_equal(tls_reply(&c, &body, 2), 200);
    tls_close(&c);
    assert_true(client_is_closed(silent, 3000));
    close(plain);
    close(silent);
    world_wait(&t->w, counts.connections, 0);
    str_deinit(&body);
}

static long serial_of(const struct tls_world *t)
{
    struct client c;
    X509 *x;
    long serial = -1;

    if (tls_open(t, &c, 0)) {
        x = SSL_get1_peer_certificate(c.ssl);
        serial = ASN1_INTEGER_get(X509_get_serialNumber(x));
        X509_free(x);
    }
    tls_close(&c);
    return serial;
}

static void a_reload_takes_the_new_certificate(void **state)
{
    struct tls_world *t = *state;
    struct str body = STR_INIT;
    struct client old;

    world_start(&t->w);
    assert_int_equal(serial_of(t), 7);
    assert_true(tls_open(t, &old, 0));
    for (long serial = 8; serial < 11; serial++) {
        write_cert(t, serial);
        assert_int_equal(world_ask(&t->w, WORLD_RELOAD).reload, STATUS_OK);
        assert_int_equal(serial_of(t), serial);
    }
    /* Connections keep what they have. */
    get(t, &old, "/healthz");
    assert_int_equal(tls_reply(&old, &body, 2), 200);
    /* The old one stays if the new one cannot be used. */
    temp_put(t->cert, "no certificate\n", 15);
    assert_int_equal(world_ask(&t->w, WORLD_RELOAD).reload, STATUS_CONFIG);
    assert_int_equal(serial_of(t), 10);
    unlink(t->cert);
    assert_int_equal(world_ask(&t->w, WORLD_RELOAD).reload, STATUS_CONFIG);
    assert_int_equal(serial_of(t), 10);
    get(t, &old, "/healthz");
    assert_int_equal(tls_reply(&old, &body, 2), 200);
    tls_close(&old);
    assert_int_equal(serial_of(t), 10);
    str_deinit(&body);
}

static void files_that_cannot_be_used_are_errors(void **state)
{
    struct tls_world *t = *state;
    struct http_server_options o = {.seams = seams_real(), .tls_cert = t->cert, .tls_key = t->key};
    struct http_server *s = NULL;
    struct loop *l = NULL;
    struct error err = ERROR_INIT;

    assert_int_equal(loop_new(seams_real(), &l, NULL), STATUS_OK);
    o.tls_key = NULL;
    assert_int_equal(http_server_new(l, &o, &s, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "a certificate needs the file of its key"));
    o.tls_key = "/nowhere/key.pem";
    err = ERROR_INIT;
    assert_int_equal(http_server_new(l, &o, &s, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "/nowhere/key.pem"));
    o.tls_key = t->folder; /* not a file */
    assert_int_equal(http_server_new(l, &o, &s, &err), STATUS_CONFIG);
    o.tls_key = t->cert;
    err = ERROR_INIT;
    assert_int_equal(http_server_new(l, &o, &s, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "cannot be used"));
    loop_free(l);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(old_versions_are_refused),
        T(requests_and_replies_go_over_tls),
        T(an_idle_connection_outlives_the_handshake),
        T(plain_requests_and_silence_do_no_harm),
        T(a_reload_takes_the_new_certificate),
        T(files_that_cannot_be_used_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
