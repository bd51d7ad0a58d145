/* test_json_salvage.c - one entry that is not valid JSON costs the list that entry, and nothing
 * more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/json_salvage.h"
#include "runtime/base/json_view.h"
#include "tests/support/check.h"

static void note(void *ctx, const char *key, size_t n_key, const char *entry, size_t n,
                 const struct error *why)
{
    size_t n_name = 0;
    const char *name = json_salvage_text(entry, n, "name", &n_name);

    assert_true(*why->message);
    str_printf(ctx, "%.*s%.*s;", (int)n_key, key ? key : "", (int)n_name, name ? name : "");
}

/* The text without its blanks. */
static void put_dense(const char *text, struct str *out)
{
    for (; *text; text++) {
        if (*text != ' ')
            str_putc(out, *text);
    }
}

static void test_a_broken_entry_is_left_out(void **state)
{
    static const struct {
        const char *text, *left, *dropped; /* of the member "a" */
    } cases[] = {
        {"{\"a\":[{\"name\":\"x\",\"t\":\"\\u0000\"},{\"name\":\"y\"}]}",
         "{\"a\":[{\"name\":\"y\"}]}", "x;"},
        {"{\"a\":[{\"name\":\"y\"},{\"t\":[\"\\ud800\"],\"name\":\"x\"}]}",
         "{\"a\":[{\"name\":\"y\"}]}", "x;"},
        {"{\"a\":[1,\"\\ud83d\",2]}", "{\"a\":[1,2]}", ";"},
        {"{\"a\":[\"\\udc00\"]}", "{\"a\":[]}", ";"},
        {"{\"a\":[\"\\u0000\",\"\\u0000\",3,\"\\u0000\"]}", "{\"a\":[3]}", ";;;"},
        {"{\"a\":[{\"k\":1,\"k\":2},{\"k\":1}]}", "{\"a\":[{\"k\":1}]}", ";"},
        {"{\"a\":[\"\xff\",1]}", "{\"a\":[1]}", ";"},
        {"{\"a\":[01,1,tru]}", "{\"a\":[1]}", ";;"},
        {"{\"a\":{\"s\":{\"c\":\"\\u0000\"},\"t\":{\"c\":\"d\"}}}", "{\"a\":{\"t\":{\"c\":\"d\"}}}",
         "s;"},
        {"{\"a\":{\"t\":1,\"\\ud800\":2}}", "{\"a\":{\"t\":1}}", "\\ud800;"},
        {"{\"b\":[\"]}\"],\"a\":[\"\\u0000\"]}", "{\"b\":[\"]}\"],\"a\":[]}", ";"},
        /* elsewhere: nothing can be left out */
        {"{\"b\":[\"\\u0000\"],\"a\":[1]}", NULL, ""},
        {"{\"a\":\"\\u0000\"}", NULL, ""},
        /* without an end: where the entries are is a guess */
        {"{\"a\":[\"\\u0000\",1", NULL, ""},
        {"{\"a\":[\"\\u0000", NULL, ""},
        {"{\"a\":[\"\\u0000\" 1]}", NULL, ""},
        {"{\"a\":{\"s\" \"\\u0000\"}}", NULL, ""},
        {"{\"a\":[}", NULL, ""},
        {"{\"a\"", NULL, ""},
        {"", NULL, ""},
    };
    static const char *const path[] = {"a"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].text);
        char *bytes = xmalloc(n + 1); /* to its end, for the sanitizer */
        struct str dropped = STR_INIT, dense = STR_INIT;
        struct json_view v;

        memcpy(bytes, cases[i].text, n + 1);
        (void)json_salvage(bytes, n, path, 1,
                           &(struct json_salvage){.dropped = note, .ctx = &dropped});
        if (strcmp(str_cstr(&dropped), cases[i].dropped) != 0)
            fail_msg("%s: %s", cases[i].text, str_cstr(&dropped));
        put_dense(cases[i].left ? bytes : "", &dense);
        if (cases[i].left ? strcmp(str_cstr(&dense), cases[i].left) != 0
                          : memcmp(bytes, cases[i].text, n) != 0)
            fail_msg("%s: %s", cases[i].text, bytes);
        if (cases[i].left)
            assert_ok(json_view_open(bytes, n, n, "left", &v, why));
        str_deinit(&dropped);
        str_deinit(&dense);
        free(bytes);
    }
}

/* What is left is longer than nothing, and offsets of what follows stay. */
static void test_places_stay(void **state)
{
    char text[] = "{\"a\": [\n  \"\\u0000\",\n  2]}";
    static const char *const path[] = {"a"};
    struct str dropped = STR_INIT;

    (void)state;
    assert_int_equal(json_salvage(text, sizeof(text) - 1, path, 1,
                                  &(struct json_salvage){.dropped = note, .ctx = &dropped}),
                     1);
    assert_string_equal(text, "{\"a\": [\n           \n  2]}");
    str_deinit(&dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_entry_is_left_out),
        cmocka_unit_test(test_places_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
