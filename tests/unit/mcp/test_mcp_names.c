/* test_mcp_names.c - revisions, methods and abilities are found by their exact names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/rpc/mcp.h"
#include "tests/support/check.h"

static struct json_view view(const char *text)
{
    return json_view_of(text, strlen(text));
}

static void names_are_exact(void **state)
{
    (void)state;
    assert_int_equal(mcp_revision_find(view("\"2025-11-25\"")), MCP_2025_11_25);
    assert_int_equal(mcp_revision_find(view("\"2025-11-2\"")), MCP_REVISION_N);
    assert_int_equal(mcp_revision_find(view("20251125")), MCP_REVISION_N);
    assert_int_equal(mcp_revision_named("2025-06-18"), MCP_2025_06_18);
    assert_int_equal(mcp_revision_named("2025"), MCP_REVISION_N);
    assert_string_equal(mcp_revision_name(MCP_NEWEST), "2026-07-28");
    assert_true(mcp_is_modern(MCP_NEWEST));
    assert_false(mcp_is_modern(MCP_NEWEST_LEGACY));
    assert_int_equal(MCP_NEWEST_LEGACY + 1, MCP_2026_07_28);
    assert_int_equal(mcp_method_find(view("\"tools/call\"")), MCP_TOOLS_CALL);
    assert_int_equal(mcp_method_find(view("\"tools\\/call\"")), MCP_TOOLS_CALL);
    assert_int_equal(mcp_method_find(view("\"Tools/call\"")), MCP_METHOD_N);
    assert_string_equal(mcp_method_facts(MCP_RESOURCES_READ)->name_member, "uri");
    assert_int_equal(mcp_log_level_find(view("\"warning\"")), MCP_LOG_WARNING);
    assert_int_equal(mcp_log_level_find(view("\"warn\"")), MCP_LOG_NONE);
    assert_string_equal(mcp_log_level_name(MCP_LOG_EMERGENCY), "emergency");
}

static void abilities_come_from_capabilities(void **state)
{
    static const struct {
        const char *text;
        unsigned can;
    } cases[] = {
        {"{}", 0},
        {"{\"elicitation\":{}}", MCP_CAN_ELICIT_FORM},
        {"{\"elicitation\":{\"form\":{}}}", MCP_CAN_ELICIT_FORM},
        {"{\"elicitation\":{\"url\":{}}}", MCP_CAN_ELICIT_URL},
        {"{\"elicitation\":{\"url\":{},\"form\":{}}}", MCP_CAN_ELICIT_FORM | MCP_CAN_ELICIT_URL},
        {"{\"sampling\":{}}", MCP_CAN_SAMPLE},
        {"{\"sampling\":{\"tools\":{}},\"roots\":{\"listChanged\":true}}",
         MCP_CAN_SAMPLE | MCP_CAN_SAMPLE_TOOLS | MCP_CAN_LIST_ROOTS},
        {"{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}", MCP_CAN_TASKS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(mcp_abilities(view(cases[i].text)), cases[i].can);
    assert_int_equal(mcp_ability_for(MCP_ELICIT, view("{\"mode\":\"url\"}")), MCP_CAN_ELICIT_URL);
    assert_int_equal(mcp_ability_for(MCP_ELICIT, view("{}")), MCP_CAN_ELICIT_FORM);
    assert_int_equal(mcp_ability_for(MCP_SAMPLE, view("{\"tools\":[]}")), MCP_CAN_SAMPLE_TOOLS);
    assert_int_equal(mcp_ability_for(MCP_TOOLS_CALL, view("{}")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_exact),
        cmocka_unit_test(abilities_come_from_capabilities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
