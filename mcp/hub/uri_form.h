/* uri_form.h - spellings of a URI that may mean the same resource, for rules that compare texts.
 *
 * Two forms, since nobody knows how a server reads its URIs:
 *   - the normal form of RFC 3986, 6.2.2 and 6.2.3: scheme and host in lower case, dot segments
 *     removed, unreserved characters not escaped, default ports of http left out;
 *   - the plain form, as a program may read it that takes all behind "scheme://" for a path: also
 *     the other escapes are decoded, empty segments and a fragment are gone, and dot segments reach
 *     the host. A URI of http keeps its host.
 * A text without a scheme stays as it is. `*` of a pattern stays one; in a URI it is escaped in the
 * plain form, so that a pattern with an escaped one matches it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_URI_FORM_H
#define TROUPE_MCP_HUB_URI_FORM_H

#include "runtime/base/str.h"

enum uri_form { URI_NORMAL, URI_PLAIN, URI_FORMS };

/* Appends. is_pattern: `*` and `?` are those of glob.h. */
void uri_put_form(enum uri_form form, const char *uri, bool is_pattern, struct str *out);

#endif
