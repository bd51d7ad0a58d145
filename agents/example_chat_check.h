/* example_chat_check.h - is one line of a JSONL file a conversation to learn from?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_EXAMPLE_CHAT_CHECK_H
#define TROUPE_AGENTS_EXAMPLE_CHAT_CHECK_H

#include "runtime/base/json.h"
#include "runtime/base/status.h"

/* STATUS_INVALID, without a place in the file: `line` is not {"messages": [...], "tools": [...]?},
 * has a role or a key that no chat template reads, content that is not text, or nothing that the
 * assistant says. lenient: as 0.1 read it, with any role and key, and any content. */
MUST_CHECK enum status example_chat_check(const struct json *line, bool lenient, struct error *err);

#endif
