/* hub_ask.h - what a server asks for in the course of a call, as questions to a person.
 *
 * A form (elicitation/create) becomes one question a field; a URL to visit, one question. What a
 * person cannot give (sampling) ends the call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_ASK_H
#define TROUPE_MCP_HUB_HUB_ASK_H

#include "runtime/base/json_view.h"
#include "tools/tool.h"

struct hub_ask;

struct hub_ask_spec {
    struct tool_call *call;  /* lent; its host can ask */
    const char *server;      /* lent */
    struct json_view result; /* of `input_required`; copied */
    /* For host->ask; it passes the answer to hub_ask_answered. */
    void (*answered)(struct tool_call *c, const struct json *answer);
    /* Once: the inputResponses (lent), or is_given false: nobody answered, or it cannot be asked.
     * The ask may be freed in it. */
    void (*done)(void *ctx, bool is_given, struct json_view responses);
    void *ctx;
};
struct hub_ask *hub_ask_new(const struct hub_ask_spec *spec);
void hub_ask_free(struct hub_ask *a); /* NULL is fine */
void hub_ask_start(struct hub_ask *a);
void hub_ask_answered(struct hub_ask *a, const struct json *answer); /* NULL: nobody answered */
/* The requestState of the result, a string; or none. */
struct json_view hub_ask_state(const struct hub_ask *a);

#endif
