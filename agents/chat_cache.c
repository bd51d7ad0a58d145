/* chat_cache.c - each model's chat template, parsed when the first agent needs it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "agents/agent_state.h"
#include "agents/chat_cache.h"
#include "runtime/base/memory.h"

enum status chat_cache_get(struct agent_host *h, const struct model *m,
                           const struct chat_cache **out, struct error *err)
{
    const char *text = m->info.chat_template ? m->info.chat_template : chat_template_default();
    struct chat_cache *c;
    enum status st;

    for (c = h->chats; c; c = c->next) {
        if (c->model == m) {
            *out = c;
            return STATUS_OK;
        }
    }
    c = xcalloc(1, sizeof(*c));
    c->model = m;
    c->format = tool_calls_format_of(text);
    st = chat_template_new(text, strlen(text), "chat_template", &c->template, err);
    if (st) {
        error_note(err, "model %s", m->info.name);
        free(c);
        return st;
    }
    chat_guard_init(&c->guard, m->info.tokenizer);
    c->next = h->chats;
    h->chats = c;
    *out = c;
    return STATUS_OK;
}

void chat_cache_free_all(struct agent_host *h)
{
    while (h->chats) {
        struct chat_cache *c = h->chats;

        h->chats = c->next;
        chat_template_free(c->template);
        chat_guard_deinit(&c->guard);
        free(c);
    }
}
