/* fuzz_tool_calls.c - any text as the reply of a model: parsed in a few passes; every call is
 * complete or an error; what a stream gives is the whole. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/chat/reply_stream.h"
#include "runtime/base/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct given {
    struct str part[REPLY_PARTS];
};

static void give(void *ctx, enum reply_part part, const char *text, size_t n)
{
    struct given *g = ctx;

    if (n == 0 || utf8_valid_prefix(text, n) != n)
        __builtin_trap();
    str_append(&g->part[part], text, n);
}

static void check_stream(enum tool_call_format format, bool in_reasoning, bool cut,
                         const struct json *tools, const char *text, size_t n)
{
    struct given g = {{STR_INIT, STR_INIT}};
    struct reply_stream_spec spec = {
        .format = format, .in_reasoning = in_reasoning, .tools = tools, .give = give, .ctx = &g};
    struct reply_stream *s = reply_stream_new(&spec);
    struct parsed_reply r;

    for (size_t i = 0, c; i < n; i = c) {
        c = i;
        (void)utf8_next(text, n, &c);
        reply_stream_push(s, text + i, c - i);
    }
    if (reply_stream_end(s, cut, &r, NULL) == STATUS_OK) {
        if (strcmp(r.content, str_cstr(&g.part[REPLY_CONTENT])) != 0 ||
            strcmp(r.reasoning ? r.reasoning : "", str_cstr(&g.part[REPLY_REASONING])) != 0)
            __builtin_trap();
        parsed_reply_deinit(&r);
    }
    reply_stream_free(s);
    str_deinit(&g.part[REPLY_CONTENT]);
    str_deinit(&g.part[REPLY_REASONING]);
}

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
    enum tool_call_format format;
    bool thinking, cut;

    if (n == 0 || jv_parse(schema, sizeof(schema) - 1, "schema", &tools, NULL))
        return 0;
    /* The first byte chooses the format, whether the prompt ended in thoughts, and whether the
     * reply was cut. */
    format = (enum tool_call_format)(bytes[0] % 3);
    thinking = bytes[0] & 4;
    cut = bytes[0] & 8;
    if (tool_calls_parse(format, (const char *)bytes + 1, n - 1,
                         thinking ? REPLY_STARTS_THINKING : REPLY_STARTS_ANYHOW, cut, tools, &r,
                         NULL) == STATUS_OK) {
        if (r.visited > 32 * n + (1 << 20))
            __builtin_trap();
        for (int32_t i = 0; i < r.n_calls; i++)
            if ((r.call[i].error == NULL) == (r.call[i].arguments == NULL) || !r.call[i].name ||
                !r.call[i].raw || (!r.call[i].error && r.call[i].name[0] == '\0'))
                __builtin_trap();
        parsed_reply_deinit(&r);
        check_stream(format, thinking, cut, tools, (const char *)bytes + 1, n - 1);
    }
    jv_unref(tools);
    return 0;
}
