/* chat_spans.c - which bytes of a rendered conversation the assistant wrote.
 *
 * A template with generation blocks says so itself. For others: the prompt before
 * an assistant message (generation prompt included) must be a prefix of the whole;
 * the message ends where the conversation up to it ends, and never beyond the
 * end-of-turn token, since the model stops there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "models/chat/chat_render.h"
#include "runtime/base/memory.h"

void chat_spans_deinit(struct chat_spans *s)
{
    free(s->span);
    *s = (struct chat_spans){0};
}

static enum status add_span(struct chat_spans *s, size_t from, size_t to, struct error *err)
{
    if (s->n == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 16;

        if (!mem_grow((void **)&s->span, cap, sizeof(*s->span)))
            return error_set(err, STATUS_NO_MEMORY, "no memory for %zu spans", cap);
        s->cap = cap;
    }
    s->span[s->n++] = (struct chat_span){from, to};
    return STATUS_OK;
}

/* The conversation's first n messages. */
static enum status render_first(const struct chat_template *t, const struct chat_input *in,
                                size_t n, bool prompt, struct str *out, struct error *err)
{
    struct chat_input part = *in;
    struct json *messages = jv_array();
    enum status st;

    for (size_t i = 0; i < n; i++)
        jv_append_adopt(messages, jv_ref(jv_at(in->messages, i)));
    part.messages = messages;
    part.add_generation_prompt = prompt;
    str_clear(out);
    st = chat_render_marked(t, &part, out, NULL, err);
    jv_unref(messages);
    return st;
}

static bool is_prefix(const struct str *part, const char *whole, size_t n)
{
    return part->len <= n && memcmp(str_cstr(part), whole, part->len) == 0;
}

/* Where the turn that starts at `from` ends. `limit`: the end of the conversation up to the
 * message, or 0 when that is not a prefix of the whole (its last turn is rendered differently). */
static size_t turn_end(const char *whole, size_t n, size_t from, size_t limit, const char *eos)
{
    const size_t to = limit > from ? limit : n, n_eos = eos ? strlen(eos) : 0;
    const char *found;

    if (n_eos == 0)
        return limit > from ? limit : 0;
    if (limit == 0) {
        found = memmem(whole + from, to - from, eos, n_eos);
        return found ? (size_t)(found - whole) + n_eos : 0;
    }
    for (size_t i = to; i >= from + n_eos; i--)
        if (memcmp(whole + i - n_eos, eos, n_eos) == 0)
            return i;
    return to;
}

static enum status find_turn(const struct chat_template *t, const struct chat_input *in, size_t i,
                             const char *whole, size_t n, struct str *part,
                             struct chat_spans *spans, struct error *err)
{
    size_t from, to, limit;
    enum status st = render_first(t, in, i, true, part, err);

    if (st)
        return st;
    if (!is_prefix(part, whole, n))
        return error_set(err, STATUS_UNSUPPORTED,
                         "messages[%zu]: the chat template rewrites earlier turns and has no "
                         "generation blocks, so the assistant's text cannot be located",
                         i);
    from = part->len;
    st = render_first(t, in, i + 1, false, part, err);
    if (st)
        return st;
    limit = is_prefix(part, whole, n) ? part->len : 0;
    to = turn_end(whole, n, from, limit, in->eos_token);
    if (to <= from)
        return error_set(err, STATUS_UNSUPPORTED,
                         "messages[%zu]: no end of the assistant's turn in the prompt", i);
    return add_span(spans, from, to, err);
}

enum status chat_render_spans(const struct chat_template *t, const struct chat_input *in,
                              struct str *out, struct chat_spans *spans, struct error *err)
{
    const size_t start = out->len, had = spans->n;
    struct chat_spans found = {0};
    struct str part;
    enum status st;

    str_init(&part, CHAT_MAX_OUTPUT);
    st = chat_render_marked(t, in, out, chat_has_generation(t) ? &found : NULL, err);
    for (size_t i = 0; st == STATUS_OK && i < found.n; i++)
        st = add_span(spans, found.span[i].from, found.span[i].to, err);
    for (size_t i = 0; st == STATUS_OK && !chat_has_generation(t) && i < jv_size(in->messages);
         i++) {
        const struct json *role = jv_get(jv_at(in->messages, i), "role");

        if (strcmp(jv_get_string(role, ""), "assistant") == 0)
            st = find_turn(t, in, i, str_cstr(out) + start, out->len - start, &part, spans, err);
    }
    for (size_t i = had; !chat_has_generation(t) && i < spans->n; i++) {
        spans->span[i].from += start;
        spans->span[i].to += start;
    }
    if (st)
        spans->n = had;
    chat_spans_deinit(&found);
    str_deinit(&part);
    return st;
}
