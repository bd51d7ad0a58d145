/* tool_result.h - the result of a call: a structured value, content blocks, or both.
 *
 * Blocks are those of MCP: {type: text, text}, {type: image | audio, data, mimeType}, {type:
 * resource, resource: {uri, mimeType?, text | blob}}, {type: resource_link, uri, name?}. Whether
 * the result is an error is the call's outcome.
 *
 * The journal and an agent's messages hold a result as one JSON value, its stored form: the value
 * itself if there is no content, else {"$content": [...], "value": ...}.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_TOOL_RESULT_H
#define TROUPE_TOOLS_TOOL_RESULT_H

#include "runtime/base/json.h"

struct tool_result {
    struct json *value;   /* NULL: none */
    struct json *content; /* an array of blocks; NULL: none */
};

void tool_result_deinit(struct tool_result *r);
/* Checks that the blocks have a known type and all their fields. */
MUST_CHECK enum status tool_content_check(const struct json *content, struct error *err);
/* The stored form: new. Neither value nor content: null. */
struct json *tool_result_json(const struct tool_result *r);

/* What later steps see of a stored form: its value, else the text of its blocks if all are text,
 * else the blocks. New. */
struct json *tool_result_value(const struct json *stored);
/* Appends what a model sees: text and values as they are, everything else by name, type and size.
 * Binary data never reaches a prompt. */
void tool_result_show(const struct json *stored, struct str *out);

#endif
