/* serve_token.h - the bearer tokens of a server: who may call, what, and until when.
 *
 * The file holds one token a line: SHA-256 in hex, name, scopes, expiry (RFC 3339, or "-"). The
 * token itself is printed once, when it is made, and is in no file. The file must be readable by
 * its owner alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_SERVE_TOKEN_H
#define TROUPE_RUNTIME_SERVE_SERVE_TOKEN_H

#include <stdbool.h>

#include "runtime/base/seams.h"
#include "runtime/base/str.h"

/* What a token allows. */
enum token_scope {
    TOKEN_V1 = 1,      /* "v1": models, agents and blueprints by the OpenAI API */
    TOKEN_API = 2,     /* "api": runs: start, list, read, answer, cancel */
    TOKEN_METRICS = 4, /* "metrics" */
    TOKEN_MCP = 8,     /* "mcp": the hub */
    TOKEN_ALL = 15,    /* "all" */
};

#define TOKEN_PREFIX     "troupe_"
#define TOKEN_TEXT_MAX   64 /* with the prefix and the NUL */
#define TOKEN_NAME_BYTES 64

struct token_file;
/* STATUS_NOT_FOUND: there is no such file. STATUS_CONFIG: a line cannot be read or its name is used
 * (FILE:LINE), or other users can read the file. */
MUST_CHECK enum status token_file_open(const char *path, const struct seams *seams,
                                       struct token_file **out, struct error *err);
void token_file_free(struct token_file *f);
/* f has the tokens of `adopt_by` from now on. Names that were lent stay valid until f is freed. */
void token_file_replace(struct token_file *f, struct token_file *adopt_by);
size_t token_file_count(const struct token_file *f);

/* Which token is this? Takes the same time for every text. *name is lent. An expired one is none.
 */
bool token_file_find(void *token_file, const char *text, size_t n, const char **name);
/* The scopes of a name; 0: there is no such token. */
unsigned token_file_scopes(const struct token_file *f, const char *name);

/* Makes a token of 256 random bits, adds its line to the file (created with mode 0600) and puts its
 * text in `out`. Processes that add one at the same time wait for each other. expires_ms 0: never.
 * STATUS_USAGE: the name is used, or not a word. */
MUST_CHECK enum status token_file_add(const char *path, const struct seams *seams, const char *name,
                                      unsigned scopes, int64_t expires_ms, char out[TOKEN_TEXT_MAX],
                                      struct error *err);
/* A set of scopes as "v1,api". */
void token_scopes_put(unsigned scopes, struct str *out);
/* "v1,api" as a set of scopes. STATUS_USAGE names the word that is none. */
MUST_CHECK enum status token_scopes_parse(const char *text, unsigned *out, struct error *err);

#endif
