/* tokenizer_stream.c - streaming text, never half a character.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer_internal.h"
#include "runtime/base/unicode.h"

/* Writes the text except an incomplete character at its end, which is held. */
static void put_text(struct token_stream *s, const char *bytes, size_t n, struct str *out)
{
    size_t keep = 0;
    bool cut = false;

    while (!cut && keep < 3 && keep < n) {
        keep++;
        (void)utf8_invalid_prefix(bytes + n - keep, keep, &cut);
    }
    if (!cut)
        keep = 0;
    utf8_clean(bytes, n - keep, out);
    memcpy(s->held, bytes + n - keep, keep);
    s->n_held = (int)keep;
}

void token_stream_push(struct token_stream *s, const struct tokenizer *t, int32_t id,
                       bool skip_special, struct str *out)
{
    size_t n = 0;
    const char *bytes;
    char joined[sizeof(s->held) + TOKENIZER_MAX_TOKEN_BYTES];

    if (skip_special && tokenizer_is_special(t, id))
        return;
    bytes = tokenizer_text_in(t, id, &s->begin, &n);
    if (bytes == NULL || n == 0)
        return;
    memcpy(joined, s->held, (size_t)s->n_held);
    memcpy(joined + s->n_held, bytes, n);
    put_text(s, joined, (size_t)s->n_held + n, out);
}

void token_stream_finish(struct token_stream *s, struct str *out)
{
    utf8_clean(s->held, (size_t)s->n_held, out);
    *s = TOKEN_STREAM_INIT;
}
