/* test_signature.c - each algorithm signs and verifies; keys that are weak or of another kind are
 * refused; the signature of RFC 8037, appendix A.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "runtime/base/base64.h"
#include "runtime/base/signature.h"
#include "tests/support/check.h"

/* A private key of OpenSSL as PEM; the caller frees it. */
static char *new_pem(const char *kind, size_t bits)
{
    EVP_PKEY *pkey = strcmp(kind, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits)
                     : strcmp(kind, "P-256") == 0 || strcmp(kind, "P-384") == 0
                         ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind)
                         : EVP_PKEY_Q_keygen(NULL, NULL, kind);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL, *copy;
    long n;

    assert_non_null(pkey);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    n = BIO_get_mem_data(bio, &text);
    copy = xstrndup(text, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return copy;
}

static void test_each_algorithm_signs_and_verifies(void **state)
{
    static const struct {
        const char *kind;
        enum signature_alg alg;
        size_t bytes;
    } row[] = {{"RSA", SIGNATURE_RS256, 256},
               {"P-256", SIGNATURE_ES256, 64},
               {"ED25519", SIGNATURE_EDDSA, 64}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        char *pem = new_pem(row[i].kind, 2048), *other_pem = new_pem(row[i].kind, 2048);
        struct signature_key *key = NULL, *other = NULL;
        struct str made = STR_INIT;

        assert_ok(signature_key_from_pem(pem, strlen(pem), &key, why));
        assert_ok(signature_key_from_pem(other_pem, strlen(other_pem), &other, why));
        assert_int_equal(signature_key_alg(key), row[i].alg);
        for (int round = 0; round < 50; round++) { /* ES256: also numbers with leading zeros */
            str_clear(&made);
            assert_ok(signature_make(key, "text", 4, &made, why));
            assert_int_equal(made.len, row[i].bytes);
            assert_true(signature_is_valid(key, "text", 4, made.data, made.len));
        }
        assert_false(signature_is_valid(key, "texT", 4, made.data, made.len));
        assert_false(signature_is_valid(other, "text", 4, made.data, made.len));
        assert_false(signature_is_valid(key, "text", 4, made.data, made.len - 1));
        assert_false(signature_is_valid(key, "text", 4, "", 0));
        made.data[3] = (char)(made.data[3] ^ 1);
        assert_false(signature_is_valid(key, "text", 4, made.data, made.len));
        str_deinit(&made);
        signature_key_free(key);
        signature_key_free(other);
        free(pem);
        free(other_pem);
    }
}

static void test_other_keys_are_refused(void **state)
{
    static const struct {
        const char *kind;
        size_t bits;
    } row[] = {{"RSA", 1024}, {"P-384", 0}, {"X25519", 0}};
    struct signature_key *key = NULL;
    struct error err = ERROR_INIT;
    const uint8_t not_on_curve[32] = {1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        char *pem = new_pem(row[i].kind, row[i].bits);

        assert_int_equal(signature_key_from_pem(pem, strlen(pem), &key, &err), STATUS_CONFIG);
        assert_null(strstr(err.message, pem + 40));
        free(pem);
    }
    assert_int_equal(signature_key_from_pem("no key", 6, &key, &err), STATUS_CONFIG);
    assert_int_equal(signature_key_p256(not_on_curve, not_on_curve, &key, &err), STATUS_INVALID);
    assert_null(key);
}

/* With the exponent 1 every text would be its own signature; 1024 bits are too few. */
static void test_weak_rsa_keys_are_refused(void **state)
{
    uint8_t modulus[256];
    struct signature_key *key = NULL;

    (void)state;
    memset(modulus, 0xff, sizeof(modulus));
    assert_int_equal(signature_key_rsa(modulus, 256, "\1", 1, &key, NULL), STATUS_INVALID);
    assert_int_equal(signature_key_rsa(modulus, 256, "\4", 1, &key, NULL), STATUS_INVALID);
    assert_int_equal(signature_key_rsa(modulus, 128, "\1\0\1", 3, &key, NULL), STATUS_INVALID);
    assert_int_equal(signature_key_rsa("", 0, "", 0, &key, NULL), STATUS_INVALID);
    assert_null(key);
    assert_ok(signature_key_rsa(modulus, 256, "\1\0\1", 3, &key, why));
    assert_int_equal(signature_key_alg(key), SIGNATURE_RS256);
    signature_key_free(key);
}

static void test_the_signature_of_rfc_8037(void **state)
{
    static const char text[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    static const char x[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    static const char sig[] =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
        "9g7sVvpAr_MuM0KAg";
    struct str key_bytes = STR_INIT, sig_bytes = STR_INIT;
    struct signature_key *key = NULL;

    (void)state;
    assert_true(base64url_decode(x, strlen(x), &key_bytes));
    assert_true(base64url_decode(sig, strlen(sig), &sig_bytes));
    assert_ok(signature_key_ed25519((const uint8_t *)key_bytes.data, &key, why));
    assert_true(signature_is_valid(key, text, strlen(text), sig_bytes.data, sig_bytes.len));
    assert_int_equal(signature_make(key, "x", 1, &sig_bytes, NULL), STATUS_USAGE);
    signature_key_free(key);
    str_deinit(&key_bytes);
    str_deinit(&sig_bytes);
}

static void test_a_new_key_goes_through_its_pem(void **state)
{
    struct signature_key *key = NULL, *again = NULL, *public = NULL;
    struct str pem = STR_INIT, made = STR_INIT;
    uint8_t x[32], y[32];

    (void)state;
    assert_ok(signature_key_generate(&key, why));
    assert_ok(signature_key_put_pem(key, &pem, why));
    assert_ok(signature_key_from_pem(str_cstr(&pem), pem.len, &again, why));
    assert_true(signature_key_numbers(again, x, y));
    assert_ok(signature_key_p256(x, y, &public, why));
    assert_ok(signature_make(again, "text", 4, &made, why));
    assert_true(signature_is_valid(public, "text", 4, made.data, made.len));
    str_clear(&pem);
    assert_int_equal(signature_key_put_pem(public, &pem, NULL), STATUS_USAGE);
    assert_int_equal(pem.len, 0);
    signature_key_free(key);
    signature_key_free(again);
    signature_key_free(public);
    str_deinit(&pem);
    str_deinit(&made);
}

static void test_names_of_algorithms(void **state)
{
    static const char *const other[] = {"none", "None", "HS256", "rs256", "RS512", ""};
    enum signature_alg alg;

    (void)state;
    for (int i = 0; i <= SIGNATURE_EDDSA; i++) {
        assert_true(signature_alg_parse(signature_alg_name((enum signature_alg)i), &alg));
        assert_int_equal(alg, i);
    }
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        assert_false(signature_alg_parse(other[i], &alg));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_algorithm_signs_and_verifies),
        cmocka_unit_test(test_other_keys_are_refused),
        cmocka_unit_test(test_weak_rsa_keys_are_refused),
        cmocka_unit_test(test_the_signature_of_rfc_8037),
        cmocka_unit_test(test_a_new_key_goes_through_its_pem),
        cmocka_unit_test(test_names_of_algorithms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
