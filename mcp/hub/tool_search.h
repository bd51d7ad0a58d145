/* tool_search.h - finds tools by words, for `search_tools`, and says how large a list of them is.
 *
 * BM25 (Robertson and Zaragoza 2009, with k1 = 1.2 and b = 0.75) over name, title, description and
 * the names of parameters. A word of a name counts three times, of a title twice. Words are runs of
 * letters and digits, split at changes from lower to upper case, in lower case (ASCII), without an
 * English plural `s`. A query that is a tool's name finds that tool first.
 *
 * An index is read-only: it is made again when the list changes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_TOOL_SEARCH_H
#define TROUPE_MCP_HUB_TOOL_SEARCH_H

#include <stddef.h>

#include "runtime/base/json.h"

/* A tool to be found; lent during tool_search_new. */
struct tool_search_doc {
    const char *name;
    const char *title, *description; /* may be NULL */
    const struct json *input_schema; /* may be NULL */
};
struct tool_search;
/* The i-th document is i in the answers. STATUS_NO_MEMORY. */
MUST_CHECK enum status tool_search_new(const struct tool_search_doc *docs, size_t n,
                                       struct tool_search **out, struct error *err);
void tool_search_free(struct tool_search *s);

struct tool_search_hit {
    size_t doc;
    double score; /* above 0 */
};
/* The best `limit` documents that have a word of the query, best first, equal ones by name. Returns
 * their number; `out` has room for `limit`. STATUS_NO_MEMORY. */
MUST_CHECK enum status tool_search_query(const struct tool_search *s, const char *query,
                                         size_t limit, struct tool_search_hit *out, size_t *n,
                                         struct error *err);

/* Tokens that a tool takes in a model's prompt, estimated as a quarter of the bytes of its JSON:
 * good enough to compare with a budget, whatever the model's tokenizer. */
int64_t tool_search_tokens(const struct tool_search_doc *doc);

#endif
