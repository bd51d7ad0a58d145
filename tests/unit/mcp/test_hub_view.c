/* test_hub_view.c - views of upstream tools: what is visible, under which name, and what is an
 * error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_view.h"
#include "runtime/base/glob.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

static const char *const servers[] = {"git", "files"};
static const char *const git[] = {"log", "push", "gc"};
static const char *const files[] = {"read_text", "read.raw", "write", "history"};

static struct hub_names *names_new(void)
{
    struct hub_names *n = hub_names_new();

    hub_names_set(n, HUB_TOOL, "git", git, 3);
    hub_names_set(n, HUB_TOOL, "files", files, 4);
    return n;
}

static struct yaml *parse(const char *text)
{
    struct yaml *y = NULL;

    assert_ok(yaml_parse(text, strlen(text), "troupe.yaml", &y, why));
    return y;
}

static struct hub_views *views_of(const char *text)
{
    struct yaml *y = parse(text);
    struct hub_views *v = hub_views_new();

    assert_ok(hub_views_add(v, y, yaml_root(y), why));
    yaml_free(y);
    return v;
}

/* "name name(hidden) ..." of all visible tools, in the order of the servers. */
static void list(const struct hub_view *v, const struct hub_names *n, struct str *out)
{
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < (s ? 4u : 3u); i++) {
            const char *upstream = s ? files[i] : git[i], *server, *found;
            struct hub_seen seen;

            if (!hub_view_see(v, n, HUB_TOOL, servers[s], upstream, &seen))
                continue;
            str_printf(out, "%s%s%s", out->len ? " " : "", seen.name,
                       seen.listed ? "" : "(hidden)");
            /* What is visible is found by that name, and is that tool. */
            assert_true(hub_view_find(v, n, HUB_TOOL, servers, 2, seen.name, &server, &found));
            assert_string_equal(server, servers[s]);
            assert_string_equal(found, upstream);
        }
    }
}

static void test_what_is_visible(void **state)
{
    static const struct {
        const char *view, *expected;
    } cases[] = {
        {"{}", "git__log git__push git__gc files__read_text files__read_raw files__write "
               "files__history"},
        {"{servers: [git]}", "git__log git__push git__gc"},
        {"{servers: [f*]}", "files__read_text files__read_raw files__write files__history"},
        {"{servers: []}", ""},
        {"{allow: []}", ""},
        {"{allow: [git__log, files__read_*]}", "git__log files__read_text files__read_raw"},
        {"{allow: [log]}", ""},
        {"{deny: ['*__push', files__*]}", "git__log git__gc"},
        {"{allow: [git__*], deny: [git__*]}", ""},
        {"{servers: [git], hide: [git__gc]}", "git__log git__push git__gc(hidden)"},
        {"{servers: [git], rename: {git__log: history}}", "history git__push git__gc"},
        {"{servers: [files], names: bare}", "read_text read_raw write history"},
        {"{servers: [files], names: bare, deny: [write, files__history]}", "read_text read_raw"},
        {"{servers: [files], names: bare, rename: {write: put}}", "read_text read_raw put history"},
        /* another tool has this name by itself */
        {"{servers: [files], names: bare, rename: {write: history}}",
         "read_text read_raw write history"},
        {"{servers: [files], names: prefixed, allow: ['*__write']}", "files__write"},
    };
    struct hub_names *n = names_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = STR_INIT, out = STR_INIT;
        struct hub_views *v;

        str_printf(&text, "v: %s\n", cases[i].view);
        v = views_of(str_cstr(&text));
        list(hub_views_find(v, "v"), n, &out);
        assert_int_equal(hub_view_is_bare(hub_views_find(v, "v")),
                         strstr(cases[i].view, "bare") != NULL);
        assert_string_equal(str_cstr(&out), cases[i].expected);
        hub_views_free(v);
        str_deinit(&text);
        str_deinit(&out);
    }
    hub_names_free(n);
}

static void test_what_is_not_visible_is_not_found(void **state)
{
    static const struct {
        const char *view, *name;
    } cases[] = {
        {"{servers: [git]}", "files__write"},
        {"{deny: [git__push]}", "git__push"},
        {"{rename: {git__log: history}}", "git__log"}, /* the former name */
        {"{rename: {git__log: history}, deny: [git__log]}", "history"},
        {"{servers: [files], names: bare}", "files__write"},
        {"{servers: [files], names: bare}", "log"},
        {"{servers: [files], names: bare, deny: [write]}", "write"},
        {"{servers: [files], names: bare, rename: {write: put}}", "write"},
        {"{rename: {none__x: y}}", "y"},
        {"{}", "search_tools"},
        {"{}", ""},
    };
    struct hub_names *n = names_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = STR_INIT;
        struct hub_views *v;
        const char *server, *upstream;

        str_printf(&text, "v: %s\n", cases[i].view);
        v = views_of(str_cstr(&text));
        if (hub_view_find(hub_views_find(v, "v"), n, HUB_TOOL, servers, 2, cases[i].name, &server,
                          &upstream))
            fail_msg("%s %s: %s %s", cases[i].view, cases[i].name, server, upstream);
        hub_views_free(v);
        str_deinit(&text);
    }
    hub_names_free(n);
}

static void test_resources(void **state)
{
    static const struct {
        const char *view;
        bool sees;
    } cases[] = {
        {"{}", true},
        {"{servers: [git]}", false},
        {"{allow: [files__*]}", false},
        {"{allow: ['troupe://files/file:///a/*']}", true},
        {"{allow: ['file:///a/*']}", false},
        {"{deny: ['*/a/b']}", false},
        {"{deny: [files__*]}", true},
        {"{servers: [files], names: bare, allow: ['file:///a/*']}", true},
        {"{servers: [files], names: bare, deny: ['file:*']}", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str text = STR_INIT;
        struct hub_views *v;

        str_printf(&text, "v: %s\n", cases[i].view);
        v = views_of(str_cstr(&text));
        if (hub_view_sees_uri(hub_views_find(v, "v"), "files", "file:///a/b") != cases[i].sees)
            fail_msg("%s", cases[i].view);
        hub_views_free(v);
        str_deinit(&text);
    }
}

/* A server takes each of these for what the rule names. */
static void test_a_rule_holds_for_each_spelling_of_a_uri(void **state)
{
    static const struct {
        const char *rule, *uri; /* of a server `files` */
        bool is_denied;
    } cases[] = {
        {"mem://x", "mem://./x", true},
        {"mem://x", "mem://y/../x", true},
        {"mem://x", "MEM://x", true},
        {"mem://x", "mem://X", true}, /* a host has no case */
        {"mem://x", "mem://%78", true},
        {"mem://x", "mem:///x", false}, /* in the plain form only the host is empty */
        {"mem://x", "mem://x/.", true},
        {"mem://x", "mem://x#part", true},
        {"mem://x", "mem://y", false},
        {"mem://%78", "mem://x", true},
        {"mem://a*b", "mem://aXb", true},
        {"mem://a%2Ab", "mem://a*b", true},
        {"mem://a%2Ab", "mem://aXb", false},
        {"file:///a/*", "file:///b/../a/c", true},
        {"file:///a/*", "file:///b/%2e%2E/a/c", true},
        {"file:///a/*", "file:///b%2F..%2Fa%2Fc", true},
        {"file:///a/*", "file:////a//c", true},
        {"file:///a/*", "file://localhost/a/c", true},
        {"file:///a/*", "file:///../../a/c", true},
        {"file:///a/*", "file:///b/c", false},
        {"https://h/a", "https://H:443/./a", true},
        {"https://h/a", "https://h:444/a", false},
        {"https://h/", "https://h", true},
        {"https://h/a", "https://g/../h/a", false}, /* another host */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases) * 2; i++) {
        bool is_allow = i % 2;
        struct str text = STR_INIT;
        struct hub_views *v;

        str_printf(&text,
                   "v: {%s: ['troupe://files/%s']}\nb: {servers: [files], names: bare, %s: "
                   "['%s']}\n",
                   is_allow ? "allow" : "deny", cases[i / 2].rule, is_allow ? "allow" : "deny",
                   cases[i / 2].rule);
        v = views_of(str_cstr(&text));
        for (size_t k = 0; k < 2; k++) {
            const struct hub_view *one = hub_views_find(v, k ? "b" : "v");

            /* `deny` takes every spelling; `allow` may take fewer, never another resource. */
            if (is_allow
                    ? hub_view_sees_uri(one, "files", cases[i / 2].uri) && !cases[i / 2].is_denied
                    : hub_view_sees_uri(one, "files", cases[i / 2].uri) == cases[i / 2].is_denied)
                fail_msg("%s%s: %s", str_cstr(&text), k ? "(bare)" : "", cases[i / 2].uri);
        }
        hub_views_free(v);
        str_deinit(&text);
    }
}

static void test_allow_is_no_way_out_of_its_folder(void **state)
{
    static const char *const uris[] = {"file:///pub/../secret", "file:///pub/%2e%2e/secret",
                                       "file:///pub/..%2Fsecret", "file:///pub/a/../../secret",
                                       "mem://pub/../secret"};
    struct hub_views *v = views_of("v: {allow: ['troupe://files/file:///pub/*',"
                                   " 'troupe://files/mem://pub/*']}");

    (void)state;
    assert_true(hub_view_sees_uri(hub_views_find(v, "v"), "files", "file:///pub/a%20b"));
    assert_true(hub_view_sees_uri(hub_views_find(v, "v"), "files", "file:///pub/a/../b"));
    assert_true(hub_view_sees_uri(hub_views_find(v, "v"), "files", "mem://pub/a?q=../x"));
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        if (hub_view_sees_uri(hub_views_find(v, "v"), "files", uris[i]))
            fail_msg("%s", uris[i]);
    }
    hub_views_free(v);
}

static void test_descriptions(void **state)
{
    struct hub_names *n = names_new();
    struct hub_views *v =
        views_of("reader: {rename: {git__log: history}, describe: {git__log: New.}}\n");
    struct hub_seen seen;

    (void)state;
    assert_true(hub_view_see(hub_views_find(v, "reader"), n, HUB_TOOL, "git", "log", &seen));
    assert_string_equal(seen.description, "New.");
    assert_true(hub_view_see(hub_views_find(v, "reader"), n, HUB_TOOL, "git", "gc", &seen));
    assert_null(seen.description);
    assert_true(hub_view_see(hub_views_all(v), n, HUB_TOOL, "git", "log", &seen));
    assert_string_equal(seen.name, "git__log");
    assert_string_equal(hub_views_nearest(v, "redaer"), "reader");
    hub_views_free(v);
    hub_names_free(n);
}

static void test_errors_have_their_place(void **state)
{
    static const struct {
        const char *text, *place, *words;
    } cases[] = {
        {"[]", "1:1", "mapping of names"},
        {"v: []", "1:4", "a view is a mapping"},
        {"a b: {}", "1:1", "name of a view"},
        {"v: {alow: []}", "1:5", "allow"},
        {"v: {deny: git__*}", "1:11", "list of names or patterns"},
        {"v: {deny: [[x]]}", "1:12", "a name or a pattern"},
        {"v: {rename: [a]}", "1:13", "mapping of names"},
        {"v: {rename: {a__b: [c]}}", "1:20", "expected a text"},
        {"v: {rename: {'a__*': c}}", "1:14", "no patterns"},
        {"v: {rename: {a__b: c d}}", "1:20", "letters, digits"},
        {"v: {rename: {a__b: c__d}}", "1:20", "names a server"},
        {"v: {rename: {a__b: call_tool}}", "1:20", "hub itself"},
        {"v: {rename: {a__b: x, a__c: x}}", "1:29", "a__b gets this name too"},
        {"v: {names: short}", "1:12", "bare or prefixed"},
        {"v: {names: bare}", "1:12", "one server"},
        {"v: {names: bare, servers: [a, b]}", "1:12", "one server"},
        {"v: {names: bare, servers: ['*']}", "1:12", "one server"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct yaml *y = parse(cases[i].text);
        struct hub_views *v = hub_views_new();
        struct error err = ERROR_INIT;

        assert_int_equal(hub_views_add(v, y, yaml_root(y), &err), STATUS_CONFIG);
        if (!strstr(err.where, cases[i].place) || !strstr(err.message, cases[i].words))
            fail_msg("%s: %s %s", cases[i].text, err.where, err.message);
        assert_int_equal(hub_views_size(v), 0);
        yaml_free(y);
        hub_views_free(v);
    }
}

static void test_the_first_file_counts(void **state)
{
    struct yaml *one = parse("v: {servers: [git]}"), *two = parse("{v: {}, w: {}}");
    struct hub_views *v = hub_views_new();

    (void)state;
    assert_ok(hub_views_add(v, one, yaml_root(one), why));
    assert_ok(hub_views_add(v, two, yaml_root(two), why));
    assert_int_equal(hub_views_size(v), 2);
    assert_false(hub_view_has_server(hub_views_find(v, "v"), "files"));
    assert_true(hub_view_has_server(hub_views_find(v, "w"), "files"));
    assert_string_equal(hub_view_name(hub_views_at(v, 1)), "w");
    assert_false(hub_view_is_bare(hub_views_find(v, "v")));
    yaml_free(one);
    yaml_free(two);
    hub_views_free(v);
}

/* ---- random rules against a reference */

#define N_RULES 4

struct rules {
    char text[3][N_RULES][16]; /* servers, allow, deny */
    size_t n[3];               /* N_RULES + 1: the key is not there */
};

static const char *const rule_key[] = {"servers", "allow", "deny"};

static void random_pattern(uint32_t seed, uint32_t at, bool of_server, char out[16])
{
    static const char *const server[] = {"git", "files", "*", "g*", "f?les", "none"};
    static const char *const tool[] = {"*", "log", "push", "re*", "read_raw", "?c", "w*e", "x"};
    struct rng_block b = rng_philox(11, seed, at, 0, 0);

    if (of_server)
        (void)snprintf(out, 16, "%s", server[b.word[0] % 6]);
    else
        (void)snprintf(out, 16, "%s__%s", server[b.word[0] % 6], tool[b.word[1] % 8]);
}

static struct rules random_rules(uint32_t seed)
{
    struct rules r;

    for (uint32_t k = 0; k < 3; k++) {
        r.n[k] = rng_philox(12, seed, k, 0, 0).word[0] % (N_RULES + 2);
        for (uint32_t i = 0; i < N_RULES; i++)
            random_pattern(seed, 16 * k + i, k == 0, r.text[k][i]);
    }
    return r;
}

static bool reference(const struct rules *r, const char *server, const char *full)
{
    bool through[3];

    for (size_t k = 0; k < 3; k++) {
        through[k] = r->n[k] > N_RULES && k < 2; /* not given: all are let through */
        for (size_t i = 0; r->n[k] <= N_RULES && i < r->n[k]; i++)
            through[k] = through[k] || glob_match(r->text[k][i], k == 0 ? server : full);
    }
    return through[0] && through[1] && !through[2];
}

static struct hub_views *views_of_rules(const struct rules *r, const char *one_more_deny)
{
    struct str text = STR_INIT;
    struct hub_views *v;

    str_puts(&text, "v: {");
    for (size_t k = 0; k < 3; k++) {
        bool more = k == 2 && one_more_deny;

        if (r->n[k] > N_RULES && !more)
            continue;
        str_printf(&text, "%s: [", rule_key[k]);
        for (size_t i = 0; r->n[k] <= N_RULES && i < r->n[k]; i++)
            str_printf(&text, "'%s',", r->text[k][i]);
        str_printf(&text, "%s%s%s],", more ? "'" : "", more ? one_more_deny : "", more ? "'" : "");
    }
    str_puts(&text, "}\n");
    v = views_of(str_cstr(&text));
    str_deinit(&text);
    return v;
}

static void test_random_rules_agree_and_deny_never_widens(void **state)
{
    struct hub_names *n = names_new();
    size_t visible = 0, hidden_by_more = 0;

    (void)state;
    for (uint32_t seed = 0; seed < 2000; seed++) {
        struct rules r = random_rules(seed);
        char more[16];
        struct hub_views *v, *stricter;

        random_pattern(seed, 100, false, more);
        v = views_of_rules(&r, NULL);
        stricter = views_of_rules(&r, more);
        for (size_t s = 0; s < 2; s++) {
            for (size_t i = 0; i < (s ? 4u : 3u); i++) {
                const char *upstream = s ? files[i] : git[i];
                const char *full = hub_names_of(n, HUB_TOOL, servers[s], upstream);
                struct hub_seen seen;
                bool sees =
                    hub_view_see(hub_views_find(v, "v"), n, HUB_TOOL, servers[s], upstream, &seen);
                bool still = hub_view_see(hub_views_find(stricter, "v"), n, HUB_TOOL, servers[s],
                                          upstream, &seen);

                assert_int_equal(sees, reference(&r, servers[s], full));
                assert_int_equal(still, sees && !glob_match(more, full));
                visible += sees;
                hidden_by_more += sees && !still;
            }
        }
        hub_views_free(v);
        hub_views_free(stricter);
    }
    assert_true(visible > 500 && hidden_by_more > 50); /* the rules are neither all nor nothing */
    hub_names_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_visible),
        cmocka_unit_test(test_what_is_not_visible_is_not_found),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_a_rule_holds_for_each_spelling_of_a_uri),
        cmocka_unit_test(test_allow_is_no_way_out_of_its_folder),
        cmocka_unit_test(test_descriptions),
        cmocka_unit_test(test_errors_have_their_place),
        cmocka_unit_test(test_the_first_file_counts),
        cmocka_unit_test(test_random_rules_agree_and_deny_never_widens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
