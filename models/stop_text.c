/* stop_text.c - a plain search, and what must wait for more of the text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/stop_text.h"

#include <string.h>

size_t stop_text_cut(const char *bytes, size_t n, const char *const *text, int32_t n_text)
{
    size_t cut = n;

    for (int32_t i = 0; i < n_text && cut > 0; i++) {
        const char *found = memmem(bytes, n, text[i], strlen(text[i]));

        if (found && (size_t)(found - bytes) < cut)
            cut = (size_t)(found - bytes);
    }
    return cut;
}

size_t stop_text_held(const char *bytes, size_t n, const char *const *text, int32_t n_text)
{
    size_t held = 0;

    for (int32_t i = 0; i < n_text; i++) {
        const size_t whole = strlen(text[i]);

        for (size_t k = whole > n ? n : whole - 1; k > held; k--)
            if (memcmp(bytes + n - k, text[i], k) == 0)
                held = k;
    }
    return held;
}

static void release(struct stop_stream *s, bool end, struct str *out)
{
    const char *bytes = str_cstr(&s->held);
    const size_t n = s->held.len;
    size_t keep = stop_text_cut(bytes, n, s->text, s->n_text);
    struct str rest;

    s->stopped = keep < n;
    if (!s->stopped && !end)
        keep -= stop_text_held(bytes, n, s->text, s->n_text);
    str_append(out, bytes, keep);
    str_init(&rest, s->held.max);
    if (!s->stopped)
        str_append(&rest, bytes + keep, n - keep);
    rest.failed = rest.failed || s->held.failed;
    str_deinit(&s->held);
    s->held = rest;
}

void stop_stream_push(struct stop_stream *s, const char *bytes, size_t n, struct str *out)
{
    if (s->stopped)
        return;
    if (s->n_text == 0) {
        str_append(out, bytes, n);
        return;
    }
    str_append(&s->held, bytes, n);
    release(s, false, out);
}

void stop_stream_end(struct stop_stream *s, struct str *out)
{
    if (!s->stopped)
        release(s, true, out);
}

void stop_stream_deinit(struct stop_stream *s)
{
    str_deinit(&s->held);
}
