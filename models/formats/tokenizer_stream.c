/* tokenizer_stream.c - text as tokens come in, never half a character.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "models/formats/tokenizer.h"
#include "runtime/base/unicode.h"

/* Bytes that the sequence which starts with `lead` has; 0 for no lead byte. */
static int sequence_length(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 4;
    return 0;
}

/* Whether bytes[0..n) could still become one character: every byte so far is what the well-formed
 * table of Unicode (3-7) allows in its place. */
static bool may_become_whole(const char *bytes, size_t n)
{
    static const char tail[4] = {(char)0x80, (char)0x80, (char)0x80, (char)0x80};
    static const uint8_t seconds[] = {0x80, 0x90, 0xa0}; /* covers E0, ED, F0, F4 */
    const int want = sequence_length((uint8_t)bytes[0]);
    char whole[4];

    if (n == 0 || want == 0 || (int)n >= want)
        return false;
    memcpy(whole, tail, 4);
    memcpy(whole, bytes, n);
    if (n > 1)
        return utf8_valid_prefix(whole, (size_t)want) == (size_t)want;
    for (size_t i = 0; i < sizeof(seconds); i++) {
        whole[1] = (char)seconds[i];
        if (utf8_valid_prefix(whole, (size_t)want) == (size_t)want)
            return true;
    }
    return false;
}

/* Writes out all of the text but a character's beginning at its end, which is held. */
static void put_text(struct token_stream *s, const char *bytes, size_t n, struct str *out)
{
    size_t keep = 0;

    for (size_t k = 1; k <= 3 && k <= n; k++)
        if (may_become_whole(bytes + n - k, k)) {
            keep = k;
            break;
        }
    utf8_clean(bytes, n - keep, out);
    memcpy(s->held, bytes + n - keep, keep);
    s->n_held = (int)keep;
}

void token_stream_push(struct token_stream *s, const struct tokenizer *t, int32_t id,
                       bool skip_special, struct str *out)
{
    size_t n = 0;
    const char *bytes = tokenizer_bytes(t, id, &n);
    char joined[sizeof(s->held) + TOKENIZER_MAX_TOKEN_BYTES];

    if (bytes == NULL || n == 0 || (skip_special && tokenizer_is_special(t, id)))
        return;
    memcpy(joined, s->held, (size_t)s->n_held);
    memcpy(joined + s->n_held, bytes, n);
    put_text(s, joined, (size_t)s->n_held + n, out);
}

void token_stream_finish(struct token_stream *s, struct str *out)
{
    utf8_clean(s->held, (size_t)s->n_held, out);
    s->n_held = 0;
}
