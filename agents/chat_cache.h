/* chat_cache.h - each model's chat template, parsed once for all agents and calls of a host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_CHAT_CACHE_H
#define TROUPE_AGENTS_CHAT_CACHE_H

#include "agents/chat_guard.h"
#include "models/chat/chat_template.h"
#include "models/chat/tool_calls.h"

struct agent_host;
struct model;

struct chat_cache {
    struct chat_cache *next;
    const struct model *model;
    struct chat_template *template;
    enum tool_call_format format;
    struct chat_guard guard;
};
/* Lent by the host. The model takes ids. */
MUST_CHECK enum status chat_cache_get(struct agent_host *h, const struct model *m,
                                      const struct chat_cache **out, struct error *err);
void chat_cache_free_all(struct agent_host *h);

#endif
