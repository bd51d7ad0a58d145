/* http_redirect.h - what the next request of a redirect is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_REDIRECT_H
#define TROUPE_RUNTIME_HTTP_HTTP_REDIRECT_H

#include "runtime/http/http.h"
#include "runtime/http/http_url.h"

bool http_is_redirect(int code); /* 301, 302, 303, 307, 308 */

struct http_redirect {
    struct http_url url; /* the caller frees it */
    enum http_method method;
    bool same_origin; /* false: no field of the caller goes there */
    bool keep_body;
};
/* RFC 9110, 15.4; after 301 and 302 a POST becomes a GET, as in browsers. STATUS_INVALID:
 * `location` is not a valid http or https URL; STATUS_REJECTED: the request would have to be
 * repeated as it is (307, 308), but in another origin. */
MUST_CHECK enum status http_redirect_follow(const struct http_url *from, int code,
                                            enum http_method method, const char *location,
                                            struct http_redirect *out, struct error *err);

#endif
