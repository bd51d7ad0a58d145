/* tool.h - what an agent may call: one struct for built-in, environment and MCP tools.
 *
 * A call is asynchronous: the tool's start() runs on the loop thread and returns at once. The tool
 * later calls tool_call_finish exactly once, on the loop thread (inside start() is allowed).
 * Arguments are checked against the input schema before start(). Effects decide what happens after
 * a crash (base/effect.h).
 *
 * Tools are reference counted. A registry, a list of tools and a call each hold a reference;
 * ops->free runs when the last one is released. All of this belongs to the loop's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_TOOL_H
#define TROUPE_TOOLS_TOOL_H

#include "runtime/base/effect.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/seams.h"
#include "tools/tool_result.h"

/* What a call touches, as the tool declares it. It is shown and stored, but not enforced. */
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
    TOOL_ERROR, /* the tool refused or failed: the model gets the error */
    TOOL_TIMEOUT,
    TOOL_CANCELLED,
};

struct tool_ops {
    void (*start)(struct tool *t, struct tool_call *c);
    /* Asks the tool to stop early; it still finishes the call. NULL: not possible. */
    void (*cancel)(struct tool *t, struct tool_call *c);
    /* For `once` tools: did the effect under this key happen? TOOL_OK with its result: yes;
     * TOOL_ERROR: no; anything else: unknown. NULL: the tool can never answer this. */
    void (*status)(struct tool *t, struct tool_call *c);
    /* Also frees the tool itself (tool_release does it after tool_new). NULL: static. */
    void (*free)(struct tool *t);
};

/* Strings and schemas are the tool's. */
struct tool {
    const struct tool_ops *ops;
    const char *name; /* [A-Za-z0-9_-]{1,64} */
    const char *description;
    const char *source;                        /* "built-in", an environment's or a server's name */
    struct json *input_schema;                 /* as declared; models see this one */
    struct json *output_schema;                /* the same; may be NULL */
    struct json *checks_input, *checks_output; /* the parts that are checked: base/schema.h */
    enum effect effect;
    unsigned access;    /* enum tool_access bits */
    struct sha256 hash; /* of the declaration */
    void *ctx;
    int32_t refs;
    bool retired; /* its name was removed: no new call can start */
};

/* What tool_new makes a tool from; texts are copied. A schema is given as JSON text or parsed
 * (lent; a reference is taken). */
struct tool_declaration {
    const char *name, *description, *source;
    const char *input_schema, *output_schema; /* JSON text; NULL: see below */
    struct json *input, *output;              /* parsed; no output: any result */
    bool foreign; /* from a server: unknown parts of its schemas are not checked */
    enum effect effect;
    unsigned access;
};
/* Returns one reference. ops->free is also called on failure, so that ctx has one owner; it must
 * end with tool_release. STATUS_UNSUPPORTED: one of our own schemas cannot be checked. */
MUST_CHECK enum status tool_new(const struct tool_declaration *d, const struct tool_ops *ops,
                                void *ctx, struct tool **out, struct error *err);
struct tool *tool_ref(struct tool *t);
void tool_unref(struct tool *t); /* NULL is fine */
/* For ops->free: frees the struct, its strings and its schemas, all of them malloc'd; not ctx. */
void tool_release(struct tool *t);

/* What the caller offers to a call in progress. */
struct tool_host {
    /* Asks a person a question: {text, options?, default?}, lent. A tool asks before its effect,
     * one question at a time. If the process ends while a question is open, the call is started
     * again, and the question with the same number gets the answer that was given meanwhile.
     * `answered` is called once, perhaps before ask() returns, unless the call finishes first. The
     * answer is one of the options if there are any; NULL: nobody answered. */
    void (*ask)(struct tool_call *c, const struct json *prompt, int64_t deadline_ms,
                void (*answered)(struct tool_call *c, const struct json *answer));
    void (*progress)(struct tool_call *c, double done, double total, const char *words);
    void (*log)(struct tool_call *c, const char *level, const char *text);
};

enum tool_call_state {
    TOOL_CALL_NEW,
    TOOL_CALL_OPEN, /* the tool has it */
    TOOL_CALL_FINISHED,
};

struct tool_call {
    enum tool_call_state state_now;
    struct tool *tool;
    const struct json *arguments; /* NULL reads as {} */
    const char *path;             /* of the step, or NULL */
    const char *idem;             /* hex key of the effect; NULL for none and read */
    int64_t deadline_ms;          /* wall clock; 0: none */
    const struct tool_host *host; /* never NULL */
    /* Set by tool_call_finish. */
    enum tool_outcome outcome;
    struct tool_result result; /* of TOOL_OK and TOOL_ERROR; {"error": ...} for the latter */
    bool not_retryable;        /* the same arguments would fail again */
    void (*done)(struct tool_call *c);
    void *caller;     /* the caller's context */
    void *state;      /* the tool's, between start and finish */
    bool asks_status; /* started by tool_call_ask_status */
    bool abandoned;
};

struct tool_call_spec {
    struct tool *tool;            /* a reference is taken, as of arguments; texts are copied */
    struct json *arguments;       /* may be NULL */
    const char *path, *idem;      /* may be NULL */
    int64_t deadline_ms;          /* for the tool to read; the caller's timer enforces it */
    const struct tool_host *host; /* lent; NULL: nobody to ask */
    void (*done)(struct tool_call *c);
    void *caller;
};
struct tool_call *tool_call_new(const struct tool_call_spec *s);
/* A call that the tool is still working on is abandoned: done is never called, and the object is
 * freed when the tool finishes. NULL is fine. */
void tool_call_free(struct tool_call *c);

/* Checks the arguments, then starts. Bad arguments finish the call at once with TOOL_ERROR and a
 * message that a model can act on: {"error": "arguments.key: expected string, got integer 5"}. So
 * does a retired tool. */
void tool_call_start(struct tool_call *c);
/* Asks the tool whether the effect under the call's key happened. */
void tool_call_ask_status(struct tool_call *c);
void tool_call_cancel(struct tool_call *c); /* does nothing for a tool without a cancel */

/* ---- for tools: each call must be ended by exactly one of these. The tool must not use the call
 * or itself afterwards. A value that does not fit the tool's output schema becomes an error. */
void tool_call_finish(struct tool_call *c, enum tool_outcome outcome, struct json *adopt_value);
/* Content blocks (tool_result.h), with or without a value. */
void tool_call_finish_content(struct tool_call *c, enum tool_outcome outcome,
                              struct json *adopt_content, struct json *adopt_value);
void tool_call_finish_error(struct tool_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same, for arguments that can never succeed: the call is not tried again. */
void tool_call_refuse(struct tool_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
