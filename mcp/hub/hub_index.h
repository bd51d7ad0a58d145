/* hub_index.h - indexes of lists of tools, for search_tools, kept while the lists stay the same.
 *
 * Making an index reads every declaration; a search reads the words of its query. A list is the
 * same if it has the same entries under the same names: an index keeps references to the servers'
 * lists, so that no other entry can be where one of them was. Of HUB_INDEXES_MAX lists (views, and
 * clients with servers of their own) the one unused longest makes room.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_INDEX_H
#define TROUPE_MCP_HUB_HUB_INDEX_H

#include "mcp/hub/hub_peer.h"
#include "mcp/hub/tool_search.h"

#define HUB_INDEXES_MAX 8

/* One entry as a client sees it. */
struct hub_row {
    char *shown;
    const char *description; /* of the view; NULL: its own */
    bool always;
    const struct hub_entry *entry;
};

/* What a client sees, and the lists that the entries are in. */
struct hub_listed {
    const struct hub_row *row; /* (n) */
    size_t n;
    struct hub_list *const *list; /* (n_lists) */
    size_t n_lists;
};

struct hub_indexes;
struct hub_indexes *hub_indexes_new(void);
void hub_indexes_free(struct hub_indexes *x); /* NULL is fine */
/* Descriptions of the views are not the same any more. */
void hub_indexes_clear(struct hub_indexes *x);
/* The index of these tools; lent until the next call. STATUS_NO_MEMORY. */
MUST_CHECK enum status hub_index_of(struct hub_indexes *x, const struct hub_listed *tools,
                                    const struct tool_search **out, struct error *err);
int64_t hub_indexes_made(const struct hub_indexes *x); /* since the beginning */

#endif
