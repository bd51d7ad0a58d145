/* http_url.h - takes a URL apart, strictly.
 *
 * RFC 3986, http and https alone. A user or password, a character that a URL may not contain (also
 * a backslash), and a host that could be read as another address ("0x7f.1", "2130706433", "127.1",
 * "[::ffff:127.0.0.1%25x]") are refused. A fragment is left out. Messages never contain the URL:
 * its query may be a secret.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_URL_H
#define TROUPE_RUNTIME_HTTP_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define HTTP_URL_MAX 8192 /* bytes */

struct http_url {
    bool is_https;
    bool host_is_address; /* an IPv4 or IPv6 address; host has no brackets */
    char host[256];       /* in lower case; an IPv6 address in the form of RFC 5952 */
    int32_t port;         /* 443 or 80 without one */
    char *target;         /* path and query, begins with "/"; malloc'd */
    char origin[288];     /* "https://host:port"; the port is left out if it is the scheme's */
};
/* STATUS_USAGE says what is wrong with it. */
MUST_CHECK enum status http_url_parse(const char *text, struct http_url *out, struct error *err);
void http_url_deinit(struct http_url *u); /* a zeroed one is fine */
/* Appends the URL of a Location field, seen from `base`: absolute, or relative (RFC 3986, 5.2). It
 * is not checked: http_url_parse does that. */
MUST_CHECK enum status http_url_resolve(const struct http_url *base, const char *location,
                                        struct str *out, struct error *err);

#endif
