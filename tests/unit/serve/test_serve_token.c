/* test_serve_token.c - the file of tokens: its form, its mode, expiry, scopes, and wrong tokens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/hash.h"
#include "runtime/base/rng.h"
#include "runtime/serve/serve_token.h"
#include "tests/support/temp_dir.h"

#include <sys/stat.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct bench {
    char folder[64], path[96];
    struct seams seams; /* the wall clock is now_ms */
    int64_t now_ms;
};

static int64_t bench_now(void *ctx)
{
    return *(int64_t *)ctx;
}

static int make_bench(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    temp_dir(b->folder);
    snprintf(b->path, sizeof(b->path), "%s/deep/tokens", b->folder);
    b->seams = *seams_real();
    b->now_ms = INT64_C(1800000000000);
    b->seams.clock.ctx = &b->now_ms;
    b->seams.clock.wall_ms = bench_now;
    *state = b;
    return 0;
}

static int free_bench(void **state)
{
    struct bench *b = *state;

    temp_dir_remove(b->folder);
    free(b);
    return 0;
}

static struct token_file *open_file(struct bench *b)
{
    struct token_file *f = NULL;

    assert_ok(token_file_open(b->path, &b->seams, &f, why));
    return f;
}

/* The file has this text, and only its owner can read it. */
static void put(struct bench *b, const char *text)
{
    snprintf(b->path, sizeof(b->path), "%s/tokens", b->folder);
    temp_put(b->path, text, strlen(text));
    assert_int_equal(chmod(b->path, 0600), 0);
}

static bool finds(struct token_file *f, const char *token, const char **name)
{
    return token_file_find(f, token, strlen(token), name);
}

static void a_token_is_made_printed_once_and_found(void **state)
{
    struct bench *b = *state;
    char one[TOKEN_TEXT_MAX], two[TOKEN_TEXT_MAX], *text;
    const char *name = NULL;
    struct token_file *f;
    struct stat info;
    size_t n;

    assert_ok(token_file_add(b->path, &b->seams, "first", TOKEN_ALL, 0, one, why));
    assert_ok(token_file_add(b->path, &b->seams, "ci-2.b", TOKEN_V1 | TOKEN_METRICS,
                             b->now_ms + 5000, two, why));
    assert_int_equal(strlen(one), strlen(TOKEN_PREFIX) + 43); /* 256 bits in base64url */
    assert_memory_equal(one, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
    assert_int_equal(
        strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        strlen(one));
    assert_string_not_equal(one, two);
    assert_int_equal(stat(b->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(file_read(b->path, 1 << 16, &text, &n, why));
    assert_null(strstr(text, one));
    assert_null(strstr(text, one + strlen(TOKEN_PREFIX)));
    assert_non_null(strstr(text, " first all -\n"));
    assert_non_null(strstr(text, " ci-2.b v1,metrics 2027-01-15T08:00:05Z\n"));
    free(text);
    f = open_file(b);
    assert_int_equal(token_file_count(f), 2);
    assert_true(finds(f, one, &name));
    assert_string_equal(name, "first");
    assert_int_equal(token_file_scopes(f, name), TOKEN_ALL);
    assert_true(finds(f, two, &name));
    assert_string_equal(name, "ci-2.b");
    assert_int_equal(token_file_scopes(f, name), TOKEN_V1 | TOKEN_METRICS);
    assert_int_equal(token_file_scopes(f, "nobody"), 0);
    token_file_free(f);
}

static void a_token_ends_at_its_time(void **state)
{
    struct bench *b = *state;
    char token[TOKEN_TEXT_MAX];
    const char *name = NULL;
    struct token_file *f;

    assert_ok(token_file_add(b->path, &b->seams, "a", TOKEN_V1, b->now_ms + 1000, token, why));
    f = open_file(b);
    b->now_ms += 999;
    assert_true(finds(f, token, &name));
    b->now_ms += 1;
    assert_false(finds(f, token, &name));
    b->now_ms -= 1;
    assert_true(finds(f, token, &name));
    token_file_free(f);
}

static void no_wrong_token_is_found(void **state)
{
    struct bench *b = *state;
    char token[TOKEN_TEXT_MAX], wrong[TOKEN_TEXT_MAX];
    const char *name = NULL;
    struct token_file *f;
    size_t n;

    assert_ok(token_file_add(b->path, &b->seams, "a", TOKEN_V1, 0, token, why));
    assert_ok(token_file_add(b->path, &b->seams, "b", TOKEN_V1, 0, wrong, why));
    f = open_file(b);
    n = strlen(token);
    for (size_t i = 0; i < n; i++) { /* one character differs, or the end is missing */
        memcpy(wrong, token, sizeof(wrong));
        wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
        assert_false(finds(f, wrong, &name));
        assert_false(token_file_find(f, token, i, &name));
    }
    for (uint32_t i = 0; i < 100000; i++) {
        int length = snprintf(wrong, sizeof(wrong), TOKEN_PREFIX "%043u", i);

        assert_false(token_file_find(f, wrong, (size_t)length, &name));
    }
    assert_null(name);
    assert_false(token_file_find(f, "", 0, &name));
    assert_true(token_file_find(f, token, n, &name));
    token_file_free(f);
}

static void lines_that_cannot_be_read_are_named(void **state)
{
    static const struct {
        const char *text;
        int line; /* 0: fine */
        const char *message;
    } cases[] = {
        {"", 0, NULL},
        {"# only a comment\n\n \t\r\n", 0, NULL},
        {HEX " a all -\n", 0, NULL},
        {"\n  " HEX "\ta\tv1,api  2030-01-01T00:00:00+01:00", 0, NULL},
        {"\n" HEX " a all\n", 2, "expected SHA-256, name, scopes and expiry"},
        {HEX " a all - more\n", 1, "expected SHA-256, name, scopes and expiry"},
        {"0" HEX " a all -\n", 1, "expected SHA-256, name, scopes and expiry"},
        {"g" HEX " a all -\n", 1, "expected SHA-256, name, scopes and expiry"},
        {"abc a all -\n", 1, "expected SHA-256, name, scopes and expiry"},
        {HEX " a/b all -\n", 1, "expected SHA-256, name, scopes and expiry"},
        {HEX " a read -\n", 1,
         "\"read\" is not a scope; the scopes are v1, api, mcp, metrics and all"},
        {HEX " a v1, -\n", 1, "\"\" is not a scope; the scopes are v1, api, mcp, metrics and all"},
        {HEX " a all tomorrow\n", 1, "\"tomorrow\" is not a time, as in 2027-01-31T08:00:00Z"},
        {HEX " a v1 -\n" HEX " b v1 -\n# x\n" HEX " a all -\n", 4,
         "there is another token named a"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct token_file *f = NULL;
        struct error err = ERROR_INIT;
        char where[128];
        enum status st;

        put(b, cases[i].text);
        st = token_file_open(b->path, &b->seams, &f, &err);
        if (st != (cases[i].line ? STATUS_CONFIG : STATUS_OK))
            fail_msg("%s: status %d, %s", cases[i].text, st, err.message);
        token_file_free(f);
        if (!cases[i].line)
            continue;
        snprintf(where, sizeof(where), "%s:%d:1", b->path, cases[i].line);
        assert_string_equal(err.where, where);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void only_its_owner_may_read_the_file(void **state)
{
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0666, 0777};
    struct bench *b = *state;
    struct token_file *f = NULL;
    struct error err = ERROR_INIT;
    char token[TOKEN_TEXT_MAX];

    put(b, HEX " a all -\n");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(b->path, modes[i]), 0);
        assert_int_equal(token_file_open(b->path, &b->seams, &f, &err), STATUS_CONFIG);
        assert_non_null(strstr(err.message, "other users can read the file"));
        assert_non_null(strstr(err.hint, "chmod 600"));
        assert_int_equal(token_file_add(b->path, &b->seams, "b", TOKEN_V1, 0, token, &err),
                         STATUS_CONFIG);
    }
    assert_int_equal(chmod(b->path, 0400), 0);
    assert_ok(token_file_open(b->path, &b->seams, &f, why));
    token_file_free(f);
}

static void what_is_not_such_a_file_is_refused(void **state)
{
    struct bench *b = *state;
    struct token_file *f = NULL;
    struct error err = ERROR_INIT;
    char token[TOKEN_TEXT_MAX];

    assert_int_equal(token_file_open(b->path, &b->seams, &f, &err), STATUS_NOT_FOUND);
    assert_int_equal(token_file_add(b->path, &b->seams, "a b", TOKEN_V1, 0, token, &err),
                     STATUS_USAGE);
    assert_int_equal(token_file_add(b->path, &b->seams, "", TOKEN_V1, 0, token, &err),
                     STATUS_USAGE);
    assert_false(file_exists(b->path));
    assert_ok(token_file_add(b->path, &b->seams, "a", TOKEN_V1, 0, token, why));
    assert_int_equal(token_file_add(b->path, &b->seams, "a", TOKEN_ALL, 0, token, &err),
                     STATUS_USAGE);
    assert_non_null(strstr(err.message, "already has a token with the name a"));
    put(b, "");
    temp_put(b->path, "# x\n\0" HEX " a all -\n", 70);
    assert_int_equal(token_file_open(b->path, &b->seams, &f, &err), STATUS_CONFIG);
    assert_non_null(strstr(err.message, "not a text"));
    assert_int_equal(unlink(b->path), 0);
    assert_int_equal(mkfifo(b->path, 0600), 0);
    assert_int_equal(token_file_open(b->path, &b->seams, &f, &err), STATUS_INVALID);
}

static void a_reload_keeps_names_that_were_lent(void **state)
{
    struct bench *b = *state;
    char one[TOKEN_TEXT_MAX], two[TOKEN_TEXT_MAX];
    const char *lent = NULL, *name = NULL;
    struct token_file *f;

    assert_ok(token_file_add(b->path, &b->seams, "one", TOKEN_V1, 0, one, why));
    f = open_file(b);
    assert_true(finds(f, one, &lent));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(unlink(b->path), 0);
        assert_ok(token_file_add(b->path, &b->seams, "two", TOKEN_API, 0, two, why));
        token_file_replace(f, open_file(b));
        assert_false(finds(f, one, &name));
        assert_true(finds(f, two, &name));
        assert_string_equal(lent, "one");
        assert_int_equal(token_file_scopes(f, lent), 0); /* revoked for requests under way, too */
    }
    token_file_free(f);
}

int main(void)
{
#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, make_bench, free_bench)
    const struct CMUnitTest tests[] = {
        ON_BENCH(a_token_is_made_printed_once_and_found),
        ON_BENCH(a_token_ends_at_its_time),
        ON_BENCH(no_wrong_token_is_found),
        ON_BENCH(lines_that_cannot_be_read_are_named),
        ON_BENCH(only_its_owner_may_read_the_file),
        ON_BENCH(what_is_not_such_a_file_is_refused),
        ON_BENCH(a_reload_keeps_names_that_were_lent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
