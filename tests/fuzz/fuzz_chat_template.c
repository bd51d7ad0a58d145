/* fuzz_chat_template.c - any text as a chat template, rendered over one conversation.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/chat/chat_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char chat[] =
        "[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"h\u00e9\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"a\\\":[1,2.5]}\"}}]}]";
    struct chat_template *t = NULL;
    struct json *messages = NULL;
    struct chat_spans spans = {0};
    struct str out = STR_INIT;

    if (jv_parse(chat, sizeof(chat) - 1, "chat", &messages, NULL) == STATUS_OK &&
        chat_template_new((const char *)bytes, n, "fuzz", &t, NULL) == STATUS_OK) {
        const struct chat_input in = {
            .messages = messages, .eos_token = "<e>", .max_steps = 200000};

        if (chat_render_spans(t, &in, &out, &spans, NULL) == STATUS_OK)
            for (size_t i = 0; i < spans.n; i++)
                if (spans.span[i].from > spans.span[i].to || spans.span[i].to > out.len)
                    __builtin_trap();
    }
    chat_spans_deinit(&spans);
    str_deinit(&out);
    chat_template_free(t);
    jv_unref(messages);
    return 0;
}
