/* tool.h - what an agent may call: one struct for built-in, environment and MCP tools.
 *
 * A call is asynchronous from the first day: the tool's start() runs on the loop
 * thread and returns at once; somebody later calls tool_call_finish exactly once, on
 * the loop thread (inside start() is allowed). Arguments were checked against the input
 * schema before start() sees them. Effects drive retry and resume (store/journal.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_TOOL_H
#define TROUPE_TOOLS_TOOL_H

#include "runtime/base/json.h"
#include "runtime/base/seams.h"
#include "runtime/store/journal.h"

/* What a call touches; the policy reads these bits. */
enum tool_access {
    TOOL_READS_PRIVATE = 1,
    TOOL_READS_UNTRUSTED = 2,
    TOOL_WRITES = 4,
    TOOL_EXTERNAL = 8,
};

struct tool;
struct tool_call;

enum tool_outcome {
    TOOL_OK,
    TOOL_ERROR, /* the tool says no, or failed: the model is told */
    TOOL_TIMEOUT,
    TOOL_CANCELLED,
    TOOL_SUSPENDED, /* waits for an approval or an answer */
};

struct tool_ops {
    void (*start)(struct tool *t, struct tool_call *c);
    /* Asks for an early end; the tool still finishes the call. NULL: not possible. */
    void (*cancel)(struct tool *t, struct tool_call *c);
    /* For `once` tools: did the effect under this key happen? NULL: cannot tell. */
    void (*status)(struct tool *t, struct tool_call *c);
    /* Frees the tool itself too (tool_release does it for one of tool_new). NULL: static. */
    void (*free)(struct tool *t);
};

/* Owned by the registry; strings and schemas are the tool's. */
struct tool {
    const struct tool_ops *ops;
    const char *name; /* [A-Za-z0-9_-]{1,64} */
    const char *description;
    const char *source;         /* "built-in", an environment's or a server's name */
    struct json *input_schema;  /* JSON Schema 2020-12 subset: tools/schema.h */
    struct json *output_schema; /* may be NULL */
    enum effect effect;
    unsigned access; /* enum tool_access bits */
    void *ctx;
};

struct tool_call {
    struct tool *tool;
    const struct json *arguments; /* lent by the caller until finish */
    const char *path;             /* of the step, lent */
    const char *idem;             /* hex key of the effect, lent; NULL for none and read */
    int64_t deadline_ms;          /* wall clock; 0: none */
    /* Set by tool_call_finish. */
    enum tool_outcome outcome;
    struct json *result; /* owned by the call; {"error": ...} for TOOL_ERROR */
    void (*done)(struct tool_call *c);
    void *caller; /* the caller's context */
    void *state;  /* the tool's, between start and finish */
};

/* What tool_new makes a tool from; all texts are copied. */
struct tool_declaration {
    const char *name, *description, *source;
    const char *input_schema;  /* JSON text */
    const char *output_schema; /* JSON text or NULL */
    enum effect effect;
    unsigned access;
};
/* Parses the schemas and asks schema_supported. ops->free is called also on failure, so that ctx
 * has one owner; it must end in tool_release. */
MUST_CHECK enum status tool_new(const struct tool_declaration *d, const struct tool_ops *ops,
                                void *ctx, struct tool **out, struct error *err);
/* Frees the struct, its strings and its schemas, all of them malloc'd; not ctx. */
void tool_release(struct tool *t);

/* Checks arguments, then starts. Bad arguments finish at once with TOOL_ERROR and words that a
 * model can act on: {"error": "arguments.key: expected string, got integer 5"}. */
void tool_call_start(struct tool_call *c);
void tool_call_finish(struct tool_call *c, enum tool_outcome outcome, struct json *adopt_result);
void tool_call_finish_error(struct tool_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void tool_call_cancel(struct tool_call *c);
void tool_call_deinit(struct tool_call *c); /* releases result */

#endif
