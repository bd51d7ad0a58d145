/* test_yaml.c - YAML is typed like JSON, knows its places, and refuses its surprises.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/base/yaml.h"
#include "tests/support/check.h"

static struct yaml *parsed(const char *text)
{
    struct yaml *y = NULL;
    struct error err = ERROR_INIT;

    if (yaml_parse(text, strlen(text), "t.yaml", &y, &err))
        fail_msg("%s\n%s: %s", text, err.where, err.message);
    return y;
}

static void values_are_typed_like_json(void **state)
{
    static const struct {
        const char *yaml;
        const char *json;
    } cases[] = {
        {"", "null"},
        {"# only a comment\n", "null"},
        {"---\n", "null"},
        {"a:", "{\"a\":null}"},
        {"[null, true, false]", "[null,true,false]"},
        {"[~, yes, no, on, off, Null, True, y]",
         "[\"~\",\"yes\",\"no\",\"on\",\"off\",\"Null\",\"True\",\"y\"]"},
        {"[0, -1, 12, 9223372036854775807]", "[0,-1,12,9223372036854775807]"},
        {"[1.5, -2e3, 1E-2]", "[1.5,-2000.0,0.01]"},
        {"[01, +1, .5, 5., 0x10, 0o7, 1_000, 1:30, .inf, 1e, 1e+]",
         "[\"01\",\"+1\",\".5\",\"5.\",\"0x10\",\"0o7\",\"1_000\",\"1:30\",\".inf\",\"1e\",\"1e+"
         "\"]"},
        {"['1', \"true\", 'null', \"\"]", "[\"1\",\"true\",\"null\",\"\"]"},
        {"2001-01-01", "\"2001-01-01\""},
        {"a:\n  - b: 1\n    c: [x, {d: e}]\n  - |\n    two\n    lines\n",
         "{\"a\":[{\"b\":1,\"c\":[\"x\",{\"d\":\"e\"}]},\"two\\nlines\\n\"]}"},
        {"a: >-\n  folded\n  text\n", "{\"a\":\"folded text\"}"},
        {"1: x\ntrue: y\n", "{\"1\":\"x\",\"true\":\"y\"}"},
        {"a: &x 5\nb: *x\nc: [*x]", "{\"a\":5,\"b\":5,\"c\":[5]}"},
        {"a: &x '5'\nb: *x\n", "{\"a\":\"5\",\"b\":\"5\"}"},
        {"a: |\n  b\t c\n  \ttab in text\n", "{\"a\":\"b\\t c\\n\\ttab in text\\n\"}"},
        {"a:\tb # tab as a separator\n", "{\"a\":\"b\"}"},
        {"k: \"\\u00e4\xc3\xb6\"\r\nl: 2\r\n", "{\"k\":\"\xc3\xa4\xc3\xb6\",\"l\":2}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct yaml *y = parsed(cases[i].yaml);
        struct json *v = yaml_to_json(yaml_root(y));
        char *text = jv_dump(v);

        assert_string_equal(text, cases[i].json);
        free(text);
        jv_unref(v);
        yaml_free(y);
    }
    yaml_free(NULL);
}

static void faults_have_a_place_and_words(void **state)
{
    static const struct {
        const char *yaml;
        const char *where;
        const char *words;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3:1", "duplicate key \"a\", first given on line 1"},
        {"{x: 1, x: 2}", "t.yaml:1:8", "duplicate key"},
        {"a: 1\n\"a\": 2\n", "t.yaml:2:1", "duplicate key"},
        {"a:\n\tb: 1\n", "t.yaml:2:1", "a tab is used for indentation"},
        {"a: [\n\t1]\n", "t.yaml:2:1", "a tab is used for indentation"},
        {"a:\n  \tb: 1\n", "t.yaml:2:3", "a tab is used for indentation"},
        {"a: !!str 1\n", "t.yaml:1:4", "tags"},
        {"a: !x [1]\n", "t.yaml:1:4", "tags"},
        {"!x\na: 1\n", "t.yaml:1:1", "tags"},
        {"a: &x {b: 1}\nc: *x\n", "t.yaml:2:4", "aliases to mappings and sequences"},
        {"a: &x [1]\nc: *x\n", "t.yaml:2:4", "aliases to mappings and sequences"},
        {"a: &x [*x]\n", "t.yaml:1:8", "aliases to mappings and sequences"},
        {"a: *x\n", "t.yaml:1:4", "no anchor \"x\""},
        {"a: &x 1\n<<: *x\n", "t.yaml:2:1", "merge keys"},
        {"? [a]\n: 1\n", "t.yaml:1:3", "a key must be a scalar"},
        {": 1\n", "t.yaml:1:1", NULL},
        {"{: 1}\n", "t.yaml:1:2", NULL},
        {"?\n: 1\n", NULL, "a key is missing"},
        {"a: 1\n---\nb: 2\n", "t.yaml:2:1", "one YAML document"},
        {"a: 99999999999999999999\n", "t.yaml:1:4", "out of range"},
        {"a: 1e999\n", "t.yaml:1:4", "out of range"},
        {"a: \"\\0\"\n", "t.yaml:1:4", "NUL"},
        {"a: [1, 2\n", "t.yaml:2:1", NULL},
        {"a: 'open\n", NULL, NULL},
        {"a: b: c\n", "t.yaml:1:5", "not allowed"},
        {"  a: 1\n b: 2\n", NULL, NULL},
        {"a: @x\n", "t.yaml:1:4", NULL},
        {"\xc3\xa4: %x\n", "t.yaml:1:4", NULL},
        {"a: \xff\n", "t.yaml:1:4", "UTF-8"},
        {"a: 1\n\xc3\xa4: \xc3(\n", "t.yaml:2:4", "UTF-8"},
        {"\xef\xbb\xbf"
         "a: 1\n\xc3\xa4: x\x1b[1m\n",
         "t.yaml:2:5", "not allowed (U+001B)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct yaml *y = NULL;
        struct error err = ERROR_INIT;

        if (yaml_parse(cases[i].yaml, strlen(cases[i].yaml), "t.yaml", &y, &err) != STATUS_CONFIG)
            fail_msg("taken: %s", cases[i].yaml);
        assert_null(y);
        if (cases[i].where && strcmp(err.where, cases[i].where) != 0)
            fail_msg("%s: at %s: %s", cases[i].yaml, err.where, err.message);
        if (cases[i].words && !strstr(err.message, cases[i].words))
            fail_msg("%s: %s", cases[i].yaml, err.message);
    }
}

static void size_ends_at_64_kib(void **state)
{
    size_t max = (size_t)64 << 10;
    char *text = xmalloc(max + 1);
    struct yaml *y = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    memset(text, 'x', max + 1);
    assert_int_equal(yaml_parse(text, max, "t", &y, &err), STATUS_OK);
    assert_int_equal(strlen(yaml_text_of(yaml_root(y))), max);
    yaml_free(y);
    y = NULL;
    assert_int_equal(yaml_parse(text, max + 1, "t", &y, &err), STATUS_LIMIT);
    assert_null(y);
    assert_int_equal(yaml_parse("a: \0b", 5, "t", &y, &err), STATUS_CONFIG);
    free(text);
}

static void an_expression_without_quotes_is_told_so(void **state)
{
    static const char *const texts[] = {"a: {b: ${c.d}}\n", "a: [1, ${c}]\n", "a: {b: ${c} d}\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct yaml *y = NULL;
        struct error err = ERROR_INIT;

        assert_int_equal(yaml_parse(texts[i], strlen(texts[i]), "t", &y, &err), STATUS_CONFIG);
        if (!strstr(err.message, "a value with ${...} needs quotes"))
            fail_msg("%s: %s", texts[i], err.message);
    }
}

static void depth_ends_at_32(void **state)
{
    static const struct {
        const char *open;
        int depth;
        enum status status;
    } cases[] = {{"[", 32, STATUS_OK},       {"[", 33, STATUS_LIMIT},    {"{a: ", 32, STATUS_OK},
                 {"{a: ", 33, STATUS_LIMIT}, {"[", 60000, STATUS_LIMIT}, {"- ", 32, STATUS_OK},
                 {"- ", 33, STATUS_LIMIT},   {"- ", 30000, STATUS_LIMIT}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str s = STR_INIT;
        struct yaml *y = NULL;
        struct error err = ERROR_INIT;

        for (int d = 0; d < cases[i].depth; d++)
            str_puts(&s, cases[i].open);
        str_puts(&s, "x");
        for (int d = 0; d < cases[i].depth && cases[i].open[0] != '-' && s.len < 65536; d++)
            str_puts(&s, cases[i].open[0] == '[' ? "]" : "}");
        assert_int_equal(yaml_parse(s.data, s.len, "t", &y, &err), cases[i].status);
        yaml_free(y);
        str_deinit(&s);
    }
}

static void bombs_of_aliases_are_refused(void **state)
{
    static const char nested[] = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n";
    struct str s = STR_INIT;
    struct yaml *y = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(yaml_parse(nested, strlen(nested), "t", &y, &err), STATUS_CONFIG);
    /* Scalars may be repeated, but not up to hundreds of megabytes. */
    str_puts(&s, "- &a ");
    for (int i = 0; i < 20000; i++)
        str_putc(&s, 'x');
    str_puts(&s, "\n");
    for (int i = 0; i < 6000; i++)
        str_puts(&s, "- *a\n");
    assert_int_equal(yaml_parse(s.data, s.len, "t", &y, &err), STATUS_LIMIT);
    assert_null(y);
    str_deinit(&s);
}

static void nodes_know_their_places(void **state)
{
    struct yaml *y = parsed("# first\nmodel: \xc3\xa4\n\xc3\xb6k: [1, 'two']\nsub:\n  - x: 1\n");
    const struct yaml_node *root = yaml_root(y);
    const struct yaml_node *key = NULL;
    const struct yaml_node *value = NULL;

    (void)state;
    assert_string_equal(yaml_name(y), "t.yaml");
    assert_int_equal(yaml_node_kind(root), YAML_MAPPING);
    assert_int_equal(yaml_size(root), 3);
    assert_string_equal(yaml_key_at(root, 1, &key, &value), "\xc3\xb6k");
    assert_int_equal(yaml_line(key), 3);
    assert_int_equal(yaml_column(key), 1);
    assert_int_equal(yaml_column(value), 5); /* characters, not bytes */
    assert_int_equal(yaml_node_kind(value), YAML_SEQUENCE);
    assert_int_equal(yaml_column(yaml_at(value, 1)), 9);
    assert_string_equal(yaml_text_of(yaml_at(value, 1)), "two");
    assert_null(yaml_at(value, 2));
    assert_null(yaml_key_at(root, 3, NULL, NULL));
    assert_null(yaml_key_at(value, 0, NULL, NULL));
    assert_null(yaml_get(root, "none"));
    value = yaml_get(yaml_at(yaml_get(root, "sub"), 0), "x");
    assert_int_equal(yaml_line(value), 5);
    assert_int_equal(yaml_column(value), 8);
    assert_string_equal(yaml_text_of(yaml_get(root, "sub")), "");
    assert_null(yaml_get(yaml_get(root, "model"), "x"));
    assert_int_equal(yaml_size(yaml_get(root, "model")), 0);
    yaml_free(y);
}

static void errors_show_the_line_and_a_caret(void **state)
{
    struct yaml *y = parsed("a: 1\nb: {c: \xe6\xbc\xa2, d: 7}\n");
    struct error err = ERROR_INIT;
    const struct yaml_node *d = yaml_get(yaml_get(yaml_root(y), "b"), "d");

    (void)state;
    assert_int_equal(yaml_error(&err, y, d, "%d is too many", 7), STATUS_CONFIG);
    assert_string_equal(err.where, "t.yaml:2:14");
    assert_string_equal(err.message, "7 is too many\n"
                                     "    b: {c: \xe6\xbc\xa2, d: 7}\n"
                                     "                  ^");
    assert_int_equal(yaml_error(NULL, y, d, "x"), STATUS_CONFIG);
    yaml_error(&err, y, yaml_root(y), "x");
    assert_string_equal(err.message, "x\n    a: 1\n    ^");
    yaml_free(y);
}

static void errors_point_into_scalars(void **state)
{
    static const struct {
        const char *yaml;
        size_t character;
        int column;
    } cases[] = {
        {"a: plain text", 6, 10},   {"a: 'in quotes'", 3, 8}, {"a: \"\xc3\xa4\xc3\xb6 x\"", 3, 8},
        {"a: \"\\n x\"", 2, 4}, /* an escape: its beginning */
        {"a: >\n  folded\n", 2, 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct yaml *y = parsed(cases[i].yaml);
        struct error err = ERROR_INIT;
        char where[32];

        yaml_error_within(&err, y, yaml_get(yaml_root(y), "a"), cases[i].character, "x");
        snprintf(where, sizeof(where), "t.yaml:1:%d", cases[i].column);
        assert_string_equal(err.where, where);
        yaml_free(y);
    }
}

/* A time of its own for each node would be quadratic in the size of the file. */
static void the_largest_files_take_no_time(void **state)
{
    static const char *const pieces[] = {"- x\n", "x, ", "k: [", "? a\n", "                "};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct str s = STR_INIT;
        struct yaml *y = NULL;
        int64_t began = seams_mono_us(seams_real());

        str_puts(&s, i == 1 ? "[" : "");
        while (s.len + strlen(pieces[i]) + 2 < (size_t)64 << 10)
            str_puts(&s, pieces[i]);
        str_puts(&s, i == 1 ? "]" : "");
        (void)!yaml_parse(s.data, s.len, "t", &y, NULL);
        assert_true(seams_mono_us(seams_real()) - began < 2000000);
        yaml_free(y);
        str_deinit(&s);
    }
}

static void long_lines_are_cut_around_the_caret(void **state)
{
    struct str s = STR_INIT;
    struct yaml *y = NULL;
    struct error err = ERROR_INIT;
    const char *line;
    const char *caret;
    char words[2000];

    (void)state;
    str_puts(&s, "[");
    for (int i = 0; i < 300; i++)
        str_puts(&s, "abcdefg, ");
    str_puts(&s, "HERE, x, y, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z]\n");
    y = parsed(str_cstr(&s));
    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    for (int is_long = 0; is_long < 2; is_long++) {
        yaml_error(&err, y, yaml_at(yaml_root(y), 300), "%s", is_long ? words : "short");
        line = strchr(err.message, '\n') + 1;
        caret = strrchr(err.message, '\n') + 1;
        assert_memory_equal(line, "    ...", 7);
        assert_string_equal(strchr(caret, '^'), "^"); /* the end, whatever was cut */
        assert_memory_equal(line + strlen(caret) - 1, "HERE", 4);
    }
    yaml_free(y);
    str_deinit(&s);
}

static void unknown_keys_name_the_nearest(void **state)
{
    static const char *const allowed[] = {"model", "steps", "name"};
    struct yaml *y = parsed("name: x\nmodle: y\n");
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(yaml_check_keys(y, yaml_root(y), allowed, 3, &err), STATUS_CONFIG);
    assert_string_equal(err.where, "t.yaml:2:1");
    assert_string_equal(err.message, "unknown key \"modle\"; did you mean \"model\"? Allowed: "
                                     "model, steps, name\n    modle: y\n    ^");
    assert_int_equal(yaml_check_keys(y, yaml_get(yaml_root(y), "name"), allowed, 3, &err),
                     STATUS_CONFIG);
    assert_non_null(strstr(err.message, "expected a mapping"));
    yaml_free(y);
    y = parsed("name: x\nentirely: y\n");
    assert_int_equal(yaml_check_keys(y, yaml_root(y), allowed, 3, &err), STATUS_CONFIG);
    assert_null(strstr(err.message, "did you mean"));
    yaml_free(y);
    y = parsed("name: x\nsteps: y\n");
    assert_int_equal(yaml_check_keys(y, yaml_root(y), allowed, 3, &err), STATUS_OK);
    yaml_free(y);
}

static void a_mapping_of_thousands_of_keys(void **state)
{
    struct str s = STR_INIT;
    struct yaml *y;

    (void)state;
    for (int i = 0; i < 4000; i++)
        str_printf(&s, "k%d: %d\n", i, i);
    y = parsed(str_cstr(&s));
    assert_int_equal(yaml_size(yaml_root(y)), 4000);
    assert_string_equal(yaml_text_of(yaml_get(yaml_root(y), "k3999")), "3999");
    yaml_free(y);
    str_deinit(&s);
}

static void files_are_read_and_bounded(void **state)
{
    char path[] = "/tmp/test_yaml_XXXXXX";
    int fd = mkstemp(path);
    struct yaml *y = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(write(fd, "a: 1\n", 5), 5);
    assert_int_equal(yaml_parse_file(path, &y, &err), STATUS_OK);
    assert_string_equal(yaml_name(y), path);
    yaml_free(y);
    assert_int_equal(ftruncate(fd, (64 << 10) + 1), 0);
    assert_int_equal(yaml_parse_file(path, &y, &err), STATUS_LIMIT);
    close(fd);
    unlink(path);
    assert_int_equal(yaml_parse_file(path, &y, &err), STATUS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_typed_like_json),
        cmocka_unit_test(faults_have_a_place_and_words),
        cmocka_unit_test(size_ends_at_64_kib),
        cmocka_unit_test(an_expression_without_quotes_is_told_so),
        cmocka_unit_test(depth_ends_at_32),
        cmocka_unit_test(bombs_of_aliases_are_refused),
        cmocka_unit_test(nodes_know_their_places),
        cmocka_unit_test(errors_show_the_line_and_a_caret),
        cmocka_unit_test(errors_point_into_scalars),
        cmocka_unit_test(the_largest_files_take_no_time),
        cmocka_unit_test(long_lines_are_cut_around_the_caret),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(a_mapping_of_thousands_of_keys),
        cmocka_unit_test(files_are_read_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
