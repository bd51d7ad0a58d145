/* message_text.h - texts of messages: what was written, also if memory ran out, and what of them is
 * sent already.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_SERVER_MESSAGE_TEXT_H
#define TROUPE_MCP_SERVER_MESSAGE_TEXT_H

#include "runtime/base/json_view.h"

/* The message that was written; without memory an error without an id. Lent. */
struct json_view message_text(const struct str *written);
/* A part of one; without memory, or if nothing was written: none. Lent. */
struct json_view message_part(const struct str *written);
/* Drops what is sent of a queue, its first *sent bytes, once it is more than the rest: a queue that
 * is never empty stays in proportion to what waits in it. */
void message_queue_drop(struct str *queue, size_t *sent);

#endif
