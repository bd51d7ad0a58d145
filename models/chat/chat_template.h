/* chat_template.h - messages to prompt text, by the model's own Jinja template.
 *
 * A subset of Jinja 3 as transformers sets it up (trim_blocks, lstrip_blocks, loop
 * controls, tojson without ASCII escapes, raise_exception, strftime_now, generation
 * blocks). Templates are untrusted: source size, nesting, steps, memory and output
 * are capped (STATUS_LIMIT); errors name NAME:LINE. A template is
 * immutable once made and may be rendered from several threads at once.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_CHAT_TEMPLATE_H
#define TROUPE_MODELS_CHAT_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define CHAT_MAX_SOURCE ((size_t)1 << 20)
#define CHAT_MAX_DEPTH  64
#define CHAT_MAX_STEPS  20000000
#define CHAT_MAX_MEMORY ((size_t)256 << 20)
#define CHAT_MAX_OUTPUT ((size_t)32 << 20)

struct chat_template;

MUST_CHECK enum status chat_template_new(const char *text, size_t n, const char *name,
                                         struct chat_template **out, struct error *err);
void chat_template_free(struct chat_template *t);
/* ChatML with tools in the Hermes form: for models without a template. */
const char *chat_template_default(void);

struct chat_input {
    const struct json *messages; /* array of {"role", "content", ...} as in the OpenAI API */
    const struct json *tools;    /* array of {"type": "function", "function": {...}}, or NULL */
    const struct json *extra;    /* object of further variables (enable_thinking, ...), or NULL */
    bool add_generation_prompt;
    const char *bos_token, *eos_token; /* NULL: the empty string */
    int64_t now_ms;                    /* for strftime_now; wall clock, UTC */
    /* Called every few microseconds while a template runs. Any status but STATUS_OK ends the
     * rendering with this error. May be NULL. */
    enum status (*check)(void *ctx, struct error *err);
    void *check_ctx;
    int64_t max_steps; /* 0: CHAT_MAX_STEPS */
    int64_t *steps;    /* set to the steps that a rendering took; may be NULL */
};

/* Byte ranges of the output that the assistant wrote (and is trained on). */
struct chat_span {
    size_t from, to;
};
struct chat_spans {
    struct chat_span *span; /* owned */
    size_t n, cap;
};
void chat_spans_deinit(struct chat_spans *s);

/* Appends to out. tool_calls[].function.arguments given as a JSON text are parsed into objects
 * first. */
MUST_CHECK enum status chat_render(const struct chat_template *t, const struct chat_input *in,
                                   struct str *out, struct error *err);
/* The same, and the spans of the assistant's text: from the template's generation blocks, else by
 * rendering the prefix before each assistant message with the generation prompt. STATUS_UNSUPPORTED
 * when the template has no such blocks and rewrites earlier turns, so that prefixes do not match.
 */
MUST_CHECK enum status chat_render_spans(const struct chat_template *t, const struct chat_input *in,
                                         struct str *out, struct chat_spans *spans,
                                         struct error *err);

#endif
