/* test_mcp_config.c - the servers of configuration files: what is read, what is refused and where,
 * which file counts, and what a change means.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "tests/support/mcp_files.h"

/* One server `s` in .mcp.json (or troupe.yaml), its fields as JSON. */
static struct mcp_config *load_fields(struct mcp_files *f, bool own, const char *fields)
{
    struct str text = STR_INIT;
    struct mcp_config *c;

    if (own)
        str_printf(&text, "mcp:\n  servers:\n    s: %s\n", fields);
    else
        str_printf(&text, "{\"mcpServers\": {\n  \"s\": %s\n}}", fields);
    mcp_files_init(f);
    mcp_files_put(f, own ? 1 : 0, str_cstr(&text));
    c = mcp_files_load(f);
    str_deinit(&text);
    return c;
}

static void test_transports_are_inferred(void **state)
{
    static const struct {
        const char *fields;
        enum mcp_server_transport transport;
        const char *target;
    } cases[] = {
        {"{\"command\": \"npx\"}", MCP_STDIO, "npx"},
        {"{\"type\": \"stdio\", \"command\": \"npx\"}", MCP_STDIO, "npx"},
        {"{\"url\": \"https://a.example/mcp\"}", MCP_HTTP, "https://a.example/mcp"},
        {"{\"url\": \"https://a.example/sse?x=1\"}", MCP_SSE, "https://a.example/sse?x=1"},
        {"{\"type\": \"http\", \"url\": \"https://a.example/sse\"}", MCP_HTTP,
         "https://a.example/sse"},
        {"{\"type\": \"sse\", \"url\": \"https://a.example/\"}", MCP_SSE, "https://a.example/"},
        {"{\"type\": \"streamable-http\", \"url\": \"https://a\"}", MCP_HTTP, "https://a"},
        {"{\"serverUrl\": \"https://a.example/mcp\"}", MCP_HTTP, "https://a.example/mcp"},
        {"{\"httpUrl\": \"https://h/sse\", \"url\": \"https://u/\"}", MCP_HTTP, "https://h/sse"},
        {"{\"url\": \"https://u/\", \"httpUrl\": \"https://h/\"}", MCP_HTTP, "https://h/"},
        {"{\"url\": \"${TROUPE_TEST_URL:-https://d}/mcp\"}", MCP_HTTP,
         "${TROUPE_TEST_URL:-https://d}/mcp"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mcp_files f;
        struct mcp_config *c = load_fields(&f, false, cases[i].fields);
        const struct mcp_server_spec *s = mcp_config_find(c, "s");

        assert_non_null(s);
        if (s->problem)
            fail_msg("%s: %s", cases[i].fields, s->problem->message);
        assert_int_equal(s->transport, cases[i].transport);
        assert_string_equal(s->transport == MCP_STDIO ? s->command : s->url, cases[i].target);
        mcp_config_free(c);
        mcp_files_deinit(&f);
    }
}

static void test_faults_have_their_place_and_stop_one_server(void **state)
{
    static const struct {
        bool own;
        const char *fields, *place, *words;
    } cases[] = {
        {false, "{}", "2:8", "neither `command` nor `url`"},
        {false, "[]", "2:8", "expected the fields of a server, got array"},
        {false, "{\"command\": \"a\", \"url\": \"https://b\"}", "2:8", "both"},
        {false, "{\"command\": 3}", "2:20", "command: expected a text, got integer"},
        {false, "{\"command\": \"\"}", "2:20", "empty"},
        {false, "{\"type\": \"pipe\", \"command\": \"a\"}", "2:17", "expected stdio, http or sse"},
        {false, "{\"type\": \"http\", \"command\": \"a\"}", "2:8", "type http needs `url`"},
        {false, "{\"type\": \"stdio\", \"url\": \"https://b\"}", "2:8", "needs `command`"},
        {false, "{\"url\": \"ftp://b\"}", "2:16", "begins with https:// or http://"},
        {false, "{\"command\": \"a\", \"args\": \"x\"}", "2:33", "args: expected a list of texts"},
        {false, "{\"command\": \"a\", \"args\": [\"x\", {}]}", "2:39", "got object"},
        {false, "{\"command\": \"a\",\n\"args\": [\"x\", \"${TROUPE_TEST_NONE}\"]}", "3:15",
         "environment variable TROUPE_TEST_NONE is not set"},
        {false, "{\"command\": \"a\", \"env\": {\"K\": \"${env:TROUPE_TEST_NONE}\"}}", "2:38",
         "TROUPE_TEST_NONE"},
        {false, "{\"command\": \"a\", \"env\": {\"K=L\": \"\"}}", "2:33", "not valid"},
        {false, "{\"command\": \"${input:id}\"}", "2:20", "no input of this id"},
        {false, "{\"command\": \"${workspacefolder!}\"}", "2:20", "is not a reference"},
        {false, "{\"command\": \"${file:token}\"}", "2:20", "is not a reference"},
        {false, "{\"command\": \"a${\"}", "2:20", "without a closing"},
        {false, "{\"url\": \"https://a\", \"headers\": {\"A b\": \"c\"}}", "2:41", "header"},
        {false, "{\"url\": \"https://a\", \"headers\": {\"A\": \"1\", \"a\": \"2\"}}", "2:51",
         "twice"},
        {false, "{\"command\": \"a\", \"headers\": {\"A\": \"c\"}}", "2:8", "need a `url`"},
        {false, "{\"command\": \"a\", \"disabled\": \"yes\"}", "2:37", "expected true or false"},
        {false, "{\"command\": \"a\", \"timeout\": -1}", "2:36", "such as 90s"},
        {true, "{command: a, timeout: 5}", "3:30", "such as 90s"},
        {true, "{command: a, arg: []}", "3:21", "did you mean args?"},
        {true, "{command: a, autoApprove: []}", "3:21", "JSON files of other hosts"},
        {true, "{command: a, effect: reads}", "3:29", "none, read, idempotent or once"},
        {true, "{command: a, effects: {t: reads}}", "3:34", "none, read"},
        {true, "{command: a, instances: many}", "3:32", "shared or per_client"},
        {true, "{command: a, max_in_flight: 0}", "3:36", "1 to 10000"},
        {true, "{command: \"${env:TROUPE_TEST_EMPTY}\"}", "3:18", "not set"},
    };

    (void)state;
    assert_int_equal(setenv("TROUPE_TEST_EMPTY", "", 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mcp_files f;
        struct mcp_config *c = load_fields(&f, cases[i].own, cases[i].fields);
        const struct mcp_server_spec *s = mcp_config_find(c, "s");

        if (cases[i].own && !s) /* "neither" is only settings there */
            fail_msg("%s", cases[i].fields);
        if (!s || !s->problem)
            fail_msg("%s: no problem", cases[i].fields);
        if (!mcp_files_has_note(c, MCP_CONFIG_ERROR, cases[i].place, cases[i].words))
            fail_msg("%s", cases[i].fields);
        assert_int_equal(mcp_config_notes(c)->errors, 1);
        mcp_config_free(c);
        mcp_files_deinit(&f);
    }
}

static void test_names_of_troupes_own_tools_are_refused(void **state)
{
    static const char *const names[] = {"blueprint", "agent", "troupe", "Troupe"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct mcp_files f;
        struct mcp_config *c;
        struct str text = STR_INIT;

        str_printf(&text,
                   "{\"mcpServers\": {\"%s\": {\"command\": \"a\"}, \"troupes\": {\"command\": "
                   "\"a\"}}}",
                   names[i]);
        mcp_files_init(&f);
        mcp_files_put(&f, 0, str_cstr(&text));
        c = mcp_files_load(&f);
        assert_non_null(mcp_config_find(c, names[i])->problem);
        assert_non_null(
            strstr(mcp_config_find(c, names[i])->problem->message, "Troupe's own tools"));
        assert_null(mcp_config_find(c, "troupes")->problem);
        mcp_config_free(c);
        mcp_files_deinit(&f);
        str_deinit(&text);
    }
}

static void test_one_bad_server_leaves_the_others(void **state)
{
    struct mcp_files f;
    struct mcp_config *c;

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 0,
                  "{\"mcpServers\": {\n"
                  "  \"b\": {\"command\": \"${TROUPE_TEST_NONE}\"},\n"
                  "  \"a\": {\"command\": \"one\", \"comand\": 1, \"autoApprove\": []},\n"
                  "  \"c\": {\"command\": \"two\", \"timeout\": 30, \"max_in_flight\": 3}\n}}");
    c = mcp_files_load(&f);
    assert_int_equal(mcp_config_size(c), 3);
    assert_string_equal(mcp_config_at(c, 0)->name, "a");
    assert_string_equal(mcp_config_at(c, 2)->name, "c");
    assert_null(mcp_config_find(c, "a")->problem);
    assert_non_null(mcp_config_find(c, "b")->problem);
    assert_null(mcp_config_find(c, "c")->problem);
    assert_int_equal(mcp_config_find(c, "c")->settings.timeout_ms, 30000);
    assert_int_equal(mcp_config_find(c, "c")->settings.max_in_flight, MCP_DEFAULT_IN_FLIGHT);
    assert_int_equal(mcp_config_find(c, "c")->line, 4);
    assert_true(mcp_config_find(c, "c")->of_project);
    assert_true(
        mcp_files_has_note(c, MCP_CONFIG_WARNING, ".mcp.json:3:27", "did you mean command?"));
    assert_true(mcp_files_has_note(c, MCP_CONFIG_NOTE, ".mcp.json:3:40", "has no effect"));
    assert_true(mcp_files_has_note(c, MCP_CONFIG_WARNING, ".mcp.json:4:42", "troupe.yaml"));
    mcp_config_free(c);
    mcp_files_deinit(&f);
}

static void test_the_first_file_counts_and_settings_apply_anywhere(void **state)
{
    struct mcp_files f;
    struct mcp_config *c;
    const struct mcp_server_spec *s;

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 0, "{\"mcpServers\": {\"a\": {\"command\": \"json\"}}}");
    mcp_files_put(
        &f, 1,
        "seed: 3\n"
        "mcp:\n"
        "  servers:\n"
        "    a: {effect: read, effects: {drop: once, get_*: none}, timeout: 90s}\n"
        "    b: {command: yaml, idle_shutdown: 10m, total_timeout: 2h, instances: per_client}\n"
        "    none: {effect: read}\n");
    mcp_files_put(&f, 2,
                  "mcp: {servers: {a: {timeout: 5s, max_in_flight: 2, effects: {get_x: once}},\n"
                  "                b: {command: user}}}\n");
    mcp_files_put(&f, 3,
                  "{\"mcpServers\": {\"b\": {\"command\": \"user\"}, "
                  "\"u\": {\"url\": \"https://u\"}}}");
    c = mcp_files_load(&f);
    assert_int_equal(mcp_config_size(c), 3);
    s = mcp_config_find(c, "a");
    assert_string_equal(s->command, "json");
    assert_int_equal(s->settings.timeout_ms, 90000);
    assert_int_equal(s->settings.max_in_flight, 2);
    assert_int_equal(s->settings.effect, EFFECT_READ);
    assert_int_equal(mcp_server_spec_effect(s, "drop"), EFFECT_ONCE);
    assert_int_equal(mcp_server_spec_effect(s, "get_y"), EFFECT_NONE);
    assert_int_equal(mcp_server_spec_effect(s, "get_x"), EFFECT_ONCE); /* exact before patterns */
    assert_int_equal(mcp_server_spec_effect(s, "other"), EFFECT_READ);
    s = mcp_config_find(c, "b");
    assert_string_equal(s->command, "yaml");
    assert_int_equal(s->settings.effect, EFFECT_ONCE);
    assert_int_equal(s->settings.idle_shutdown_ms, 600000);
    assert_int_equal(s->settings.total_timeout_ms, 7200000);
    assert_int_equal(s->settings.instances, MCP_PER_CLIENT);
    assert_false(mcp_config_find(c, "u")->of_project);
    assert_true(mcp_files_has_note(c, MCP_CONFIG_NOTE, "user.yaml:2:17", "troupe.yaml:5"));
    assert_true(mcp_files_has_note(c, MCP_CONFIG_NOTE, "user.json:1:17", "troupe.yaml:5"));
    assert_true(
        mcp_files_has_note(c, MCP_CONFIG_WARNING, "troupe.yaml:6:5", "which no file defines"));
    mcp_config_free(c);
    mcp_files_deinit(&f);
}

static void test_files_of_other_hosts(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"mcp.json", "// VS Code\n{\"inputs\": [{\"type\": \"promptString\", \"id\": \"key\", "
                     "\"password\": true},],\n \"servers\": {\"s\": {\"command\": \"c\", /* , } */ "
                     "\"args\": [\"//no\", \"${input:key}\",],},},}"},
        {"settings.json",
         "{\"editor.tabSize\": 4, // other\n \"mcp\": {\"inputs\": [{\"id\": \"key\", "
         "\"type\": \"promptString\"}], \"servers\": {\"s\": {\"command\": \"c\", "
         "\"args\": [\"//no\", \"${input:key}\"]}}}}"},
        {"any.json", "{\"projects\": {}, \"inputs\": [{\"id\": \"key\"}], \"mcpServers\": {\"s\": "
                     "{\"command\": \"c\", \"args\": [\"//no\", \"${input:key}\"]}}}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[128];
        struct mcp_files f;
        struct mcp_config *c = NULL;
        const struct mcp_server_spec *s;

        mcp_files_init(&f);
        (void)snprintf(path, sizeof(path), "%s/%s", f.folder, cases[i].name);
        temp_put(path, cases[i].text, strlen(cases[i].text));
        assert_ok(mcp_config_load_file(path, &f.inputs, &c, why));
        s = mcp_config_find(c, "s");
        if (!s || s->problem)
            fail_msg("%s: %s", cases[i].name, s ? s->problem->message : "no server");
        assert_int_equal(s->args.n, 2);
        assert_string_equal(s->args.text[0], "//no");
        assert_int_equal(mcp_config_notes(c)->n, 0);
        assert_int_equal(f.inputs.n, 1);
        assert_int_equal(f.inputs.input[0]->password, i == 0);
        mcp_config_free(c);
        mcp_files_deinit(&f);
    }
}

static void test_broken_files_are_errors_without_their_text(void **state)
{
    static const struct {
        int file;
        const char *text, *place, *words;
    } cases[] = {
        {0, "{\"mcpServers\": {\"s\": {\"env\": {\"K\": \"hunter2\" \"hunter2\"}}}}",
         ".mcp.json:1:17", "not valid JSON"},
        {0, "{\"mcpServers\": {\"s\": {\"env\": {\"K\": \"hunter2\" \"hunter2\"}}}",
         ".mcp.json:1:46", "not valid JSON"},
        {0, "{\n // a\n \"mcpServers\": {}}", ".mcp.json:2:2", "plain JSON"},
        {0, "{\"mcpServers\": {\"s\": {}, \"s\": {}}}", ".mcp.json:1:26", "duplicate key"},
        {0, "{\"mcpServers\": []}", ".mcp.json:1:16", "expected servers by name"},
        {0, "[]", ".mcp.json:1:1", "expected an object"},
        {1, "mcp: [1]\n", "troupe.yaml:1:6", "must be a mapping"},
        {1, "mcp: {server: {}}\n", "troupe.yaml:1:7", "servers"},
        {1, "mcp: {servers: [1]}\n", "troupe.yaml:1:16", "expected servers by name"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mcp_files f;
        struct mcp_config *c;

        mcp_files_init(&f);
        mcp_files_put(&f, cases[i].file, cases[i].text);
        mcp_files_put(&f, 3, "{\"mcpServers\": {\"u\": {\"command\": \"u\"}}}");
        c = mcp_files_load(&f);
        if (!mcp_files_has_note(c, MCP_CONFIG_ERROR, cases[i].place, cases[i].words))
            fail_msg("%s", cases[i].text);
        for (size_t k = 0; k < mcp_config_notes(c)->n; k++)
            assert_null(strstr(mcp_config_notes(c)->note[k].text, "hunter2"));
        assert_non_null(mcp_config_find(c, "u"));
        mcp_config_free(c);
        mcp_files_deinit(&f);
    }
}

/* One text of one server: it is a mistake of that server, also for the files that count less. */
static void test_an_entry_that_is_not_valid_json_is_one_server(void **state)
{
    struct mcp_files f;
    struct mcp_config *c;
    const struct mcp_server_spec *s;

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 0,
                  "{\"mcpServers\": {\n  \"s\": {\"command\": \"a\", \"args\": [\"\\ud83d\"]},\n"
                  "  \"t\": {\"command\": \"b\"}}}");
    mcp_files_put(&f, 3, "{\"mcpServers\": {\"s\": {\"command\": \"other\"}}}");
    c = mcp_files_load(&f);
    assert_true(mcp_files_has_note(c, MCP_CONFIG_ERROR, ".mcp.json:2:3", "server s is left out"));
    assert_null(mcp_config_find(c, "t")->problem);
    s = mcp_config_find(c, "s");
    assert_non_null(s->problem);
    assert_null(s->command);
    assert_true(s->of_project);
    mcp_config_free(c);
    mcp_files_deinit(&f);
}

static void test_a_project_that_changes_a_server_of_the_user_needs_approval(void **state)
{
    struct mcp_files f;
    struct mcp_config *c;
    const struct mcp_server_spec *s;
    struct sha256 before;

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 1, "mcp: {servers: {u: {effect: none}}}\n");
    mcp_files_put(&f, 2, "mcp: {servers: {w: {effect: read}}}\n");
    mcp_files_put(&f, 3,
                  "{\"mcpServers\": {\"u\": {\"command\": \"u\"}, \"w\": {\"command\": \"w\"}}}");
    c = mcp_files_load(&f);
    s = mcp_config_find(c, "u");
    assert_true(mcp_server_spec_needs_approval(s));
    assert_string_equal(s->changed_by, f.path[1]);
    assert_string_equal(s->changed_in, f.folder);
    assert_int_equal(s->changed_line, 1);
    before = s->hash;
    assert_false(mcp_server_spec_needs_approval(mcp_config_find(c, "w"))); /* their own file */
    mcp_config_free(c);
    mcp_files_put(&f, 1, "mcp: {servers: {u: {effect: none, timeout: 5s}}}\n");
    c = mcp_files_load(&f);
    assert_memory_not_equal(&before, &mcp_config_find(c, "u")->hash, sizeof(before));
    mcp_config_free(c);
    mcp_files_deinit(&f);
}

static void test_changes_are_seen(void **state)
{
    static const struct {
        const char *text;
        enum mcp_change change;
    } cases[] = {
        {"{\"mcpServers\":\n\n {\"s\": {\"command\": \"a\", \"args\": [\"x\"]}}}", MCP_SAME},
        {"{\"mcpServers\": {\"s\": {\"command\": \"a\", \"args\": [\"y\"]}}}", MCP_RESTART},
        {"{\"mcpServers\": {\"s\": {\"command\": \"ax\", \"args\": []}}}", MCP_RESTART},
        {"{\"mcpServers\": {\"s\": {\"command\": \"a\", \"args\": [\"x\"], \"timeout\": 9}}}",
         MCP_SETTINGS},
        {"{\"mcpServers\": {\"s\": {\"command\": \"a\", \"args\": [\"x\"], \"disabled\": true}}}",
         MCP_RESTART},
        {"{\"mcpServers\": {\"s\": {\"command\": \"a\", \"args\": [\"x\"], \"env\": {\"K\": "
         "\"\"}}}}",
         MCP_RESTART},
        {"{\"mcpServers\": {}}", MCP_REMOVED},
        {NULL, MCP_REMOVED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mcp_files f;
        struct mcp_config *old, *now = NULL;

        mcp_files_init(&f);
        mcp_files_put(&f, 0, "{\"mcpServers\": {\"s\": {\"command\": \"a\", \"args\": [\"x\"]}}}");
        old = mcp_files_load(&f);
        assert_false(mcp_config_is_stale(old));
        mcp_files_put(&f, 0, cases[i].text);
        assert_true(mcp_config_is_stale(old));
        assert_ok(mcp_config_reload(old, &now, why));
        if (mcp_config_change(old, now, "s") != cases[i].change)
            fail_msg("%s: %d", cases[i].text, (int)mcp_config_change(old, now, "s"));
        if (cases[i].change == MCP_REMOVED)
            assert_int_equal(mcp_config_change(now, old, "s"), MCP_ADDED);
        assert_false(mcp_config_is_stale(now));
        mcp_config_free(old);
        mcp_config_free(now);
        mcp_files_deinit(&f);
    }
}

static void test_a_half_written_file_keeps_the_old_servers(void **state)
{
    struct mcp_files f;
    struct mcp_config *old, *now = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 0, "{\"mcpServers\": {\"s\": {\"command\": \"a\"}}}");
    old = mcp_files_load(&f);
    mcp_files_put(&f, 0, "{\"mcpServers\": {\"s\": {\"comm");
    assert_int_equal(mcp_config_reload(old, &now, &err), STATUS_CONFIG);
    assert_null(now);
    assert_non_null(strstr(err.where, ".mcp.json:1:"));
    assert_non_null(mcp_config_find(old, "s"));
    assert_false(mcp_config_is_stale(old));
    mcp_files_put(&f, 0, "{\"mcpServers\": {\"t\": {\"command\": \"a\"}}}");
    assert_true(mcp_config_is_stale(old));
    assert_ok(mcp_config_reload(old, &now, why));
    assert_int_equal(mcp_config_change(old, now, "t"), MCP_ADDED);
    mcp_config_free(old);
    mcp_config_free(now);
    mcp_files_deinit(&f);
}

static void *write_the_rest(void *ctx)
{
    struct mcp_files *f = ctx;

    usleep(3000);
    mcp_files_put(f, 0, "{\"mcpServers\": {\"t\": {\"command\": \"a\"}}}");
    return NULL;
}

/* The write ends while the other files are read: it is seen later, not lost. */
static void test_a_file_that_becomes_whole_while_it_is_read_is_read_again(void **state)
{
    struct str large = STR_INIT;
    struct mcp_files f;
    struct mcp_config *old, *now = NULL;

    (void)state;
    str_puts(&large, "{\"mcpServers\": {\"u\": {\"command\": \"a\", \"args\": [");
    for (int i = 0; i < 5000; i++) /* takes longer to read than the other thread waits */
        str_printf(&large, "\"argument %d\", ", i);
    str_puts(&large, "\"last\"]}}}");
    mcp_files_init(&f);
    mcp_files_put(&f, 0, "{\"mcpServers\": {\"s\": {\"command\": \"a\"}}}");
    mcp_files_put(&f, 3, str_cstr(&large));
    old = mcp_files_load(&f);
    for (int i = 0; i < 20 && !now; i++) {
        pthread_t writer;
        bool was_whole;

        mcp_files_put(&f, 0, "{\"mcpServers\": {\"t\": {\"comm");
        assert_int_equal(pthread_create(&writer, NULL, write_the_rest, &f), 0);
        was_whole = mcp_config_reload(old, &now, NULL) == STATUS_OK;
        assert_int_equal(pthread_join(writer, NULL), 0);
        if (was_whole) {
            mcp_config_free(now); /* it came too early */
            now = NULL;
            continue;
        }
        assert_true(mcp_config_is_stale(old));
        assert_ok(mcp_config_reload(old, &now, why));
    }
    assert_non_null(now);
    assert_int_equal(mcp_config_change(old, now, "t"), MCP_ADDED);
    mcp_config_free(old);
    mcp_config_free(now);
    mcp_files_deinit(&f);
    str_deinit(&large);
}

/* Other rights, or other bytes of the same number with the time of before. */
static void test_each_change_of_a_file_counts(void **state)
{
    struct timespec times[2];
    struct stat info;
    struct mcp_files f;
    struct mcp_config *old, *now = NULL;

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 0, "{\"mcpServers\": {\"s\": {\"command\": \"a\"}}}");
    old = mcp_files_load(&f);
    assert_int_equal(stat(f.path[0], &info), 0);
    usleep(20000); /* a tick of the clock of files */
    mcp_files_put(&f, 0, "{\"mcpServers\": {\"t\": {\"command\": \"a\"}}}");
    times[0] = info.st_atim;
    times[1] = info.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, f.path[0], times, 0), 0);
    assert_true(mcp_config_is_stale(old));
    assert_ok(mcp_config_reload(old, &now, why));
    assert_int_equal(mcp_config_change(old, now, "t"), MCP_ADDED);
    usleep(20000);
    assert_int_equal(chmod(f.path[0], 0600), 0);
    assert_true(mcp_config_is_stale(now));
    mcp_config_free(old);
    mcp_config_free(now);
    mcp_files_deinit(&f);
}

static void test_a_changed_env_file_restarts_its_server(void **state)
{
    struct mcp_files f;
    struct mcp_config *old, *now = NULL;

    (void)state;
    mcp_files_init(&f);
    mcp_files_put(&f, 0,
                  "{\"mcpServers\": {\"s\": {\"command\": \"a\", \"envFile\": \".env\"}, "
                  "\"t\": {\"command\": \"a\"}}}");
    temp_dir_put(f.folder, ".env", "K=1\n", 4);
    old = mcp_files_load(&f);
    temp_dir_put(f.folder, ".env", "K=22\n", 5);
    assert_true(mcp_config_is_stale(old));
    assert_ok(mcp_config_reload(old, &now, why));
    assert_int_equal(mcp_config_change(old, now, "s"), MCP_RESTART);
    assert_int_equal(mcp_config_change(old, now, "t"), MCP_SAME);
    mcp_config_free(old);
    mcp_config_free(now);
    mcp_files_deinit(&f);
}

static void test_a_spec_outlives_its_configuration(void **state)
{
    struct mcp_files f;
    struct mcp_config *c = load_fields(&f, false, "{\"command\": \"a\"}");
    struct mcp_server_spec *s = mcp_server_spec_ref(mcp_config_find(c, "s"));

    (void)state;
    mcp_config_free(c);
    assert_string_equal(s->command, "a");
    mcp_server_spec_unref(s);
    mcp_files_deinit(&f);
}

static void test_tools_are_let_through(void **state)
{
    struct mcp_files f;
    struct mcp_config *c = load_fields(
        &f, false,
        "{\"command\": \"a\", \"includeTools\": [\"get_*\", \"put\"], \"excludeTools\": "
        "[\"get_secret\"], \"disabledTools\": [\"put\"]}");
    const struct mcp_server_spec *s = mcp_config_find(c, "s");

    (void)state;
    assert_true(mcp_server_spec_has_tool(s, "get_a"));
    assert_false(mcp_server_spec_has_tool(s, "get_secret"));
    assert_false(mcp_server_spec_has_tool(s, "put"));
    assert_false(mcp_server_spec_has_tool(s, "other"));
    mcp_config_free(c);
    mcp_files_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transports_are_inferred),
        cmocka_unit_test(test_faults_have_their_place_and_stop_one_server),
        cmocka_unit_test(test_names_of_troupes_own_tools_are_refused),
        cmocka_unit_test(test_one_bad_server_leaves_the_others),
        cmocka_unit_test(test_the_first_file_counts_and_settings_apply_anywhere),
        cmocka_unit_test(test_files_of_other_hosts),
        cmocka_unit_test(test_broken_files_are_errors_without_their_text),
        cmocka_unit_test(test_an_entry_that_is_not_valid_json_is_one_server),
        cmocka_unit_test(test_a_project_that_changes_a_server_of_the_user_needs_approval),
        cmocka_unit_test(test_changes_are_seen),
        cmocka_unit_test(test_a_half_written_file_keeps_the_old_servers),
        cmocka_unit_test(test_a_file_that_becomes_whole_while_it_is_read_is_read_again),
        cmocka_unit_test(test_each_change_of_a_file_counts),
        cmocka_unit_test(test_a_changed_env_file_restarts_its_server),
        cmocka_unit_test(test_a_spec_outlives_its_configuration),
        cmocka_unit_test(test_tools_are_let_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
