/* fuzz_tool_pattern.c - any text as the pattern in a tool's schema, and as an argument of a
 * call: the first line is the pattern, the rest the argument. The result is an error with a message
 * or a match within the limits of pattern.h, and the same each time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/schema.h"
#include "runtime/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_fault(enum status st, const struct error *err)
{
    size_t words = strlen(err->message);

    if (st != err->status || words == 0 || utf8_valid_prefix(err->message, words) != words)
        abort();
}

/* {"type": "object", "properties": {"x": {"type": "string", "pattern": ...}}} */
static struct json *schema_of(const char *pattern, size_t n)
{
    struct json *schema = jv_object(), *properties = jv_object(), *x = jv_object();

    jv_set_string(x, "type", "string");
    jv_set_adopt(x, "pattern", jv_string_n(pattern, n));
    jv_set_adopt(properties, "x", x);
    jv_set_string(schema, "type", "object");
    jv_set_adopt(schema, "properties", properties);
    return schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *line = n ? memchr(data, '\n', n) : NULL;
    size_t head = line ? (size_t)(line - data) : n;
    struct json *schema = schema_of((const char *)data, head), *arguments = jv_object();
    struct error err = ERROR_INIT, again = ERROR_INIT;
    enum status st = schema_supported(schema, &err);

    jv_set_adopt(arguments, "x",
                 line ? jv_string_n((const char *)line + 1, n - head - 1) : jv_string(""));
    if (st) {
        check_fault(st, &err);
    } else {
        st = schema_check(schema, arguments, "arguments", &err);
        if (st)
            check_fault(st, &err);
        if (schema_check(schema, arguments, "arguments", &again) != st ||
            strcmp(err.message, again.message) != 0)
            abort();
    }
    jv_unref(arguments);
    jv_unref(schema);
    return 0;
}
