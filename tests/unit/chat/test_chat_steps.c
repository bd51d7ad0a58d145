/* test_chat_steps.c - hostile templates stop at the step limit, and normal ones take steps in
 * proportion to the text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/chat_template.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

static enum status render(const char *template, const struct chat_input *in, struct str *out,
                          struct error *err)
{
    struct chat_template *t = NULL;
    enum status st = chat_template_new(template, strlen(template), "t.jinja", &t, err);

    if (st == STATUS_OK)
        st = chat_render(t, in, out, err);
    chat_template_free(t);
    return st;
}

#define MAX 1000000 /* steps */

/* l and m: 2 to the power of 60 equal leaves, in 60 lists or dicts of two. */
#define TWINS                                                                                      \
    "{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(60) %}"                               \
    "{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}"
#define DICT_TWINS                                                                                 \
    "{% set ns = namespace(l={'a': 1}, m={'a': 1}) %}{% for i in range(60) %}"                     \
    "{% set ns.l = {'a': ns.l, 'b': ns.l} %}{% set ns.m = {'a': ns.m, 'b': ns.m} %}{% endfor %}"
#define EACH(list, body) "{% for i in " list " %}" body "{% endfor %}"
#define LONG             "{% set s = 'a' * 1000000 %}"

static void test_every_loop_over_values_spends(void **state)
{
    static const char *const templates[] = {
        TWINS "{{ ns.l == ns.m }}",
        TWINS "{{ ns.l != ns.m }}",
        TWINS "{{ ns.l in [ns.m] }}",
        TWINS "{{ ns.l not in [ns.m] }}",
        TWINS "{{ [ns.l, ns.m] | unique | list | length }}",
        TWINS "{{ [ns.l] | select('equalto', ns.m) | list | length }}",
        TWINS "{{ [ns.l] | reject('in', [ns.m]) | list | length }}",
        TWINS "{{ ns.l is eq(ns.m) }}",
        TWINS "{{ ns.l is sameas(ns.m) }}",
        DICT_TWINS "{{ ns.l == ns.m }}",
        DICT_TWINS "{{ ns.l in [ns.m] }}",
        DICT_TWINS "{{ ns.l | string }}",
        DICT_TWINS "{{ ns.l | tojson }}",
        TWINS "{{ ns.l }}",
        TWINS "{{ ns.l | string }}",
        TWINS "{{ ns.l | tojson }}",
        TWINS "{{ ns.l ~ 'x' }}",
        TWINS "{{ [ns.l] | join(',') }}",
        LONG EACH("range(100000)", "{{ s is lower }}"),
        LONG EACH("range(100000)", "{{ s.isdigit() or s is upper }}"),
        LONG EACH("range(100000)", "{{ s | length }}{{ (s + 'b') | length }}"),
        LONG EACH("range(100000)", "{{ 'b' in s }}{{ s.find('b') }}{{ s.count('b') }}"),
        LONG EACH("range(100000)", "{{ (s.strip() + 'b').rstrip('c') | length }}"),
        LONG EACH("range(100000)", "{{ s == s }}{{ s < s }}"),
        LONG EACH("range(100000)", "{{ {s: 1}[s] }}"),
        LONG "{{ s.strip('b' * 1000000 + 'a') | length }}",
        LONG "{{ s | trim('b' * 1000000 + 'a') | length }}",
        LONG "{{ s.rsplit('ab' + s[:500000], 1) | length }}",
        "{% set s = 'a' * 20000 %}{{ range(2000) | map('replace', '1', s) | sort | length }}",
        "{% set s = 'é' * 100000 %}" EACH("range(100000)", "{{ s[i] }}"),
        "{% set l = range(100000) | list %}" EACH("l", "{{ (i + 100000) in l }}"),
        "{% set l = range(100000) | list %}" EACH("l", "{{ l | sort | length }}"),
        "{% set l = range(100000) | map('string') | list %}" EACH("l", "{{ 'x'.startswith(l) }}"),
        EACH("range(100000)", "{{ range(100000) | sum }}"),
        EACH("range(100000)", "{{ range(100000) | list | reverse | first }}"),
    };
    struct json *none = jv_array();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        int64_t steps = 0;
        const struct chat_input in = {.messages = none, .max_steps = MAX, .steps = &steps};
        struct str out = STR_INIT;
        struct error err = ERROR_INIT;
        const enum status st = render(templates[i], &in, &out, &err);

        if (st != STATUS_LIMIT || steps <= MAX)
            fail_msg("\"%s\": %s, \"%s\", %lld steps", templates[i], status_name(st), err.message,
                     (long long)steps);
        str_deinit(&out);
    }
    jv_unref(none);
}

/* Names, arguments and members without number, each looked up among the others. */
static void test_a_template_of_many_names_ends(void **state)
{
    static const struct {
        const char *before, *unit, *behind, *after; /* the number is between unit and behind */
        enum status status;
    } cases[] = {
        {"", "{% set a", " = 1 %}", "", STATUS_LIMIT}, /* scopes are searched from the front */
        {"{% macro m(", "a", ",", ") %}{% endmacro %}{{ m(a1=2) }}", STATUS_LIMIT},
        {"{{ dict(", "a", "=1,", ") | length }}", STATUS_OK},
        {"{{ {", "'a", "': 1,", "} | length }}", STATUS_OK},
        {"{{ ''", " 'a", "'", " }}", STATUS_OK},
    };
    struct json *none = jv_array();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct chat_input in = {.messages = none};
        struct str text = STR_INIT, out = STR_INIT;
        struct error err = ERROR_INIT;
        enum status st;

        str_puts(&text, cases[i].before);
        for (int k = 0; k < 40000; k++) {
            str_puts(&text, cases[i].unit);
            str_put_i64(&text, k);
            str_puts(&text, cases[i].behind);
        }
        str_puts(&text, cases[i].after);
        st = render(str_cstr(&text), &in, &out, &err);
        if (st != cases[i].status)
            fail_msg("case %zu: %s, \"%s\"", i, status_name(st), err.message);
        str_deinit(&text);
        str_deinit(&out);
    }
    jv_unref(none);
}

/* {"c": n bytes of text, "d": an object with a key a word} */
static struct json *variables(size_t n)
{
    static const char *const words[] = {"word",  "<think>", "x<b\n",    "\xc3\xa9t\xc3\xa9",
                                        "\r\n.", " ",       "</think>", "aaaa"};
    struct json *v = jv_object(), *d = jv_object();
    struct str text = STR_INIT;

    for (size_t i = 0; text.len < n; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "k%zu", i);
        jv_set_int(d, key, (int64_t)i);
        str_puts(&text, words[i * 7 % ARRAY_LEN(words)]);
        str_putc(&text, ' ');
    }
    jv_set_adopt(v, "c", jv_string_n(str_cstr(&text), text.len));
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            text.data[i] = '_';
    jv_set_adopt(v, "ascii", jv_string_n(str_cstr(&text), text.len));
    jv_set_adopt(v, "d", d);
    str_deinit(&text);
    return v;
}

static int64_t steps_of(const char *template, size_t n)
{
    int64_t steps = 0;
    struct json *none = jv_array(), *extra = variables(n);
    const struct chat_input in = {.messages = none, .extra = extra, .steps = &steps};
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    const enum status st = render(template, &in, &out, &err);

    if (st)
        fail_msg("\"%s\" over %zu bytes: %s, \"%s\"", template, n, status_name(st), err.message);
    str_deinit(&out);
    jv_unref(extra);
    jv_unref(none);
    return steps;
}

static void test_steps_grow_with_the_text(void **state)
{
    static const char *const templates[] = {
        "{{ c }}{{ c | trim }}{{ c | tojson }}",
        "{{ c.split('</think>')[-1].lstrip('\\n') }}",
        "{{ c.split('<think>')[0].rstrip() }}{{ c.rsplit('<think>', 1)[1] | length }}",
        "{{ c.split() | length }}{{ c.splitlines() | join('|') }}",
        "{% if '</nothing>' in c %}x{% endif %}{{ c.find('</nothing>') }}{{ c.count('<') }}",
        "{{ c | replace('a', 'bb') }}{{ c.replace('<think>', '') }}",
        "{{ c | upper }}{{ c | title }}{{ c | indent(2) }}",
        "{{ c[::-1] }}{{ c[5:-5] }}{{ c[::2] }}{{ c[::-3] }}{{ c | reverse }}",
        "{{ c | first }}{{ c | last }}",
        EACH("range(ascii | length // 8)", "{{ ascii[i] }}{{ ascii[i:i + 4] }}"),
        EACH("c", "{{ i }}"),
        "{% set ns = namespace(s='') %}{% for w in c.split(' ') %}{% set ns.s = ns.s + w %}"
        "{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s='') %}{% for w in c.split(' ') %}{% set ns.s = ns.s ~ (w ~ '-') %}"
        "{% endfor %}{{ ns.s }}",
        EACH("d", "{{ d[i] }}{{ d.get(i) }}"),
        EACH("d.items()", "{{ i[0] }}"),
        "{{ dict(d) | length }}{{ d == dict(d) }}{{ d | tojson }}{{ d }}",
        "{{ d.values() | unique | list | length }}{{ d.keys() | unique | list | length }}",
        "{{ c.split(' ') | sort | join }}{{ d | dictsort | length }}",
        "{{ c.split(' ') | select('equalto', 'word') | list | length }}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        const int64_t small = steps_of(templates[i], 16384);
        const int64_t large = steps_of(templates[i], 131072);

        if (large > 10 * small) /* 8 times the text, and a logarithm where it is sorted */
            fail_msg("\"%s\": %lld steps for 16 KiB, %lld for 128 KiB", templates[i],
                     (long long)small, (long long)large);
    }
}

/* The scope of a pass is used again, unless a macro still reads it. (In jinja2 such a macro finds a
 * value called "missing".) */
static void test_a_macro_keeps_the_pass_it_was_made_in(void **state)
{
    struct json *none = jv_array();
    const struct chat_input in = {.messages = none};
    struct str out = STR_INIT;

    (void)state;
    assert_ok(render("{% set ns = namespace(f=none) %}{% for i in [1, 2, 3] %}{% if loop.first %}"
                     "{% macro f() %}{{ i }}{% endmacro %}{% set ns.f = f %}{% endif %}"
                     "{% set x = i %}{% endfor %}{{ ns.f() }}",
                     &in, &out, why));
    assert_string_equal(str_cstr(&out), "1");
    str_deinit(&out);
    jv_unref(none);
}

struct patience {
    int left;
};

static enum status lose_patience(void *ctx, struct error *err)
{
    struct patience *p = ctx;

    if (p->left-- > 0)
        return STATUS_OK;
    return error_set(err, STATUS_TIMEOUT, "out of patience");
}

static void test_the_caller_ends_a_rendering(void **state)
{
    struct json *none = jv_array();
    struct patience p = {20};
    int64_t steps = 0;
    const struct chat_input in = {
        .messages = none, .check = lose_patience, .check_ctx = &p, .steps = &steps};
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(render(TWINS "{{ ns.l == ns.m }}", &in, &out, &err), STATUS_TIMEOUT);
    assert_string_equal(err.message, "out of patience");
    assert_int_equal(p.left, -1); /* asked once more, and then never again */
    assert_true(steps < 10000);
    assert_int_equal(out.len, 0);
    p.left = 20;
    assert_int_equal(render("{{ 'fine' }}", &in, &out, &err), STATUS_OK);
    assert_string_equal(str_cstr(&out), "fine");
    str_deinit(&out);
    jv_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_loop_over_values_spends),
        cmocka_unit_test(test_a_template_of_many_names_ends),
        cmocka_unit_test(test_steps_grow_with_the_text),
        cmocka_unit_test(test_a_macro_keeps_the_pass_it_was_made_in),
        cmocka_unit_test(test_the_caller_ends_a_rendering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
