/* script_file.h - the replies of a scripted model, read from a JSON file.
 *
 *   {"model": "script",
 *    "replies": [{"path": "main/turn:0/model:0", "text": "..."},
 *                {"path": "**\/model:*", "tool_calls": [{"name": "add", "arguments": {"a": 1}}]},
 *                {"path": "*", "error": "..."}],
 *                {"path": "cut", "text": "half an ans", "finish": "length", "delay_ms": 500}],
 *    "default": {"text": "..."},
 *    "delay_ms": 20}
 *
 * The first reply whose pattern matches the call's path answers it, else the default. A reply
 * has text, tool_calls or both, or an error; "finish" is "stop" (the default) or "length", as for a
 * reply that max_tokens cut off. Its delay_ms overrides that of the file. Unknown keys are
 * errors. (The backslash above keeps this comment open; a file has none.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_SCRIPT_SCRIPT_FILE_H
#define TROUPE_MODELS_SCRIPT_SCRIPT_FILE_H

#include "runtime/base/hash.h"
#include "runtime/base/json.h"

/* Lent by the file. */
struct script_reply {
    const char *path;        /* NULL: the default */
    const char *text;        /* NULL: none */
    struct json *tool_calls; /* NULL: none */
    const char *error;       /* NULL: none */
    bool cut;                /* "finish": "length" */
    int64_t delay_ms;
};

struct script_file {
    struct json *root; /* owns the strings of the replies */
    struct script_reply *reply;
    int32_t n;
    bool has_default;
    struct script_reply otherwise;
    bool has_delay;     /* some reply has a delay */
    int64_t delay_ms;   /* of replies without their own */
    struct sha256 hash; /* of the file's bytes */
};

MUST_CHECK enum status script_file_load(const char *path, struct script_file *out,
                                        struct error *err);
void script_file_deinit(struct script_file *f);
/* NULL: no match and no default. */
const struct script_reply *script_file_find(const struct script_file *f, const char *path);

#endif
