/* test_builtin_reverse.c - the tool of the recipe, called through the registry.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/seams.h"
#include "tests/support/check.h"
#include "tools/registry.h"

static void a_text_comes_back_backwards(void **state)
{
    const struct tool_registry_options o = {.root = NULL, .seams = seams_real()};
    struct tool_registry *r = NULL;
    struct json *arguments = jv_object();
    struct tool_call *c;

    (void)state;
    assert_int_equal(tool_registry_new(&o, &r, NULL), STATUS_OK);
    assert_non_null(tool_registry_find(r, "reverse"));
    jv_set_string(arguments, "text", "abc");
    c = tool_call_new(
        &(struct tool_call_spec){.tool = tool_registry_find(r, "reverse"), .arguments = arguments});
    tool_call_start(c);
    assert_int_equal(c->outcome, TOOL_OK);
    assert_string_equal(jv_get_string(jv_get(c->result.value, "text"), ""), "cba");
    tool_call_free(c);
    jv_unref(arguments);
    tool_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_text_comes_back_backwards)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
