/* fuzz_tool_calls.c - any text as the reply of a model: parsed in a few passes; every call is
 * complete or an error. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/chat/tool_calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char schema[] =
        "[{\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":{\"type\":"
        "\"integer\"},"
        "\"b\":{\"type\":[\"object\",\"null\"]},\"c\":{\"anyOf\":[{\"type\":\"boolean\"}]},"
        "\"d\":{\"$ref\":\"#/$defs/x\"},\"e\":{\"enum\":[1,\"1\",null]}},"
        "\"$defs\":{\"x\":{\"oneOf\":[{\"$ref\":\"#/$defs/x\"},{\"const\":2}]}}}}}]";
    struct json *tools = NULL;
    struct parsed_reply r;

    if (n == 0 || jv_parse(schema, sizeof(schema) - 1, "schema", &tools, NULL))
        return 0;
    /* The first byte chooses the format, whether the prompt ended in thoughts, and whether the
     * reply was cut. */
    if (tool_calls_parse((enum tool_call_format)(bytes[0] % 3), (const char *)bytes + 1, n - 1,
                         bytes[0] & 4, bytes[0] & 8, tools, &r, NULL) == STATUS_OK) {
        if (r.visited > 32 * n + (1 << 20))
            __builtin_trap();
        for (int32_t i = 0; i < r.n_calls; i++)
            if ((r.call[i].error == NULL) == (r.call[i].arguments == NULL) || !r.call[i].name ||
                !r.call[i].raw || (!r.call[i].error && r.call[i].name[0] == '\0'))
                __builtin_trap();
        parsed_reply_deinit(&r);
    }
    jv_unref(tools);
    return 0;
}
