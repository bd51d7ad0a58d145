/* test_schema.c - values against schemas, and messages that a model can act on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/schema.h"
#include "tests/support/check.h"

/* where and message NULL: the value fits. */
struct check {
    const char *schema, *value, *where, *message;
};

static void run(const struct check *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct json *schema = fixture_json(cases[i].schema), *value = fixture_json(cases[i].value);
        struct error err = ERROR_INIT;
        enum status st;

        if (schema_supported(schema, &err))
            fail_msg("%s is not supported: %s %s", cases[i].schema, err.where, err.message);
        st = schema_check(schema, value, "arguments", &err);
        if (!cases[i].message) {
            if (st)
                fail_msg("%s in %s: %s", cases[i].value, cases[i].schema, err.message);
        } else {
            if (st != STATUS_INVALID)
                fail_msg("%s in %s: status %d", cases[i].value, cases[i].schema, (int)st);
            assert_string_equal(err.where, cases[i].where);
            assert_string_equal(err.message, cases[i].message);
        }
        /* The words are optional. */
        assert_int_equal(schema_check(schema, value, "arguments", NULL), st);
        jv_unref(schema);
        jv_unref(value);
    }
}

#define RUN(cases) run(cases, sizeof(cases) / sizeof((cases)[0]))
#define A          "arguments"

static void single_values(void **state)
{
    static const struct check cases[] = {
        {"true", "5", NULL, NULL},
        {"false", "5", A, "no value is allowed here"},
        {"{}", "null", NULL, NULL},
        {"{\"type\":\"string\"}", "\"x\"", NULL, NULL},
        {"{\"type\":\"string\"}", "5", A, "expected string, got integer 5"},
        {"{\"type\":\"string\"}", "null", A, "expected string, got null"},
        {"{\"type\":\"integer\"}", "5.0", NULL, NULL},
        {"{\"type\":\"integer\"}", "5.5", A, "expected integer, got number 5.5"},
        {"{\"type\":\"integer\"}", "true", A, "expected integer, got boolean true"},
        {"{\"type\":\"number\"}", "5", NULL, NULL},
        {"{\"type\":\"object\"}", "[1,2]", A, "expected object, got array of 2 items"},
        {"{\"type\":\"array\"}", "{\"a\":1}", A, "expected array, got object of 1 field"},
        {"{\"type\":[\"string\",\"null\"]}", "null", NULL, NULL},
        {"{\"type\":[\"string\",\"null\"]}", "5", A, "expected string or null, got integer 5"},
        {"{\"enum\":[\"a\",1,null]}", "1.0", NULL, NULL},
        {"{\"enum\":[\"a\",1,null]}", "\"b\"", A,
         "expected one of \"a\", 1, null, got string \"b\""},
        {"{\"const\":{\"a\":[1]}}", "{\"a\":[1]}", NULL, NULL},
        {"{\"const\":3}", "4", A, "expected integer 3, got integer 4"},
        {"{\"minimum\":0,\"maximum\":99}", "99", NULL, NULL},
        {"{\"minimum\":0}", "-1", A, "expected at least 0, got integer -1"},
        {"{\"maximum\":99}", "99.5", A, "expected at most 99, got number 99.5"},
        {"{\"maximum\":9007199254740992}", "9007199254740993", A,
         "expected at most 9007199254740992, got integer 9007199254740993"},
        {"{\"exclusiveMinimum\":0}", "0", A, "expected more than 0, got integer 0"},
        {"{\"exclusiveMaximum\":1}", "1", A, "expected less than 1, got integer 1"},
        {"{\"minimum\":5}", "\"a\"", NULL, NULL},
        {"{\"multipleOf\":5}", "15", NULL, NULL},
        {"{\"multipleOf\":5}", "16", A, "expected a multiple of 5, got integer 16"},
        {"{\"multipleOf\":0.5}", "1.5", NULL, NULL},
        {"{\"minLength\":2}", "\"\xc3\xa9\xc3\xa9\"", NULL, NULL},
        {"{\"minLength\":2}", "\"\xc3\xa9\"", A, "expected at least 2 characters, got 1"},
        {"{\"maxLength\":2}", "\"abc\"", A, "expected at most 2 characters, got 3"},
        {"{\"pattern\":\"^[a-h]$\"}", "\"d\"", NULL, NULL},
        {"{\"pattern\":\"^[a-h]$\"}", "\"z\"", A,
         "expected a match of the pattern ^[a-h]$, got string \"z\""},
        {"{\"pattern\":\"x\"}", "5", NULL, NULL},
        {"{\"title\":\"t\",\"description\":\"d\",\"default\":5,\"format\":\"uri\",\"$id\":\"x\"}",
         "\"\"", NULL, NULL},
    };

    (void)state;
    RUN(cases);
}

static void objects(void **state)
{
    static const char set[] = "{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},"
                              "\"value\":{\"type\":\"integer\",\"minimum\":0}},"
                              "\"required\":[\"key\",\"value\"],\"additionalProperties\":false}";
    static const struct check cases[] = {
        {set, "{\"key\":\"e\",\"value\":25}", NULL, NULL},
        {set, "{\"key\":5,\"value\":25}", "arguments.key", "expected string, got integer 5"},
        {set, "{\"key\":\"e\"}", A, "missing required field \"value\" (integer)"},
        {set, "{\"key\":\"e\",\"value\":1,\"valeu\":2}", A,
         "unknown field \"valeu\"; did you mean \"value\"?"},
        {set, "{\"key\":\"e\",\"value\":1,\"colour\":2}", A,
         "unknown field \"colour\"; the fields are \"key\", \"value\""},
        {"{\"required\":[\"a\"]}", "{}", A, "missing required field \"a\""},
        {"{\"required\":[\"a\"]}", "5", NULL, NULL},
        {"{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"a\":1,\"b\":\"x\"}",
         "arguments.b", "expected integer, got string \"x\""},
        {"{\"properties\":{\"a\":true},\"additionalProperties\":{\"type\":\"integer\"}}",
         "{\"a\":\"x\"}", NULL, NULL},
        {"{\"minProperties\":1}", "{}", A, "expected at least 1 field, got 0"},
        {"{\"maxProperties\":1}", "{\"a\":1,\"b\":1}", A, "expected at most 1 field, got 2"},
        {"{\"properties\":{\"a\":{\"properties\":{\"b\":{\"items\":{\"type\":\"string\"}}}}}}",
         "{\"a\":{\"b\":[\"x\",7]}}", "arguments.a.b[1]", "expected string, got integer 7"},
    };

    (void)state;
    RUN(cases);
}

static void arrays(void **state)
{
    static const struct check cases[] = {
        {"{\"items\":{\"type\":\"integer\"}}", "[1,2]", NULL, NULL},
        {"{\"items\":{\"type\":\"integer\"}}", "[1,\"2\"]", "arguments[1]",
         "expected integer, got string \"2\""},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\"]", NULL, NULL},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]", "arguments[1]",
         "no value is allowed here"},
        {"{\"prefixItems\":[{\"type\":\"string\"}]}", "[1]", "arguments[0]",
         "expected string, got integer 1"},
        {"{\"minItems\":2}", "[1]", A, "expected at least 2 items, got 1"},
        {"{\"maxItems\":0}", "[1]", A, "expected at most 0 items, got 1"},
        {"{\"uniqueItems\":true}", "[1,2,\"1\"]", NULL, NULL},
        {"{\"uniqueItems\":true}", "[{\"a\":1},2,{\"a\":1}]", A,
         "expected unique items, but [2] equals [0]"},
        {"{\"uniqueItems\":false}", "[1,1]", NULL, NULL},
        {"{\"items\":{\"type\":\"integer\"},\"minItems\":1}", "\"x\"", NULL, NULL},
    };

    (void)state;
    RUN(cases);
}

static void combinations(void **state)
{
    static const char tree[] =
        "{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\","
        "\"properties\":{\"v\":{\"type\":\"integer\"},"
        "\"kids\":{\"items\":{\"$ref\":\"#/$defs/node\"}}}}}}";
    static const struct check cases[] = {
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "7", NULL, NULL},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "3", A,
         "fits none of 2 forms: (1) arguments: expected string, got integer 3; "
         "(2) arguments: expected at least 5, got integer 3"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":5}]}", "3", NULL, NULL},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":5}]}", "7", A,
         "expected exactly one of 2 forms, but 2 fit"},
        {"{\"allOf\":[{\"type\":\"integer\"},{\"minimum\":5}]}", "7", NULL, NULL},
        {"{\"allOf\":[{\"type\":\"integer\"},{\"minimum\":5}]}", "3", A,
         "expected at least 5, got integer 3"},
        {"{\"not\":{\"type\":\"string\"}}", "3", NULL, NULL},
        {"{\"not\":{\"type\":\"string\"}}", "\"x\"", A,
         "string \"x\" has a form that is excluded here"},
        {tree, "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[{\"v\":3}]}]}", NULL, NULL},
        {tree, "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[{\"v\":\"x\"}]}]}",
         "arguments.kids[0].kids[0].v", "expected integer, got string \"x\""},
        {"{\"$defs\":{\"a/b~c\":{\"type\":\"null\"}},\"$ref\":\"#/$defs/a~1b~0c\"}", "1", A,
         "expected null, got integer 1"},
    };

    (void)state;
    RUN(cases);
}

static void what_cannot_be_checked_is_refused_by_name(void **state)
{
    static const struct {
        const char *schema, *where;
    } cases[] = {
        {"5", "schema"},
        {"{\"patternProperties\":{}}", "schema.patternProperties"},
        {"{\"properties\":{\"a\":{\"if\":true}}}", "schema.properties.a.if"},
        {"{\"type\":\"strng\"}", "schema.type"},
        {"{\"type\":[\"string\",5]}", "schema.type"},
        {"{\"required\":\"a\"}", "schema.required"},
        {"{\"properties\":[]}", "schema.properties"},
        {"{\"items\":[{}]}", "schema.items"},
        {"{\"anyOf\":[]}", "schema.anyOf"},
        {"{\"anyOf\":[{},{\"minLength\":-1}]}", "schema.anyOf[1].minLength"},
        {"{\"multipleOf\":0}", "schema.multipleOf"},
        {"{\"pattern\":\"(\"}", "schema.pattern"},
        {"{\"uniqueItems\":1}", "schema.uniqueItems"},
        {"{\"enum\":5}", "schema.enum"},
        {"{\"$ref\":\"http://example.com/x\"}", "schema.$ref"},
        {"{\"$ref\":\"file:///etc/passwd\"}", "schema.$ref"},
        {"{\"$ref\":\"other.json#/a\"}", "schema.$ref"},
        {"{\"$ref\":\"#/$defs/none\"}", "schema.$ref"},
        {"{\"$ref\":\"#anchor\"}", "schema.$ref"},
        {"{\"$ref\":5}", "schema.$ref"},
        {"{\"not\":{\"$id\":\"x\"}}", "schema.not.$id"},
        {"{\"$defs\":{\"a\":{\"contains\":{}}}}", "schema.$defs.a.contains"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json *schema = fixture_json(cases[i].schema);
        struct error err = ERROR_INIT;

        if (schema_supported(schema, &err) != STATUS_UNSUPPORTED)
            fail_msg("%s is taken", cases[i].schema);
        assert_string_equal(err.where, cases[i].where);
        assert_int_equal(err.status, STATUS_UNSUPPORTED);
        /* Checking with it anyhow neither crashes nor hangs. */
        (void)(schema_check(schema, schema, "arguments", NULL) == STATUS_OK);
        jv_unref(schema);
    }
}

static void hostile_schemas_end(void **state)
{
    static const char *const cases[] = {
        "{\"$ref\":\"#\"}",
        "{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
        "{\"anyOf\":[{\"not\":{\"$ref\":\"#\"}},{\"$ref\":\"#\"}]}",
        "{\"not\":{\"$ref\":\"#\"}}",
        "{\"oneOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"$ref\":\"#\"}}}",
        "{\"pattern\":\"^(a|aa)+$\"}",
    };
    struct str wide = STR_INIT;
    struct json *schema, *value;

    (void)state;
    str_puts(&wide, "\"");
    for (int i = 0; i < 2000; i++)
        str_putc(&wide, 'a');
    str_puts(&wide, "b\"");
    value = fixture_json(str_cstr(&wide));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = ERROR_INIT;
        enum status st;

        schema = fixture_json(cases[i]);
        assert_int_equal(schema_supported(schema, &err), STATUS_OK);
        st = schema_check(schema, value, "arguments", &err);
        /* The pattern may be decided; the circles may not. */
        assert_true(st == STATUS_LIMIT || (i == 5 && st == STATUS_INVALID));
        jv_unref(schema);
    }
    jv_unref(value);
    str_clear(&wide);
    str_puts(&wide, "[0");
    for (int i = 1; i < 5000; i++)
        str_printf(&wide, ",%d", i);
    str_puts(&wide, "]");
    value = fixture_json(str_cstr(&wide));
    schema = fixture_json("{\"uniqueItems\":true}");
    assert_int_equal(schema_check(schema, value, "arguments", NULL), STATUS_LIMIT);
    jv_unref(schema);
    jv_unref(value);
    str_deinit(&wide);
}

/* What foreign schemas say and we cannot check must not refuse what they allow. */
static const struct {
    const char *schema, *fits, *misfit; /* misfit NULL: nothing is refused */
} lenient[] = {
    {"{\"type\":\"string\",\"contentSchema\":{}}", "\"a\"", "1"},
    {"{\"$anchor\":\"a\",\"properties\":{\"n\":{\"type\":\"integer\",\"x-unit\":\"m\"}}}",
     "{\"n\":1}", "{\"n\":\"1\"}"},
    {"{\"if\":{},\"then\":false,\"else\":false,\"type\":\"object\"}", "{}", "[]"},
    {"{\"dependentRequired\":{\"a\":[\"b\"]},\"propertyNames\":{\"maxLength\":1},"
     "\"required\":[\"a\"]}",
     "{\"a\":1}", "{}"},
    {"{\"contains\":{\"type\":\"string\"},\"minContains\":2,\"minItems\":1}", "[1]", "[]"},
    /* what another keyword left over is not known without it */
    {"{\"patternProperties\":{\"^x\":{}},\"additionalProperties\":false,\"properties\":{\"n\":{"
     "\"type\":\"integer\"}}}",
     "{\"x1\":true}", "{\"n\":true}"},
    {"{\"properties\":{\"n\":{}},\"unevaluatedProperties\":false,\"minProperties\":1}", "{\"m\":1}",
     "{}"},
    {"{\"properties\":{\"n\":{\"minLengt\":3}},\"additionalProperties\":false}", "{\"n\":1}",
     "{\"m\":1}"},
    {"{\"items\":[{\"type\":\"integer\"}],\"additionalItems\":false}", "[\"a\",2]", NULL},
    {"{\"prefixItems\":[],\"items\":false}", "[1]", NULL},
    /* a weaker schema must not become a stronger one around it */
    {"{\"not\":{\"type\":\"object\",\"propertyNames\":{\"const\":\"a\"}}}", "{\"b\":1}", NULL},
    {"{\"not\":{\"type\":\"object\"},\"$dynamicAnchor\":\"x\"}", "1", "{}"},
    {"{\"oneOf\":[{\"type\":\"object\",\"contains\":1},{\"type\":\"object\"},{\"type\":"
     "\"null\"}]}",
     "{}", "3"},
    {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}],\"$vocabulary\":{}}", "1", "3"},
    {"{\"oneOf\":[{\"if\":{}}],\"allOf\":[{\"type\":\"string\"}]}", "\"a\"", "1"},
    {"{\"allOf\":[{\"type\":\"string\"}],\"oneOf\":[{\"if\":{},\"maxLength\":1}]}", "\"a\"",
     "\"ab\""},
    /* references */
    {"{\"$defs\":{\"n\":{\"type\":\"integer\",\"if\":{}}},\"items\":{\"$ref\":\"#/$defs/n\"}}",
     "[1]", "[\"a\"]"},
    {"{\"items\":{\"$ref\":\"https://example.org/x\"},\"minItems\":1}", "[1]", "[]"},
    {"{\"if\":{\"type\":\"string\"},\"items\":{\"$ref\":\"#/if\"},\"minItems\":1}", "[1]", "[]"},
    {"{\"items\":{\"$id\":\"https://example.org/x\",\"type\":\"string\"},\"minItems\":1}", "[1]",
     "[]"},
    /* values that are no schema, of this draft or of any */
    {"{\"minimum\":1,\"exclusiveMinimum\":true}", "1", "0"},
    {"{\"type\":\"file\",\"required\":true,\"pattern\":\"(\"}", "1", NULL},
    {"{\"properties\":{\"n\":7},\"required\":[\"n\"]}", "{\"n\":1}", "{}"},
    {"17", "{}", NULL},
};

static void lenient_schemas_refuse_only_what_they_know(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lenient) / sizeof(lenient[0]); i++) {
        struct json *schema = fixture_json(lenient[i].schema), *less = schema_lenient(schema);
        struct json *fits = fixture_json(lenient[i].fits);
        struct error err = ERROR_INIT;

        if (schema_supported(less, &err))
            fail_msg("%s: %s %s", lenient[i].schema, err.where, err.message);
        if (schema_check(less, fits, "arguments", &err))
            fail_msg("%s refuses %s: %s", lenient[i].schema, lenient[i].fits, err.message);
        if (lenient[i].misfit) {
            struct json *misfit = fixture_json(lenient[i].misfit);

            if (!schema_check(less, misfit, "arguments", NULL))
                fail_msg("%s takes %s", lenient[i].schema, lenient[i].misfit);
            jv_unref(misfit);
        }
        jv_unref(schema);
        jv_unref(less);
        jv_unref(fits);
    }
    {
        struct json *schema = fixture_json("{\"type\":\"object\"}"), *less = schema_lenient(schema);

        assert_ptr_equal(schema, less); /* nothing to leave out */
        jv_unref(schema);
        jv_unref(less);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_values),
        cmocka_unit_test(objects),
        cmocka_unit_test(arrays),
        cmocka_unit_test(combinations),
        cmocka_unit_test(what_cannot_be_checked_is_refused_by_name),
        cmocka_unit_test(hostile_schemas_end),
        cmocka_unit_test(lenient_schemas_refuse_only_what_they_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
