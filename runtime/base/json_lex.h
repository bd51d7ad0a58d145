/* json_lex.h - the tokens of JSON text (RFC 8259), for the readers of this folder.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_LEX_H
#define TROUPE_RUNTIME_BASE_JSON_LEX_H

#include <stdbool.h>
#include <stdint.h>

/* After the number that begins at `at`; NULL: not a number. *is_real: it has a fraction or an
 * exponent. */
const char *json_lex_number(const char *at, const char *end, bool *is_real);

/* The end of a run of a string that needs no look: a quote, a backslash, a control character, or
 * the end. */
static inline const char *json_lex_run(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
        at++;
    return at;
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
