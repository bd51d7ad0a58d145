/* message_text.c - see message_text.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/server/message_text.h"

#include <string.h>

struct json_view message_text(const struct str *written)
{
    static const char lost[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,"
                               "\"message\":\"out of memory\"}}";

    return str_ok(written) ? json_view_str(written) : json_view_of(lost, strlen(lost));
}

struct json_view message_part(const struct str *written)
{
    return str_ok(written) && written->len > 0 ? json_view_str(written) : JSON_VIEW_NONE;
}

void message_queue_drop(struct str *queue, size_t *sent)
{
    size_t rest = queue->len - *sent;

    if (*sent <= rest)
        return;
    memmove(queue->data, queue->data + *sent, rest);
    queue->len = rest;
    queue->data[rest] = '\0';
    *sent = 0;
}
