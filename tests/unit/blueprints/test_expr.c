/* test_expr.c - expressions and templates: what they give, what they refuse, and where.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/expr.h"
#include "runtime/base/memory.h"
#include "tests/support/check.h"

static const char vars_text[] = "{\"inputs\": {\"topic\": \"bees\", \"n\": 3, \"rate\": 0.5, "
                                "\"deep\": {\"a\": [1, {\"b\": \"x\"}]}},"
                                " \"plan\": {\"queries\": [\"q0\", \"q1\"], \"title\": "
                                "\"T\\u00e9\"}, \"ok\": true, \"none\": null,"
                                " \"item\": 7}";

static struct json *vars(void)
{
    struct json *v = NULL;

    assert_int_equal(jv_parse(vars_text, strlen(vars_text), "vars", &v, NULL), STATUS_OK);
    return v;
}

struct value_case {
    const char *text, *expected; /* JSON */
};

static const struct value_case values[] = {
    {"1", "1"},
    {"1.5", "1.5"},
    {"1e3", "1000.0"},
    {"'a' + \"b\"", "\"ab\""},
    {"'it\\'s \\u00e9\\n'", "\"it's \xc3\xa9\\n\""},
    {"null", "null"},
    {"true && !false", "true"},
    {"[1, 'two', [3],]", "[1,\"two\",[3]]"},
    {"{'a': 1, \"b\": [2]}", "{\"a\":1,\"b\":[2]}"},
    {"{}", "{}"},
    {"inputs.topic", "\"bees\""},
    {"inputs['topic']", "\"bees\""},
    {"inputs.deep.a[1].b", "\"x\""},
    {"plan.queries[item - 6]", "\"q1\""},
    {"[10, 20][1]", "20"},
    {"{'a': 1}.a", "1"},
    {"1 + 2 * 3 - 4 / 2", "5"},
    {"(1 + 2) * 3", "9"},
    {"7 / 2", "3"},
    {"-7 / 2", "-3"},
    {"-7 % 3", "-1"},
    {"7 / 2.0", "3.5"},
    {"1 + 0.5", "1.5"},
    {"--3", "3"},
    {"-inputs.n", "-3"},
    {"-inputs.rate", "-0.5"},
    {"2 - 1 - 1", "0"},
    {"100 / 10 / 5", "2"},
    {"1 < 2", "true"},
    {"2 <= 1.5", "false"},
    {"9007199254740993 > 9007199254740992.0", "true"},
    {"1 == 1.0", "true"},
    {"1 == '1'", "false"},
    {"1 != null", "true"},
    {"'a' < 'b'", "true"},
    {"'ab' >= 'a'", "true"},
    {"[1, 2] == [1, 2]", "true"},
    {"plan == plan && plan != inputs", "true"},
    {"none == null", "true"},
    {"[1] + [2, 3]", "[1,2,3]"},
    {"'q1' in plan.queries", "true"},
    {"7.0 in [item]", "true"},
    {"'topic' in inputs", "true"},
    {"'x' in inputs || 3 in [1]", "false"},
    {"size(plan.queries) == 2", "true"},
    {"plan.title.size()", "2"},
    {"size({'a': 1})", "1"},
    {"has(plan.title)", "true"},
    {"has(plan.nothing)", "false"},
    {"has(plan.nothing.deeper)", "false"},
    {"has(inputs.topic.letters)", "false"},
    {"has(none.x)", "false"},
    {"has(inputs.deep.a[1].b)", "true"},
    {"ok ? 'yes' : missing.field", "\"yes\""},
    {"false ? 1 : true ? 2 : 3", "2"},
    {"ok || nothing", "true"},
    {"!ok && nothing", "false"},
    {"inputs.topic.startsWith('be')", "true"},
    {"endsWith(inputs.topic, 'es')", "true"},
    {"'abc'.endsWith('abcd')", "false"},
    {"inputs.topic.contains('ee')", "true"},
    {"inputs.topic.matches('^b.+s$')", "true"},
    {"string(1.5) + string(true) + string([1])", "\"1.5true[1]\""},
    {"int('42') + int(2.9) + int(true)", "45"},
    {"sum([1, 2, 3]) + sum([])", "6"},
    {"sum([1, 0.5])", "1.5"},
    {"double('2.5') + double(1)", "3.5"},
    {"[1, 2, 3].filter(x, x > 1)", "[2,3]"},
    {"[].filter(x, x.y)", "[]"},
    {"[1, 2].map(x, x * inputs.n)", "[3,6]"},
    {"[1, 2, 3].map(x, x % 2 == 1, x * 10)", "[10,30]"},
    {"[1, 2].map(x, [3, 4].map(y, x * y))", "[[3,4],[6,8]]"},
    {"[1, 2].map(item, item) + [item]", "[1,2,7]"}, /* hides the name around, and gives it back */
    {"[[1], [2, 3]].map(x, x.map(x, x + 1))", "[[2],[3,4]]"},
    {"plan.queries.map(q, {'q': q, 'n': size(q)})",
     "[{\"q\":\"q0\",\"n\":2},{\"q\":\"q1\",\"n\":2}]"},
    {"[{'a': 1}, {'b': 2}].filter(m, has(m.a))", "[{\"a\":1}]"},
    {"[1, 2].all(x, x > 0) && ![1, 2].all(x, x > 1) && [].all(x, false)", "true"},
    {"[1, 2].exists(x, x > 1) && ![1, 2].exists(x, x > 2) && ![].exists(x, true)", "true"},
    {"[1, 'a'].exists(x, x == 1 || x.y)", "true"}, /* ends at the first that holds */
    {"plan.filter(k, k.startsWith('q'))", "[\"queries\"]"},
    {"plan.queries.map(q, q.upperAscii()).join('-')", "\"Q0-Q1\""},
    {"['a', 'b'].join()", "\"ab\""},
    {"[].join(',')", "\"\""},
    {"'a,b,,c'.split(',')", "[\"a\",\"b\",\"\",\"c\"]"},
    {"'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]"},
    {"'a,b,c'.split(',', 1)", "[\"a,b,c\"]"},
    {"'a,b'.split(',', 0)", "[]"},
    {"'a,b'.split(',', -1)", "[\"a\",\"b\"]"},
    {"'a\u00e9b'.split('')", "[\"a\",\"\xc3\xa9\",\"b\"]"},
    {"''.split(',')", "[\"\"]"},
    {"''.split('')", "[]"},
    {"'a, b'.split(', ').join(',')", "\"a,b\""},
    {"{'b': 1, 'a': [2]}.keys()", "[\"b\",\"a\"]"},
    {"{'b': 1, 'a': [2]}.values()", "[1,[2]]"},
    {"'ABC \u00c9z'.lowerAscii()", "\"abc \xc3\x89z\""},
    {"'abc \u00e9Z'.upperAscii()", "\"ABC \xc3\xa9Z\""},
    {"' \t a b\u00a0\u2003\n'.trim()", "\"a b\""},
    {"' \n'.trim() + ''.trim()", "\"\""},
    {"parse_json('{\"a\": [1, 2.5, null]}').a[1]", "2.5"},
    {"parse_json(to_json(plan)) == plan", "true"},
    {"to_json('a') + to_json({'b': [true, 1.5]})", "\"\\\"a\\\"{\\\"b\\\":[true,1.5]}\""},
    {"[3, 1, 2.5, 1].sort()", "[1,1,2.5,3]"},
    {"['b', 'a', '\u00e9', 'B'].sort()", "[\"B\",\"a\",\"b\",\"\xc3\xa9\"]"},
    {"[].sort() + [1].sort()", "[1]"},
    {"[2, 1, 2.0, '2', [1], [1], 1].distinct()", "[2,1,\"2\",[1]]"},
    {"[{'a': 1, 'b': 2}, {'b': 2, 'a': 1}].distinct().size()", "1"},
    {"1 + 2 // 3", NULL},
    {"9223372036854775807", "9223372036854775807"},
    {"inputs . topic", "\"bees\""},
    {"\n 1\t+\r\n 1 ", "2"},
};

static void an_expression_gives_its_value(void **state)
{
    struct json *v = vars();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct expr *e = NULL;
        struct json *out = NULL;
        struct error err = ERROR_INIT;
        enum status st = expr_parse(values[i].text, strlen(values[i].text), &e, &err);
        char *text;

        if (!values[i].expected) {
            assert_int_not_equal(st, STATUS_OK);
            continue;
        }
        if (!st)
            st = expr_eval(e, v, &out, &err);
        if (st)
            fail_msg("%s: %s: %s", values[i].text, err.where, err.message);
        text = jv_dump(out);
        if (strcmp(text, values[i].expected) != 0)
            fail_msg("%s gave %s, not %s", values[i].text, text, values[i].expected);
        free(text);
        jv_unref(out);
        expr_free(e);
    }
    jv_unref(v);
}

struct fault_case {
    const char *text, *where, *message;
};

static const struct fault_case parse_faults[] = {
    {"", "1:1", "expected a value, got the end"},
    {"1 +", "1:4", "expected a value, got the end"},
    {"1 2", "1:3", "expected an operator or the end, got `2`"},
    {"(1", "1:3", "expected `)`, got the end"},
    {"[1 2]", "1:4", "expected `,` or `]`, got `2`"},
    {"{'a' 1}", "1:6", "expected `:`, got `1`"},
    {"a.", "1:3", "expected a field's name after `.`, got the end"},
    {"a.1", "1:3", "expected a field's name after `.`, got `1`"},
    {"a = 1", "1:3", "unexpected single '='; did you mean '=='?"},
    {"a & b", "1:3", "unexpected single '&'; did you mean '&&'?"},
    {"a # b", "1:3", "unexpected character '#'"},
    {"\xc3\xa9 + 1", "1:1", "unexpected character '\xc3\xa9'"},
    {"'\xc3\xa9' ; 1", "1:5", "unexpected character ';'"},
    {"'abc", "1:1", "this string has no closing quote"},
    {"'a\\q'", "1:3",
     "unknown escape in a string; the escapes are \\n \\r \\t \\\\ \\' \\\" \\uXXXX"},
    {"'\\u12'", "1:2", "\\u needs four hexadecimal digits"},
    {"'\\ud800'", "1:2", "\\ud800 is not a character"},
    {"9223372036854775808", "1:1", "the number 9223372036854775808 is out of range"},
    {"1e999", "1:1", "the number 1e999 is out of range"},
    {"12ab", "1:3", "a letter directly after a number"},
    {"len(a)", "1:1", "unknown function `len`"},
    {"sise(a)", "1:1", "unknown function `sise`; did you mean `size`?"},
    {"a.startswith('b')", "1:3", "unknown function `startswith`; did you mean `startsWith`?"},
    {"size()", "1:1", "size takes 1 argument, got 0: size(text, list or map)"},
    {"contains('a')", "1:1", "contains takes 2 arguments, got 1: text.contains(part)"},
    {"has(a)", "1:1", "has() takes one field, as in has(plan.title)"},
    {"has(a[0])", "1:1", "has() takes one field, as in has(plan.title)"},
    {"has(a.b, c.d)", "1:1", "has() takes one field, as in has(plan.title)"},
    {"a ? b", "1:6", "expected `:`, got the end"},
    {"in", "1:1", "expected a value, got `in`"},
    {"a.filter()", "1:10", "expected a variable's name, got `)`: list.filter(x, condition)"},
    {"a.filter(1, x)", "1:10", "expected a variable's name, got `1`: list.filter(x, condition)"},
    {"a.map(null, x)", "1:7",
     "expected a variable's name, got `null`: list.map(x, value) or list.map(x, condition, value)"},
    {"a.all(x)", "1:8", "expected `,`, got `)`: list.all(x, condition)"},
    {"a.all(x,)", "1:3", "all takes a variable and one expression, got 1: list.all(x, condition)"},
    {"a.exists(x, 1, 2)", "1:3",
     "exists takes a variable and one expression, got 3: list.exists(x, condition)"},
    {"a.map(x, 1, 2, 3)", "1:3",
     "map takes a variable and one or two expressions, got 4: list.map(x, value) or list.map(x, "
     "condition, value)"},
    {"filter(a, x, x)", "1:1", "filter needs a list before it: list.filter(x, condition)"},
    {"a.fliter(x, x)", "1:3", "unknown function `fliter`; did you mean `filter`?"},
    {"split('a')", "1:1",
     "split takes 2 or more arguments, got 1: text.split(separator) or text.split(separator, most "
     "parts)"},
    {"join('a', 'b', 'c')", "1:1",
     "join takes 1 or more arguments, got 3: list.join() or list.join(separator)"},
};

static void a_fault_of_form_names_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parse_faults); i++) {
        const struct fault_case *c = &parse_faults[i];
        struct expr *e = NULL;
        struct error err = ERROR_INIT;

        if (!expr_parse(c->text, strlen(c->text), &e, &err))
            fail_msg("%s was taken", c->text);
        if (strcmp(err.message, c->message) != 0 || strcmp(err.where, c->where) != 0)
            fail_msg("%s: \"%s\" at %s, not \"%s\" at %s", c->text, err.message, err.where,
                     c->message, c->where);
        assert_int_equal(err.status, STATUS_INVALID);
    }
}

static const struct fault_case eval_faults[] = {
    {"plam.title", "1:1", "unknown name `plam`; did you mean `plan`?"},
    {"zzzzzz", "1:1", "unknown name `zzzzzz`; the names are: inputs, plan, ok, none, item"},
    {"plan.tilte", "1:6", "no field `tilte`; did you mean `title`?"},
    {"plan.xxxxxxx", "1:6", "no field `xxxxxxx`; the fields are: queries, title"},
    {"plan['queris']", "1:5", "no field `queris`; did you mean `queries`?"},
    {"{}.a", "1:4", "no field `a`; the map is empty"},
    {"item.a", "1:6", "no field `a` in a value of type integer"},
    {"none.a", "1:6", "no field `a` in a value of type null"},
    {"plan.queries[2]", "1:13", "index 2 is outside a list of 2 items"},
    {"plan.queries[-1]", "1:13", "index -1 is outside a list of 2 items"},
    {"plan.queries['0']", "1:13", "the index of a list must be an integer, got string"},
    {"plan[0]", "1:5", "cannot use an index of type integer on a value of type object"},
    {"1 + 'a'", "1:3", "`+` does not take integer and string"},
    {"1 < 'a'", "1:3", "`<` does not take integer and string"},
    {"null <= null", "1:6", "`<=` does not take null and null"},
    {"1 in 'a'", "1:3", "`in` does not take integer and string"},
    {"1.5 % 2", "1:5", "`%` does not take number and integer"},
    {"1 / 0", "1:3", "division by zero"},
    {"1.0 / 0", "1:5", "division by zero"},
    {"1 % 0", "1:3", "division by zero"},
    {"9223372036854775807 + 1", "1:21", "the integer is out of range"},
    {"-9223372036854775807 - 2", "1:22", "the integer is out of range"},
    {"1e308 * 10", "1:7", "the number is out of range"},
    {"1 && true", "1:1", "&& takes true or false, got integer"},
    {"false || 'a'", "1:10", "|| takes true or false, got string"},
    {"!1", "1:2", "! takes true or false, got integer"},
    {"-'a'", "1:1", "- takes a number, got string"},
    {"1 ? 2 : 3", "1:1", "? : takes true or false, got integer"},
    {"size(1)", "1:1", "size takes a string, a list or a map, got integer"},
    {"int('x1')", "1:1", "\"x1\" is not an integer"},
    {"int([])", "1:1", "int takes a number, a string or a boolean, got array"},
    {"int(1e30)", "1:1", "the number does not fit into an integer"},
    {"double('x')", "1:1", "\"x\" is not a number"},
    {"double(true)", "1:1", "double takes a number or a string, got boolean"},
    {"contains(1, 'a')", "1:1", "contains takes two strings, got integer"},
    {"sum(1)", "1:1", "sum takes a list of numbers, got integer"},
    {"sum([1, 'a'])", "1:1", "sum takes a list of numbers, got string"},
    {"1.5.filter(x, x)", "1:5", "filter takes a list or a map, got number"},
    {"[1].filter(x, x)", "1:15", "filter takes true or false, got integer"},
    {"[1].map(x, 1, x)", "1:12", "map takes true or false, got integer"},
    {"[1].map(x, x).map(y, x)", "1:22",
     "unknown name `x`; the names are: inputs, plan, ok, none, item"},
    {"['a', 1].join(',')", "1:10",
     "join takes a list of strings, but item 1 is of type integer; list.map(x, string(x)) makes "
     "strings"},
    {"'a'.join(',')", "1:5", "join takes a list of strings, got string"},
    {"['a'].join(1)", "1:7", "the separator of join is a string, got integer"},
    {"'a'.split(1)", "1:5", "split takes two strings, got integer"},
    {"'a'.split(',', 'x')", "1:5", "the limit of split is an integer, got string"},
    {"[1].keys()", "1:5", "keys takes a map, got array"},
    {"'a'.values()", "1:5", "values takes a map, got string"},
    {"1.0.trim()", "1:5", "trim takes a string, got number"},
    {"lowerAscii(1)", "1:1", "lowerAscii takes a string, got integer"},
    {"upperAscii(null)", "1:1", "upperAscii takes a string, got null"},
    {"[1, 'a'].sort()", "1:10",
     "sort takes a list of numbers or of strings, but item 0 is of type integer and item 1 of type "
     "string"},
    {"[[1]].sort()", "1:7",
     "sort takes a list of numbers or of strings, but item 0 is of type array and item 0 of type "
     "array"},
    {"'ab'.sort()", "1:6", "sort takes a list, got string"},
    {"distinct({})", "1:1", "distinct takes a list, got object"},
    {"parse_json(1)", "1:1", "parse_json takes a string, got integer"},
    {"parse_json('{\"a\": }')", "1:1", NULL},
    {"{1: 2}", "1:2", "the key of a map must be a string, got integer"},
    {"{'a': 2, 'a': 3}", "1:10", "duplicate key `a` in a map"},
};

static void a_fault_of_type_names_its_place(void **state)
{
    struct json *v = vars();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(eval_faults); i++) {
        const struct fault_case *c = &eval_faults[i];
        struct expr *e = NULL;
        struct json *out = NULL;
        struct error err = ERROR_INIT;

        if (expr_parse(c->text, strlen(c->text), &e, &err))
            fail_msg("%s was not even parsed: %s", c->text, err.message);
        if (!expr_eval(e, v, &out, &err))
            fail_msg("%s was taken", c->text);
        if ((c->message && strcmp(err.message, c->message) != 0) ||
            strcmp(err.where, c->where) != 0)
            fail_msg("%s: \"%s\" at %s, not \"%s\" at %s", c->text, err.message, err.where,
                     c->message ? c->message : "any words", c->where);
        expr_free(e);
    }
    jv_unref(v);
}

/* n times `a`, the middle, n times `b`. */
static char *nested(const char *a, size_t n, const char *middle, const char *b)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < n; i++)
        str_puts(&s, a);
    str_puts(&s, middle);
    for (size_t i = 0; i < n; i++)
        str_puts(&s, b);
    return str_take(&s);
}

static enum status parse_and_eval(const char *text, struct error *err)
{
    struct json *v = vars();
    struct expr *e = NULL;
    struct json *out = NULL;
    enum status st = expr_parse(text, strlen(text), &e, err);

    if (!st)
        st = expr_eval(e, v, &out, err);
    jv_unref(out);
    expr_free(e);
    jv_unref(v);
    return st;
}

static void limits_are_kept(void **state)
{
    static const struct {
        const char *a;
        size_t n;
        const char *middle, *b;
        enum status expected;
    } cases[] = {
        {"(", 31, "1", ")", STATUS_OK},
        {"(", 32, "1", ")", STATUS_LIMIT},
        {"[", 32, "", "]", STATUS_OK},
        {"[", 33, "", "]", STATUS_LIMIT},
        {"!", 31, "true", "", STATUS_OK},
        {"!", 32, "true", "", STATUS_LIMIT},
        {"true ? ", 40, "1", " : 2", STATUS_LIMIT},
        {"false ? 1 : ", 40, "2", "", STATUS_LIMIT},
        {"", 31, "'a'", ".string()", STATUS_OK},
        {"", 32, "'a'", ".string()", STATUS_LIMIT},
        {"[1].map(x, ", 31, "1", ")", STATUS_OK},
        {"[1].map(x, ", 32, "1", ")", STATUS_LIMIT},
        {"", 31, "[1]", ".map(x, x)", STATUS_OK},
        {"", 32, "[1]", ".map(x, x)", STATUS_LIMIT},
        {"1 + ", 1000, "1", "", STATUS_OK}, /* a chain is not nesting */
        {"", 1200, "inputs", ".a", STATUS_INVALID},
        {"1 + ", 1023, "10", "", STATUS_OK},
        {"1 + ", 1024, "1", "", STATUS_LIMIT}, /* 4,097 bytes */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = nested(cases[i].a, cases[i].n, cases[i].middle, cases[i].b);
        struct error err = ERROR_INIT;
        enum status st = parse_and_eval(text, &err);

        if (st != cases[i].expected)
            fail_msg("case %zu: %s (%s)", i, status_name(st), err.message);
        free(text);
    }
}

static void an_expression_runs_a_bounded_number_of_steps(void **state)
{
    struct json *v = jv_object();
    struct json *big = jv_array();
    struct expr *e = NULL;
    struct json *out = NULL;
    struct error err = ERROR_INIT;
    static const char *const texts[] = {"big.map(x, 5 in big) == []", "big.all(x, x == 7)",
                                        "big.map(x, big.map(y, 1)) == []",
                                        "[1, 2].map(x, big.sort()) == []",
                                        "[1, 2, 3, 4, 5, 6, 7, 8, 9].map(x, big.distinct()) == []"};

    (void)state;
    for (int i = 0; i < 50000; i++)
        jv_append_adopt(big, jv_int(7));
    jv_set_adopt(v, "big", big);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(expr_parse(texts[i], strlen(texts[i]), &e, &err), STATUS_OK);
        if (expr_eval(e, v, &out, &err) != STATUS_LIMIT)
            fail_msg("%s was taken", texts[i]);
        assert_string_equal(err.message, "the expression needs more than 100000 steps");
        expr_free(e);
    }
    jv_unref(v);
}

static void plus_cannot_fill_the_memory(void **state)
{
    struct json *v = jv_object();
    char *many = nested("big + ", 200, "big", "");
    char *megabyte = nested("x", (size_t)1 << 20, "", "");
    struct expr *e = NULL;
    struct json *out = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    jv_set_string(v, "big", megabyte);
    assert_int_equal(expr_parse(many, strlen(many), &e, &err), STATUS_OK);
    assert_int_equal(expr_eval(e, v, &out, &err), STATUS_LIMIT);
    expr_free(e);
    free(many);
    free(megabyte);
    jv_unref(v);
}

static void what_is_read_is_named_once(void **state)
{
    const char *text = "plan.a + plan.b + plan.a + inputs.c + inputs['d e'] + [item][round].plan + "
                       "has(state.x) + list.map(x, x.y + list[0])";
    struct expr *e = NULL;
    struct str all = STR_INIT;

    (void)state;
    assert_int_equal(expr_parse(text, strlen(text), &e, NULL), STATUS_OK);
    for (size_t i = 0; i < expr_n_references(e); i++)
        str_printf(&all, "%s.%s ", expr_reference(e, i).name,
                   expr_reference(e, i).field ? expr_reference(e, i).field : "");
    assert_string_equal(str_cstr(&all), "plan. plan.a plan.b inputs. inputs.c inputs.d e item. "
                                        "round. state. state.x list. ");
    str_deinit(&all);
    expr_free(e);
}

static const struct value_case templates[] = {
    {"", "\"\""},
    {"plain", "\"plain\""},
    {"${inputs.n}", "3"},
    {"${plan.queries}", "[\"q0\",\"q1\"]"},
    {" ${inputs.n}", "\" 3\""},
    {"${inputs.n} of ${inputs.topic}", "\"3 of bees\""},
    {"${ {'a': '}'}.a }", "\"}\""},
    {"is ${plan.queries}", "\"is [\\\"q0\\\",\\\"q1\\\"]\""},
    {"$${inputs.n} $ $$", "\"${inputs.n} $ $$\""},
    {"${'$'}{x}", "\"${x}\""},
    {"${none}", "null"},
};

static void a_template_keeps_the_type_of_a_lone_expression(void **state)
{
    struct json *v = vars();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        struct expr_template *t = NULL;
        struct json *out = NULL;
        struct error err = ERROR_INIT;
        char *text;

        if (expr_template_parse(templates[i].text, strlen(templates[i].text), &t, &err) ||
            expr_template_eval(t, v, &out, &err))
            fail_msg("%s: %s", templates[i].text, err.message);
        text = jv_dump(out);
        assert_string_equal(text, templates[i].expected);
        free(text);
        jv_unref(out);
        expr_template_free(t);
    }
    jv_unref(v);
}

static void a_fault_in_a_template_counts_from_its_beginning(void **state)
{
    static const struct fault_case cases[] = {
        {"abc ${1 +}", "1:10", "expected a value, got `}`"},
        {"abc ${1", "1:8", "expected an operator or `}`, got the end"},
        {"\xc3\xa9 ${}", "1:5", "expected a value, got `}`"},
        {"${a} and ${b c}", "1:14", "expected an operator or `}`, got `c`"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct expr_template *t = NULL;
        struct error err = ERROR_INIT;

        assert_int_equal(expr_template_parse(cases[i].text, strlen(cases[i].text), &t, &err),
                         STATUS_INVALID);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.where, cases[i].where);
    }
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    struct expr *e = NULL;
    struct expr_template *t = NULL;

    (void)state;
    assert_int_equal(expr_parse("a\0b", 3, &e, NULL), STATUS_INVALID);
    assert_int_equal(expr_parse("'\xff'", 3, &e, NULL), STATUS_INVALID);
    assert_int_equal(expr_template_parse("\xff", 1, &t, NULL), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expression_gives_its_value),
        cmocka_unit_test(a_fault_of_form_names_its_place),
        cmocka_unit_test(a_fault_of_type_names_its_place),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(an_expression_runs_a_bounded_number_of_steps),
        cmocka_unit_test(plus_cannot_fill_the_memory),
        cmocka_unit_test(what_is_read_is_named_once),
        cmocka_unit_test(a_template_keeps_the_type_of_a_lone_expression),
        cmocka_unit_test(a_fault_in_a_template_counts_from_its_beginning),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
