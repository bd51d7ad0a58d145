/* test_hub_names.c - the one namespace: names that fit, stable, different, and found again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_names.h"
#include "runtime/base/map.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

static void assert_fits(const char *name)
{
    size_t n = strlen(name);

    assert_in_range(n, 1, HUB_NAME_MAX);
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", name[i]))
            fail_msg("%s", name);
}

static void test_names_of_one_server(void **state)
{
    static const struct {
        const char *server, *names[4];
        const char *expected[3];
    } cases[] = {
        {"fs", {"read_file", NULL}, {"fs__read_file"}},
        {"fs", {"read.file", NULL}, {"fs__read_file"}},
        {"fs", {"read file (v2)", NULL}, {"fs__read_file__v2_"}},
        {"fs", {"caf\xc3\xa9", "a/b", NULL}, {"fs__caf_", "fs__a_b"}},
        {"fs", {"\xff", "", NULL}, {"fs___", "fs__unnamed"}},
        {"fs", {"_b", "__b", NULL}, {"fs___b", "fs____b"}},
        /* one fits: it keeps its name, the other gets an alias */
        {"fs", {"a.b", "a_b", NULL}, {"fs__a_b_748250f6", "fs__a_b"}},
        /* none fits: neither gets the plain form */
        {"fs", {"a.b", "a b", NULL}, {"fs__a_b_748250f6", "fs__a_b_2d0a9ff9"}},
        {"fs", {"search_tools", "call_tool", NULL}, {"fs__search_tools", "fs__call_tool"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hub_names *n = hub_names_new();
        size_t count = 0;

        while (cases[i].names[count])
            count++;
        hub_names_set(n, HUB_TOOL, cases[i].server, cases[i].names, count);
        for (size_t k = 0; k < count; k++) {
            const char *name = hub_names_of(n, HUB_TOOL, cases[i].server, cases[i].names[k]);
            const char *server, *upstream;

            assert_string_equal(name, cases[i].expected[k]);
            assert_true(hub_names_find(n, HUB_TOOL, name, &server, &upstream));
            assert_string_equal(server, cases[i].server);
            assert_string_equal(upstream, cases[i].names[k]);
            assert_false(hub_names_find(n, HUB_PROMPT, name, &server, &upstream));
        }
        hub_names_free(n);
    }
}

static void test_prefixes_of_servers(void **state)
{
    static const struct {
        const char *server, *expected;
    } cases[] = {
        {"git", "git"},
        {"GitHub-2", "GitHub-2"},
        {"a_b", "a_b"},
        {"GitHub MCP", "GitHub_MCP-408b061889"},
        {"a__b", "a_b-63e5c1c455"},
        {"a_", "a_-571fb0e30b"},
        {"", "unnamed-e3b0c44298"},
        {"git-0123456789", NULL}, /* looks like an alias, so it gets one */
        {"a-server-with-a-very-long-name-indeed", NULL},
        {"\xe6\x97\xa5", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char prefix[HUB_PREFIX_MAX + 1];

        hub_names_prefix(cases[i].server, prefix);
        assert_fits(prefix);
        assert_in_range(strlen(prefix), 1, HUB_PREFIX_MAX);
        assert_null(strstr(prefix, "__"));
        assert_int_not_equal(prefix[strlen(prefix) - 1], '_');
        if (cases[i].expected && strcmp(prefix, cases[i].expected) != 0)
            print_message("%s: %s\n", cases[i].server, prefix);
        if (cases[i].expected)
            assert_string_equal(prefix, cases[i].expected);
        else
            assert_string_not_equal(prefix, cases[i].server);
    }
}

/* google-gemini/gemini-cli#28970: names over 63 characters, equal in the first and the last 30. */
static void test_long_names_that_differ_in_the_middle(void **state)
{
    static const char *const names[] = {
        "list_all_the_open_pull_requests_A_for_the_repository_with_labels",
        "list_all_the_open_pull_requests_B_for_the_repository_with_labels",
    };
    const char *const turned[] = {names[1], names[0]};
    struct hub_names *n = hub_names_new(), *again = hub_names_new();
    const char *server, *upstream, *alias[2];

    (void)state;
    hub_names_set(n, HUB_TOOL, "tracker", names, 2);
    hub_names_set(again, HUB_TOOL, "other", names, 2); /* after a restart, in another order */
    hub_names_set(again, HUB_TOOL, "tracker", turned, 2);
    for (int i = 0; i < 2; i++) {
        alias[i] = hub_names_of(n, HUB_TOOL, "tracker", names[i]);
        assert_fits(alias[i]);
        assert_true(hub_names_find(n, HUB_TOOL, alias[i], &server, &upstream));
        assert_string_equal(server, "tracker");
        assert_string_equal(upstream, names[i]);
        assert_string_equal(hub_names_of(again, HUB_TOOL, "tracker", names[i]), alias[i]);
    }
    assert_string_not_equal(alias[0], alias[1]);
    hub_names_free(n);
    hub_names_free(again);
}

/* Two servers whose names and tools run together in the same way. */
static void test_servers_never_share_a_name(void **state)
{
    static const char *const one[] = {"b__c", "_b__c"}, *const two[] = {"c"},
                             *const three[] = {"b__c"};
    struct hub_names *n = hub_names_new();
    const char *server, *upstream;

    (void)state;
    hub_names_set(n, HUB_TOOL, "a", one, 2);
    hub_names_set(n, HUB_TOOL, "a__b", two, 1);
    hub_names_set(n, HUB_TOOL, "a_", three, 1);
    assert_string_equal(hub_names_of(n, HUB_TOOL, "a", "b__c"), "a__b__c");
    assert_string_equal(hub_names_of(n, HUB_TOOL, "a", "_b__c"), "a___b__c");
    assert_true(hub_names_find(n, HUB_TOOL, "a__b__c", &server, &upstream));
    assert_string_equal(server, "a");
    assert_string_not_equal(hub_names_of(n, HUB_TOOL, "a__b", "c"), "a__b__c");
    assert_string_not_equal(hub_names_of(n, HUB_TOOL, "a_", "b__c"), "a___b__c");
    hub_names_remove(n, "a");
    assert_false(hub_names_find(n, HUB_TOOL, "a__b__c", &server, &upstream));
    assert_true(
        hub_names_find(n, HUB_TOOL, hub_names_of(n, HUB_TOOL, "a__b", "c"), &server, &upstream));
    assert_string_equal(server, "a__b");
    hub_names_free(n);
}

/* A tool that is named like the alias of another one. */
static void test_an_alias_that_is_taken_gets_more_digits(void **state)
{
    static const char *const names[] = {"a.b", "a b", "a_b_748250f6"};
    struct hub_names *n = hub_names_new();

    (void)state;
    hub_names_set(n, HUB_TOOL, "fs", names, 3);
    assert_string_equal(hub_names_of(n, HUB_TOOL, "fs", "a_b_748250f6"), "fs__a_b_748250f6");
    assert_memory_equal(hub_names_of(n, HUB_TOOL, "fs", "a.b"), "fs__a_b_748250f6", 16);
    assert_int_equal(strlen(hub_names_of(n, HUB_TOOL, "fs", "a.b")), 20);
    hub_names_free(n);
}

/* Random names of few letters, so that many are alike: all different, all found, in any order. */
static void test_random_lists(void **state)
{
    static const char letters[] = "ab_-. /";

    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        char text[24][80];
        const char *names[24], *turned[24];
        struct hub_names *n = hub_names_new(), *other = hub_names_new();
        struct map *seen = map_new(), *seen_bare = map_new();

        for (uint32_t i = 0; i < 24; i++) {
            struct rng_block b = rng_philox(3, round, i, 0, 0);
            size_t len = rng_below(b.word[0], 4) + (b.word[1] % 8 == 0 ? 60 : 0);

            for (size_t k = 0; k < len; k++)
                text[i][k] = letters[rng_philox(4, round, i, (uint32_t)k, 0).word[0] % 7];
            text[i][len] = '\0';
            names[i] = text[i];
            turned[23 - i] = text[i];
        }
        hub_names_set(n, HUB_TOOL, "s", names, 24);
        hub_names_set(other, HUB_TOOL, "s", turned, 24);
        for (int i = 0; i < 24; i++) {
            const char *full = hub_names_of(n, HUB_TOOL, "s", names[i]);
            const char *bare = hub_names_bare(n, HUB_TOOL, "s", names[i]);
            const char *before = map_put(seen, full, (void *)(uintptr_t)names[i]);
            const char *server, *upstream;

            assert_fits(full);
            assert_fits(bare);
            assert_true(!before || strcmp(before, names[i]) == 0);
            before = map_put(seen_bare, bare, (void *)(uintptr_t)names[i]);
            assert_true(!before || strcmp(before, names[i]) == 0);
            assert_string_equal(hub_names_of(other, HUB_TOOL, "s", names[i]), full);
            assert_true(hub_names_find(n, HUB_TOOL, full, &server, &upstream));
            assert_string_equal(upstream, names[i]);
            assert_string_equal(hub_names_find_bare(n, HUB_TOOL, "s", bare), names[i]);
        }
        map_free(seen, NULL);
        map_free(seen_bare, NULL);
        hub_names_free(n);
        hub_names_free(other);
    }
}

static void test_bare_names_leave_the_hubs_own(void **state)
{
    static const char *const names[] = {"search_tools", "echo"};
    struct hub_names *n = hub_names_new();

    (void)state;
    hub_names_set(n, HUB_TOOL, "s", names, 2);
    assert_string_equal(hub_names_bare(n, HUB_TOOL, "s", "echo"), "echo");
    assert_false(hub_names_is_reserved(hub_names_bare(n, HUB_TOOL, "s", "search_tools")));
    assert_null(hub_names_find_bare(n, HUB_TOOL, "s", "search_tools"));
    assert_null(hub_names_find_bare(n, HUB_TOOL, "other", "echo"));
    hub_names_free(n);
}

static void test_uris_are_reversible(void **state)
{
    static const char *const servers[] = {"fs", "My Server", "FS"};
    static const char *const uris[] = {
        "file:///a/b%20c?d=e#f", "test://template/{id}/data",  "{+uri}",       "",   "/x",
        "troupe://fs/file:///x", "http://[::1]:80/{?q,page*}", "mem:\xc3\xa9", "a b"};
    const char *server, *upstream;
    struct str out = STR_INIT;

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(servers); s++) {
        for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
            str_clear(&out);
            hub_uri_put(servers[s], uris[i], &out);
            assert_true(hub_uri_split(str_cstr(&out), servers, 3, &server, &upstream));
            assert_string_equal(server, servers[s]);
            assert_string_equal(upstream, uris[i]);
        }
    }
    assert_false(hub_uri_split("file:///a", servers, 3, &server, &upstream));
    assert_false(hub_uri_split("troupe://other/file:///a", servers, 3, &server, &upstream));
    assert_false(hub_uri_split("troupe://fs", servers, 3, &server, &upstream));
    assert_false(hub_uri_split("troupe://Fs/x", servers, 3, &server, &upstream)); /* two */
    assert_true(hub_uri_split("TROUPE://Fs/x", servers, 2, &server, &upstream));
    assert_string_equal(server, "fs");
    str_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_one_server),
        cmocka_unit_test(test_prefixes_of_servers),
        cmocka_unit_test(test_long_names_that_differ_in_the_middle),
        cmocka_unit_test(test_servers_never_share_a_name),
        cmocka_unit_test(test_an_alias_that_is_taken_gets_more_digits),
        cmocka_unit_test(test_random_lists),
        cmocka_unit_test(test_bare_names_leave_the_hubs_own),
        cmocka_unit_test(test_uris_are_reversible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
