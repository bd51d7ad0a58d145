/* hub_names.h - the one namespace: names of upstream tools and prompts as clients see them.
 *
 * A name is SERVER__TOOL and fits ^[a-zA-Z0-9_-]{1,64}$, which all clients and model APIs take. It
 * depends on the server's name and its list of names, never on other servers or on order, so that
 * it is the same after a restart:
 *   - a name that fits stays as it is;
 *   - one with other characters gets `_` for each, if that makes it equal to no other of its
 * server;
 *   - else, and over 64 characters, it gets an alias: its beginning, `_` and 8 or more hexadecimal
 *     digits of the SHA-256 of the full name.
 * Prefixes are such that the first `__` ends the prefix: two servers never share a name.
 * Owner: the thread of the hub.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_NAMES_H
#define TROUPE_MCP_HUB_HUB_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

#define HUB_NAME_MAX   64
#define HUB_PREFIX_MAX 32 /* of a server's prefix, without `__` */

enum hub_kind { HUB_TOOL, HUB_PROMPT, HUB_KINDS };

struct hub_names;
struct hub_names *hub_names_new(void);
void hub_names_free(struct hub_names *n);

/* A function of the server's name alone: the name itself if it fits, has no `__` and no `_` at its
 * end, else an alias. */
void hub_names_prefix(const char *server, char out[HUB_PREFIX_MAX + 1]);
/* Does a name fit as it is? */
bool hub_names_fits(const char *name);
/* A tool of the hub itself: search_tools, call_tool. No upstream tool gets such a name. */
bool hub_names_is_reserved(const char *name);

/* The complete list of a server, replacing its former one. A name that comes twice counts once. */
void hub_names_set(struct hub_names *n, enum hub_kind kind, const char *server,
                   const char *const *names, size_t n_names);
void hub_names_remove(struct hub_names *n, const char *server);

/* NULL: the server's list has no such name. Lent until its list changes. */
const char *hub_names_of(const struct hub_names *n, enum hub_kind kind, const char *server,
                         const char *upstream);
/* Whose it is: both lent in the same way. false: no such name. */
bool hub_names_find(const struct hub_names *n, enum hub_kind kind, const char *name,
                    const char **server, const char **upstream);

/* The same without the prefix, for a view of one upstream. */
const char *hub_names_bare(const struct hub_names *n, enum hub_kind kind, const char *server,
                           const char *upstream);
const char *hub_names_find_bare(const struct hub_names *n, enum hub_kind kind, const char *server,
                                const char *bare);

/* ---- URIs of resources, and their templates (RFC 6570)
 *
 * troupe://PREFIX/URI, with the URI or template unchanged: a variable of a template stays where it
 * is, and what a client makes of it is troupe://PREFIX/ and what it would have made upstream. */
void hub_uri_put(const char *server, const char *uri, struct str *out);
/* The part behind troupe://PREFIX/, whatever the prefix is; NULL: not of this form. */
const char *hub_uri_inner(const char *uri);
/* The upstream's URI (a part of `uri`), and its server, which is one of the names given (lent).
 * false: the URI is not of this form, or of none of the servers. Some clients write the host of a
 * URL in lower case: a prefix that differs only by that is found if it is the only one. */
bool hub_uri_split(const char *uri, const char *const *servers, size_t n_servers,
                   const char **server, const char **upstream);

#endif
