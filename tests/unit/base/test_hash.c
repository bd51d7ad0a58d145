/* test_hash.c - hashes give their published values, in one piece and in many.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/hash.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

/* FIPS 180-4 examples. */
static void sha256_known_values(void **state)
{
    static const struct {
        const char *text;
        const char *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[65];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sha256 h = sha256_of(cases[i].text, strlen(cases[i].text));

        sha256_hex(&h, hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

/* RFC 4231, 4.3 */
static void hmac_sha256_known_value(void **state)
{
    static const char text[] = "what do ya want for nothing?";
    struct sha256 h = hmac_sha256("Jefe", 4, text, strlen(text));
    char hex[65];

    (void)state;
    sha256_hex(&h, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void sha256_in_pieces(void **state)
{
    static const char text[] = "The quick brown fox jumps over the lazy dog";
    struct sha256 whole = sha256_of(text, strlen(text));

    (void)state;
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct hasher *h = hasher_new();
        struct sha256 parts;

        hasher_add(h, text, cut);
        hasher_add(h, text + cut, strlen(text) - cut);
        parts = hasher_finish(h);
        assert_memory_equal(&parts, &whole, sizeof(whole));
    }
}

static void a_hasher_begins_again(void **state)
{
    struct hasher *h = hasher_new();

    (void)state;
    for (size_t n = 0; n < 70; n++) {
        char text[70] = "";
        struct sha256 want, got;

        memset(text, 'x', n);
        hasher_add(h, text, n);
        want = sha256_of(text, n);
        got = hasher_next(h);
        assert_memory_equal(&got, &want, sizeof(want));
    }
    hasher_free(h);
}

static void first64_is_big_endian(void **state)
{
    struct sha256 h = sha256_of("abc", 3);

    (void)state;
    assert_true(sha256_first64(&h) == 0xba7816bf8f01cfeaU);
}

/* RFC 3720, B.4, and the customary check value. */
static void crc32c_known_values(void **state)
{
    unsigned char bytes[32];
    uint32_t crc;

    (void)state;
    assert_int_equal(crc32c(0, "", 0), 0);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283U);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aaU);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43U);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794eU);
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        crc = crc32c(0, bytes, cut);
        assert_int_equal(crc32c(crc, bytes + cut, sizeof(bytes) - cut), 0x46dd794eU);
    }
}

static void fnv1a64_known_values(void **state)
{
    (void)state;
    assert_true(fnv1a64("", 0) == 0xcbf29ce484222325U);
    assert_true(fnv1a64("a", 1) == 0xaf63dc4c8601ec8cU);
    assert_true(fnv1a64("foobar", 6) == 0x85944171f73967e8U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_known_values),   cmocka_unit_test(hmac_sha256_known_value),
        cmocka_unit_test(sha256_in_pieces),      cmocka_unit_test(a_hasher_begins_again),
        cmocka_unit_test(first64_is_big_endian), cmocka_unit_test(crc32c_known_values),
        cmocka_unit_test(fnv1a64_known_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
