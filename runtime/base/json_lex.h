/* json_lex.h - the tokens of JSON text (RFC 8259), for the readers of this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_LEX_H
#define TROUPE_RUNTIME_BASE_JSON_LEX_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* After the number that begins at `at`; NULL: not a number. *is_real: it has a fraction or an
 * exponent. */
const char *json_lex_number(const char *at, const char *end, bool *is_real);

/* The end of a run of a string that needs no look: a quote, a backslash, a control character, or
 * the end. */
static inline const char *json_lex_run(const char *at, const char *end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        int found;

        /* bytes <= 31, unsigned */
        special = _mm_or_si128(special,
                               _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(' ' - 1)), bytes));
        found = _mm_movemask_epi8(special);
        if (found)
            return at + __builtin_ctz((unsigned)found);
        at += 16;
    }
#endif
    while (at < end && (unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* After the string whose opening quote is at `at`; `end` if it does not end. */
static inline const char *json_lex_string_end(const char *at, const char *end)
{
    for (at = json_lex_run(at + 1, end); at < end && *at != '"'; at = json_lex_run(at, end))
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at < end ? at + 1 : end;
}

/* Reads an escape, *at being after its backslash, and moves *at behind it. false: it is not valid,
 * a lone surrogate, or NUL. */
bool json_lex_escape(const char **at, const char *end, uint32_t *code);

static inline const char *json_lex_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

#endif
