/* tool_result.h - what a call gave: a structured value, content blocks, or both.
 *
 * Blocks are those of MCP: {type: text, text}, {type: image | audio, data, mimeType}, {type:
 * resource, resource: {uri, mimeType?, text | blob}}, {type: resource_link, uri, name?}. Whether
 * the result is an error is the call's outcome.
 *
 * The journal and the messages of an agent hold a result as one JSON value, its stored form: the
 * value itself where there is no content, else {"$content": [...], "value": ...}.
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
/* Are these blocks that we know, with what they need? */
MUST_CHECK enum status tool_content_check(const struct json *content, struct error *err);
/* The stored form: new. Neither value nor content: null. */
struct json *tool_result_json(const struct tool_result *r);

/* What later steps see of a stored form: the value; else the text of the blocks where all are
 * text; else the blocks. New. */
struct json *tool_result_value(const struct json *stored);
/* What a model is shown, appended to out: text and values as they are, everything else by name,
 * type and size. Bytes never reach a prompt. */
void tool_result_show(const struct json *stored, struct str *out);

#endif
