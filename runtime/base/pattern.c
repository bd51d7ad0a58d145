/* pattern.c - PCRE2 with limits.
 *
 * PCRE2's match limit restarts at every start position, so it bounds one position, not
 * a search. A search therefore runs in windows of start positions (offset limit), and
 * the clock is read between windows. This affects only pathological patterns: their
 * search ends as STATUS_LIMIT after seconds instead of hours.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/utf8.h"

#define PATTERN_MAX_BYTES ((size_t)16 << 10)
#define PARENS_MAX        100
#define STEPS_MAX         1000000 /* from one start position: a few ms */
#define STEPS_PER_BYTE    8       /* more for a long subject: one pass of a few alternatives */
#define DEPTH_MAX         10000
#define HEAP_MAX_KIB      (16 << 10)
#define JIT_STACK_START   ((size_t)32 << 10)
#define JIT_STACK_MAX     ((size_t)1 << 20)
#define WINDOW_FIRST      ((size_t)256) /* where a start position has STEPS_MAX; less where more */
#define WINDOW_QUICK_US   1000          /* a window done in less is followed by one twice as wide */
#define SEARCH_MAX_US     2000000

struct pattern {
    pcre2_code *code;
    bool jit;
};

struct pattern_scratch {
    pcre2_match_context *limits;
    pcre2_match_data *match;
    pcre2_jit_stack *stack; /* NULL: JIT code uses 32 KiB of our own stack */
};

/* Windows would change what \G means, and \C (refused by PCRE2 below) would cut
 * characters. */
static bool has_escape_g(const char *regex, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (regex[i] != '\\')
            continue;
        i++;
        if (regex[i] == 'G')
            return true;
    }
    return false;
}

static enum status compile_code(struct pattern *p, const char *regex, size_t n, struct error *err)
{
    pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
    PCRE2_UCHAR words[160];
    PCRE2_SIZE offset = 0;
    int code = 0;

    if (!limits)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a regular expression");
    pcre2_set_parens_nest_limit(limits, PARENS_MAX);
    p->code = pcre2_compile((PCRE2_SPTR)(n ? regex : ""), n,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C |
                                PCRE2_USE_OFFSET_LIMIT,
                            &code, &offset, limits);
    pcre2_compile_context_free(limits);
    if (p->code)
        return STATUS_OK;
    if (pcre2_get_error_message(code, words, ARRAY_LEN(words)) < 0)
        words[0] = '\0';
    return error_set(err, STATUS_INVALID, "regular expression, at byte %zu: %s", (size_t)offset,
                     (const char *)words);
}

enum status pattern_compile(const char *regex, size_t n, struct pattern **out, struct error *err)
{
    struct pattern *p;
    enum status st;

    if (n > PATTERN_MAX_BYTES)
        return error_set(err, STATUS_LIMIT, "a regular expression has at most %zu bytes, not %zu",
                         PATTERN_MAX_BYTES, n);
    if (utf8_valid_prefix(regex, n) != n)
        return error_set(err, STATUS_INVALID, "a regular expression must be valid UTF-8");
    if (has_escape_g(regex, n))
        return error_set(err, STATUS_UNSUPPORTED, "regular expression: \\G is not supported");
    p = xcalloc(1, sizeof(*p));
    st = compile_code(p, regex, n, err);
    if (st) {
        pattern_free(p);
        return st;
    }
    /* Where the system forbids writable code, the interpreter does the same work. */
    p->jit = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0;
    *out = p;
    return STATUS_OK;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    free(p);
}

enum status pattern_scratch_new(struct pattern_scratch **out, struct error *err)
{
    struct pattern_scratch *s = xcalloc(1, sizeof(*s));

    s->limits = pcre2_match_context_create(NULL);
    s->match = pcre2_match_data_create(1, NULL); /* only the whole match is asked for */
    if (!s->limits || !s->match) {
        pattern_scratch_free(s);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a regular expression");
    }
    pcre2_set_depth_limit(s->limits, DEPTH_MAX);
    pcre2_set_heap_limit(s->limits, HEAP_MAX_KIB);
    s->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
    pcre2_jit_stack_assign(s->limits, NULL, s->stack);
    *out = s;
    return STATUS_OK;
}

void pattern_scratch_free(struct pattern_scratch *s)
{
    if (!s)
        return;
    pcre2_match_data_free(s->match);
    pcre2_match_context_free(s->limits);
    pcre2_jit_stack_free(s->stack);
    free(s);
}

static enum status match_failed(int code, struct error *err)
{
    PCRE2_UCHAR words[160];

    switch (code) {
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_JIT_STACKLIMIT:
        return error_set(err, STATUS_LIMIT, "the regular expression took too many steps");
    case PCRE2_ERROR_NOMEMORY:
        return error_set(err, STATUS_NO_MEMORY, "no memory to match a regular expression");
    default:
        if (pcre2_get_error_message(code, words, ARRAY_LEN(words)) < 0)
            words[0] = '\0';
        return error_set(err, STATUS_FAILED, "matching a regular expression: %s",
                         (const char *)words);
    }
}

/* One window: start positions from `start` to `last`. */
static int match_window(const struct pattern *p, struct pattern_scratch *s, const char *text,
                        size_t n, size_t start, size_t last)
{
    pcre2_set_offset_limit(s->limits, last);
    if (p->jit)
        return pcre2_jit_match(p->code, (PCRE2_SPTR)text, n, start, 0, s->match, s->limits);
    return pcre2_match(p->code, (PCRE2_SPTR)text, n, start, PCRE2_NO_UTF_CHECK, s->match,
                       s->limits);
}

/* The first character boundary at or after i. */
static size_t boundary(const char *text, size_t n, size_t i)
{
    while (i < n && ((unsigned char)text[i] & 0xc0) == 0x80)
        i++;
    return i;
}

static enum status find_with(const struct pattern *p, struct pattern_scratch *s, const char *text,
                             size_t n, size_t start, bool *found, size_t *from, size_t *to,
                             struct error *err)
{
    uint64_t steps = STEPS_MAX + STEPS_PER_BYTE * (uint64_t)(n - start);
    size_t window = WINDOW_FIRST * STEPS_MAX / steps + 1; /* a window's steps stay bounded */
    int64_t began_us = 0;
    int64_t before_us = 0;

    pcre2_set_match_limit(s->limits, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    while (start <= n) {
        size_t last = n - start < window ? n : start + window;
        int code = match_window(p, s, text, n, start, last);
        int64_t now_us;

        if (code >= 0) {
            const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(s->match);

            *found = true;
            *from = bounds[0];
            *to = bounds[1];
            return STATUS_OK;
        }
        if (code != PCRE2_ERROR_NOMATCH)
            return match_failed(code, err);
        if (last == n)
            return STATUS_OK;
        now_us = seams_mono_us(seams_real());
        if (began_us == 0)
            began_us = now_us;
        else if (now_us - before_us < WINDOW_QUICK_US)
            window *= 2;
        if (now_us - began_us > SEARCH_MAX_US)
            return error_set(err, STATUS_LIMIT, "the regular expression took too long");
        before_us = now_us;
        start = boundary(text, n, last + 1);
    }
    return STATUS_OK;
}

enum status pattern_find(const struct pattern *p, struct pattern_scratch *scratch, const char *text,
                         size_t n, size_t start, bool *found, size_t *from, size_t *to,
                         struct error *err)
{
    struct pattern_scratch *own = NULL;
    enum status st = STATUS_OK;

    *found = false;
    if (start > n)
        return STATUS_OK;
    if (!scratch)
        st = pattern_scratch_new(&own, err);
    if (!st)
        st = find_with(p, scratch ? scratch : own, n ? text : "", n, start, found, from, to, err);
    pattern_scratch_free(own);
    return st;
}
