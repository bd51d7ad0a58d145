/* reply_stream.c - reads the tags of a growing reply, up to its first call.
 *
 * The same rules as tool_calls.c, as long as they need no look ahead. From a call on (in the
 * content, or what may be one in reasoning that may never be closed) only the parse of the whole
 * can say what is what, so the stream waits for it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/chat/reply_stream.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "models/chat/tool_calls_internal.h"
#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

enum stream_state {
    STREAM_START, /* only blanks, or the beginning of <think> */
    STREAM_THINKING,
    STREAM_TALKING,
    STREAM_HELD, /* nothing is certain before the end */
};

/* Content or reasoning, without the blanks at both ends. */
struct stream_part {
    bool any;          /* something was put, though it may be blank */
    bool begun;        /* something was given */
    struct str blanks; /* not given yet */
    size_t n_given;
};

struct reply_stream {
    struct reply_stream_spec spec;
    enum stream_state state;
    bool held_thinking; /* STREAM_HELD began in reasoning */
    bool thought;       /* a block of reasoning was begun */
    struct str text;    /* all of it, without NUL */
    size_t at;          /* read so far */
    size_t skipped;     /* a tag at `at` is followed by blanks up to here */
    size_t visited;
    struct stream_part part[REPLY_PARTS];
};

struct reply_stream *reply_stream_new(const struct reply_stream_spec *spec)
{
    struct reply_stream *s = xcalloc(1, sizeof(*s));

    s->spec = *spec;
    s->text = STR_INIT;
    for (int i = 0; i < REPLY_PARTS; i++)
        s->part[i].blanks = STR_INIT;
    return s;
}

void reply_stream_free(struct reply_stream *s)
{
    if (!s)
        return;
    str_deinit(&s->text);
    for (int i = 0; i < REPLY_PARTS; i++)
        str_deinit(&s->part[i].blanks);
    free(s);
}

static void give(struct reply_stream *s, enum reply_part which, const char *text, size_t n)
{
    if (n == 0)
        return;
    s->part[which].n_given += n;
    s->spec.give(s->spec.ctx, which, text, n);
}

static void put(struct reply_stream *s, enum reply_part which, const char *text, size_t n)
{
    struct stream_part *p = &s->part[which];
    size_t from = 0, end = n;

    p->any = p->any || n > 0;
    while (!p->begun && from < n && isspace((unsigned char)text[from]))
        from++;
    while (end > from && isspace((unsigned char)text[end - 1]))
        end--;
    if (end > from) {
        give(s, which, str_cstr(&p->blanks), p->blanks.len);
        str_clear(&p->blanks);
        give(s, which, text + from, end - from);
        p->begun = true;
    }
    if (p->begun)
        str_append(&p->blanks, text + end, n - end);
}

static void begin_thinking(struct reply_stream *s)
{
    if (s->thought && s->part[REPLY_REASONING].any)
        put(s, REPLY_REASONING, "\n", 1);
    s->thought = true;
    s->state = STREAM_THINKING;
}

static void hold(struct reply_stream *s)
{
    s->held_thinking = s->state == STREAM_THINKING;
    s->state = STREAM_HELD;
}

/* Each step below returns false when it needs more text. */

static bool read_start(struct reply_stream *s, const struct call_text *t)
{
    const size_t tag = strlen(THINK_OPEN);

    s->at = call_skip_space(t, s->at);
    if (t->n - s->at < tag && memcmp(t->p + s->at, THINK_OPEN, t->n - s->at) == 0)
        return false;
    if (call_at(t, s->at, THINK_OPEN)) {
        s->at += tag;
        begin_thinking(s);
    } else if (s->spec.in_reasoning) {
        s->at = 0;
        begin_thinking(s);
    } else {
        s->at = 0;
        s->state = STREAM_TALKING;
    }
    return true;
}

/* A tag of a call inside reasoning: does a call start here, or is it only text? */
static bool read_draft(struct reply_stream *s, const struct call_text *t)
{
    size_t start = s->at, left;

    if (call_at(t, s->at, CALL_OPEN)) {
        start = call_skip_space(t, s->skipped > s->at ? s->skipped : s->at + strlen(CALL_OPEN));
        s->skipped = start;
    }
    left = t->n - start;
    if (call_at(t, start, FUNCTION_OPEN) || call_at(t, start, "{") || call_at(t, start, "[")) {
        hold(s);
    } else if (left < strlen(FUNCTION_OPEN) && memcmp(t->p + start, FUNCTION_OPEN, left) == 0) {
        return false;
    } else {
        put(s, REPLY_REASONING, t->p + s->at, 1);
        s->at++;
    }
    return true;
}

static bool read_tag(struct reply_stream *s, const struct call_text *t)
{
    const bool thinking = s->state == STREAM_THINKING;

    if (reply_tag_cut(s->spec.format, t, s->at))
        return false;
    switch (reply_tag_at(s->spec.format, t, s->at)) {
    case TAG_END_THINK:
        s->at += strlen(THINK_CLOSE);
        s->state = STREAM_TALKING;
        return true;
    case TAG_THINK:
        if (thinking)
            break;
        s->at += strlen(THINK_OPEN);
        begin_thinking(s);
        return true;
    case TAG_CALL:
    case TAG_FUNCTION:
        if (thinking)
            return read_draft(s, t);
        hold(s);
        return true;
    case TAG_END_CALL:
        if (thinking)
            break;
        hold(s);
        return true;
    case TAG_NONE:
        break;
    }
    put(s, thinking ? REPLY_REASONING : REPLY_CONTENT, t->p + s->at, 1);
    s->at++;
    return true;
}

static bool read_text(struct reply_stream *s, const struct call_text *t)
{
    const enum reply_part part = s->state == STREAM_THINKING ? REPLY_REASONING : REPLY_CONTENT;
    const size_t tag = call_find(t, "<", s->at);

    put(s, part, t->p + s->at, tag - s->at);
    s->at = tag;
    return tag < t->n && read_tag(s, t);
}

void reply_stream_push(struct reply_stream *s, const char *text, size_t n)
{
    struct call_text t;
    bool more = true;

    for (size_t i = 0; i < n;) {
        const char *nul = memchr(text + i, '\0', n - i);
        const size_t to = nul ? (size_t)(nul - text) : n;

        str_append(&s->text, text + i, to - i);
        if (nul)
            utf8_put(&s->text, UTF8_REPLACEMENT);
        i = to + (nul != NULL);
    }
    t = (struct call_text){str_cstr(&s->text), s->text.len, &s->visited};
    while (more && s->state != STREAM_HELD)
        more = s->state == STREAM_START ? read_start(s, &t) : read_text(s, &t);
}

bool reply_stream_is_thinking(const struct reply_stream *s)
{
    return s->state == STREAM_THINKING || (s->state == STREAM_HELD && s->held_thinking) ||
           (s->state == STREAM_START && s->spec.in_reasoning);
}

/* What the parse found and was not given yet. */
static void give_rest(struct reply_stream *s, enum reply_part which, const char *whole)
{
    const size_t n = whole ? strlen(whole) : 0, given = s->part[which].n_given;

    assert(given <= n);
    if (given < n)
        give(s, which, whole + given, n - given);
}

enum status reply_stream_end(struct reply_stream *s, bool cut, struct parsed_reply *out,
                             struct error *err)
{
    const enum reply_start start =
        s->spec.in_reasoning ? REPLY_STARTS_THINKING : REPLY_STARTS_TALKING;
    enum status st;

    if (!str_ok(&s->text) || !str_ok(&s->part[REPLY_CONTENT].blanks) ||
        !str_ok(&s->part[REPLY_REASONING].blanks))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a reply of %zu bytes", s->text.len);
    st = tool_calls_parse(s->spec.format, str_cstr(&s->text), s->text.len, start, cut,
                          s->spec.tools, out, err);
    if (st)
        return st;
    give_rest(s, REPLY_REASONING, out->reasoning);
    give_rest(s, REPLY_CONTENT, out->content);
    return STATUS_OK;
}
