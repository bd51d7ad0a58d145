/* tool_calls.c - a model's text into reasoning, content and calls.
 *
 * Tags inside a call are part of its arguments; tags inside reasoning are ignored, unless the
 * reasoning never ends: then it ends where the call begins. Other text stays in the content, except
 * an unmatched tag of reasoning or of a call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/tool_calls.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "models/chat/tool_calls_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

#define THINK_OPEN  "<think>"
#define THINK_CLOSE "</think>"
#define MAX_TEXT    ((size_t)16 << 20)

struct reader {
    enum tool_call_format format;
    bool cut;
    struct call_text text;
    const struct json *tools;
    struct str content, reasoning;
    bool thought; /* a block of reasoning was seen, though it may be empty */
    struct parsed_call *call;
    int32_t n_calls;
};

enum tool_call_format tool_calls_format_of(const char *chat_template)
{
    return chat_template && strstr(chat_template, "<function=") ? TOOL_CALLS_XML
                                                                : TOOL_CALLS_HERMES;
}

void parsed_reply_deinit(struct parsed_reply *r)
{
    for (int32_t i = 0; i < r->n_calls; i++)
        call_deinit(&r->call[i]);
    free(r->call);
    free(r->content);
    free(r->reasoning);
    *r = (struct parsed_reply){0};
}

static void add_reasoning(struct reader *r, size_t from, size_t to)
{
    if (r->thought && r->reasoning.len)
        str_putc(&r->reasoning, '\n');
    r->thought = true;
    str_append(&r->reasoning, r->text.p + from, to - from);
}

enum tag { TAG_THINK, TAG_END_THINK, TAG_CALL, TAG_END_CALL, TAG_FUNCTION, TAG_NONE };

/* The tag at i, of those that the format knows. */
static enum tag tag_at(const struct reader *r, size_t i)
{
    static const char *const tags[] = {THINK_OPEN, THINK_CLOSE, CALL_OPEN, CALL_CLOSE,
                                       FUNCTION_OPEN};
    const int n = r->format == TOOL_CALLS_NONE ? 2 : r->format == TOOL_CALLS_XML ? 5 : 4;

    for (int k = 0; k < n; k++)
        if (call_at(&r->text, i, tags[k]))
            return (enum tag)k;
    return TAG_NONE;
}

/* The next tag outside of calls: its place, or the end of the text. One pass over all of it. */
static size_t next_tag(const struct reader *r, size_t from, enum tag *tag)
{
    for (; (from = call_find(&r->text, "<", from)) < r->text.n; from++) {
        *tag = tag_at(r, from);
        if (*tag != TAG_NONE)
            return from;
    }
    *tag = TAG_NONE;
    return r->text.n;
}

/* Whether the tag at `at` starts a call and is not just part of the text; *start is after the first
 * tag. */
static bool starts_call(const struct reader *r, size_t at, size_t *start)
{
    const struct call_text *t = &r->text;

    *start = call_at(t, at, CALL_OPEN) ? call_skip_space(t, at + strlen(CALL_OPEN)) : at;
    return call_at(t, *start, FUNCTION_OPEN) || call_at(t, *start, "{") || call_at(t, *start, "[");
}

/* A call at `from` inside reasoning: whether it is complete, and where it ends. */
static bool read_draft(const struct reader *r, size_t from, size_t *end)
{
    struct parsed_call call = {0};
    bool whole;

    *end = r->format == TOOL_CALLS_XML ? xml_read_call(&r->text, from, r->tools, &call)
                                       : hermes_read_call(&r->text, from, &call);
    whole = call.error == NULL;
    call_deinit(&call);
    return whole;
}

/* Where reasoning that begins at `from` ends, and where reading continues: at its closing tag,
 * except one in the arguments of a draft call. Reasoning that is never closed ends at the first
 * complete call in it, else at the first text that starts like a call, else at the end of the
 * text. Where the text was cut, the closing tag may be missing only for that: it ends there. */
static size_t thoughts_end(const struct reader *r, size_t from, size_t *next)
{
    const size_t none = r->text.n;
    size_t at = from, end, start, first_whole = none, first_meant = none;
    int drafts = 0;
    enum tag tag;

    for (; !call_is_tiring(&r->text) && (at = next_tag(r, at, &tag)) < none; at = end) {
        end = at + 1;
        if (tag == TAG_END_THINK) {
            *next = at + strlen(THINK_CLOSE);
            return at;
        }
        if ((tag != TAG_CALL && tag != TAG_FUNCTION) || !starts_call(r, at, &start))
            continue;
        if (first_meant == none)
            first_meant = at;
        if (drafts++ >= TOOL_CALLS_MAX || !read_draft(r, at, &end))
            end = start + 1; /* a tag in it may be the closing one */
        else if (first_whole == none)
            first_whole = at;
    }
    *next = r->cut ? none : first_whole < none ? first_whole : first_meant;
    return *next;
}

/* Reasoning at the start of the text: opened by the prompt, by a tag, or only closed by one.
 * Returns its end. */
static size_t read_first_thoughts(struct reader *r, bool in_reasoning)
{
    const struct call_text *t = &r->text;
    const size_t start = call_skip_space(t, 0), close = call_find(t, THINK_CLOSE, 0);
    const char *function = r->format == TOOL_CALLS_XML ? FUNCTION_OPEN : CALL_OPEN;
    size_t from = 0, next, end;

    if (call_at(t, start, THINK_OPEN))
        from = start + strlen(THINK_OPEN);
    else if (!in_reasoning && (close == t->n || call_find(t, CALL_OPEN, 0) < close ||
                               call_find(t, function, 0) < close)) /* an argument may hold one */
        return 0;
    end = thoughts_end(r, from, &next);
    add_reasoning(r, from, end);
    return next;
}

/* A slot for one more call; NULL when all are used. */
static struct parsed_call *new_call(struct reader *r)
{
    if (r->n_calls == TOOL_CALLS_MAX) {
        call_error(&r->call[TOOL_CALLS_MAX - 1],
                   "A reply has at most %d tool calls; this one and those after it were not read.",
                   TOOL_CALLS_MAX);
        return NULL;
    }
    r->call[r->n_calls] = (struct parsed_call){0};
    return &r->call[r->n_calls++];
}

static void finish_call(struct reader *r, struct parsed_call *call, size_t from, size_t to)
{
    if (call->name == NULL)
        call->name = xstrdup("");
    call->raw = xstrndup(r->text.p + from, to - from);
}

/* Each returns where to read on: at the end when there are too many calls. */
static size_t read_call(struct reader *r, size_t from)
{
    struct parsed_call *call = new_call(r);
    size_t end;

    if (call == NULL)
        return r->text.n;
    end = r->format == TOOL_CALLS_XML ? xml_read_call(&r->text, from, r->tools, call)
                                      : hermes_read_call(&r->text, from, call);
    finish_call(r, call, from, end);
    return end;
}

/* A closing tag alone: the model intended a call. */
static size_t read_stray_close(struct reader *r, size_t from, size_t at)
{
    const size_t end = at + strlen(CALL_CLOSE);
    struct parsed_call *call = new_call(r);

    if (call == NULL)
        return r->text.n;
    call_error(call, "There is a " CALL_CLOSE " without a " CALL_OPEN " before it. Write the whole "
                     "call again, between both tags.");
    finish_call(r, call, from, end);
    return end;
}

static void read_rest(struct reader *r, size_t from)
{
    while (from < r->text.n) {
        enum tag tag;
        const size_t at = next_tag(r, from, &tag);
        size_t close;

        str_append(&r->content, r->text.p + from, at - from);
        switch (tag) {
        case TAG_THINK:
            close = thoughts_end(r, at + strlen(THINK_OPEN), &from);
            add_reasoning(r, at + strlen(THINK_OPEN), close);
            break;
        case TAG_END_THINK:
            from = at + strlen(THINK_CLOSE);
            break;
        case TAG_CALL:
        case TAG_FUNCTION:
            from = read_call(r, at);
            break;
        case TAG_END_CALL:
            from = read_stray_close(r, from, at);
            break;
        case TAG_NONE:
            from = at;
            break;
        }
    }
}

static char *trimmed(const struct str *s)
{
    const char *p = str_cstr(s);
    size_t n = s->len;

    while (n > 0 && isspace((unsigned char)p[n - 1]))
        n--;
    while (n > 0 && isspace((unsigned char)p[0])) {
        p++;
        n--;
    }
    return xstrndup(p, n);
}

/* A byte-level model may write a NUL, which does not end the text. */
static char *without_nul(const char *text, size_t *n)
{
    struct str s;
    size_t i = 0;

    str_init(&s, 3 * *n);
    while (i < *n) {
        const char *nul = memchr(text + i, '\0', *n - i);
        const size_t to = nul ? (size_t)(nul - text) : *n;

        str_append(&s, text + i, to - i);
        if (nul)
            utf8_put(&s, 0xfffd);
        i = to + (nul != NULL);
    }
    *n = s.len;
    return str_ok(&s) ? str_take(&s) : NULL;
}

enum status tool_calls_parse(enum tool_call_format format, const char *text, size_t n,
                             bool in_reasoning, bool cut, const struct json *tools,
                             struct parsed_reply *out, struct error *err)
{
    struct reader r = {.format = format, .cut = cut, .tools = tools};
    size_t visited = 0;
    char *copy;
    enum status st = STATUS_OK;

    if (n > MAX_TEXT)
        return error_set(err, STATUS_LIMIT, "the reply is longer than %zu bytes", MAX_TEXT);
    if (utf8_valid_prefix(text, n) != n)
        return error_set(err, STATUS_INVALID, "the reply must be valid UTF-8");
    copy = n ? without_nul(text, &n) : xstrdup("");
    r.call = mem_alloc(TOOL_CALLS_MAX, sizeof(*r.call));
    str_init(&r.content, 3 * MAX_TEXT);
    str_init(&r.reasoning, 6 * MAX_TEXT);
    if (copy == NULL || r.call == NULL) {
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a reply of %zu bytes", n);
        free(r.call);
        r.call = NULL;
    } else {
        r.text = (struct call_text){copy, n, &visited};
        read_rest(&r, read_first_thoughts(&r, in_reasoning));
        *out = (struct parsed_reply){trimmed(&r.content), r.thought ? trimmed(&r.reasoning) : NULL,
                                     r.call, r.n_calls, visited};
        if (!str_ok(&r.content) || !str_ok(&r.reasoning)) {
            st = error_set(err, STATUS_NO_MEMORY, "no memory for a reply of %zu bytes", n);
            parsed_reply_deinit(out);
        }
    }
    str_deinit(&r.content);
    str_deinit(&r.reasoning);
    free(copy);
    return st;
}
