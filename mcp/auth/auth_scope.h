/* auth_scope.h - sets of scopes: words with one blank between, each once, in the order of arrival.
 *
 * RFC 6749, 3.3: a word has visible ASCII characters but '"' and '\'. "" is the empty set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_AUTH_AUTH_SCOPE_H
#define TROUPE_MCP_AUTH_AUTH_SCOPE_H

#include <stdbool.h>

#include "runtime/base/str.h"

#define SCOPE_WORDS_MAX 200
#define SCOPE_BYTES_MAX 4096

/* Adds the words that are not there. STATUS_INVALID: a word has another character; STATUS_LIMIT:
 * too many. `set` is then undefined, but can be freed. */
MUST_CHECK enum status scope_add(struct str *set, const char *words, struct error *err);
void scope_remove(struct str *set, const char *word);
bool scope_has(const char *set, const char *word);
bool scope_covers(const char *set, const char *words); /* has it all of them? */

#endif
