/* http_fields.h - header fields copied into one growing text, with limits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_FIELDS_H
#define TROUPE_RUNTIME_HTTP_HTTP_FIELDS_H

#include "runtime/base/str.h"
#include "runtime/http/http.h"

#define HTTP_FIELDS_N_MAX     256
#define HTTP_FIELDS_BYTES_MAX ((size_t)256 << 10) /* names and values, with a NUL each */

struct http_fields {
    struct str text; /* name NUL value NUL ... */
    struct http_field *list;
    int32_t n;
};
void http_fields_init(struct http_fields *f);
void http_fields_deinit(struct http_fields *f);
void http_fields_clear(struct http_fields *f);

/* Copies a field: the name in lower case, the value without blanks at its ends. STATUS_INVALID: not
 * a name, or a control character in the value; STATUS_LIMIT: too many. */
MUST_CHECK enum status http_fields_add(struct http_fields *f, const char *name, size_t name_bytes,
                                       const char *value, size_t value_bytes, struct error *err);
/* Adds to the value of the last field (obsolete line folding). */
MUST_CHECK enum status http_fields_continue(struct http_fields *f, const char *value, size_t n,
                                            struct error *err);
/* Removes those that describe a body: Content-Type and others. */
void http_fields_drop_content(struct http_fields *f);
/* All of them (n), lent until the next change. NULL: no memory. */
const struct http_field *http_fields_list(struct http_fields *f);

#endif
