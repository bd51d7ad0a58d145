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
