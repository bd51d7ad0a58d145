/* http.h - what the HTTP server and the HTTP client share: methods, header fields, status codes.
 *
 * HTTP/1.1 alone (RFC 9110, RFC 9112). Field names are compared without regard to case; those of a
 * received message are in lower case.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_H
#define TROUPE_RUNTIME_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_OTHER, /* any other token, as in "PURGE" */
};
const char *http_method_name(enum http_method m); /* "GET"; "" for HTTP_OTHER */

/* One header field. Texts are lent; a value has no blanks at its ends. */
struct http_field {
    const char *name, *value;
};
/* The value of the first field with this name (lower case), or NULL. */
const char *http_field_value(const struct http_field *fields, int32_t n, const char *name);

const char *http_status_text(int code); /* "Not Found"; "" for an unknown code */

#endif
