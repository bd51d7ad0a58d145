/* http_head.h - parses the head of a request: request line and header fields.
 *
 * Stricter than RFC 9112 asks, so that no proxy in front can read the bytes in another way: lines
 * end with CR LF, no NUL or other control character, no obsolete line folding, no blank before a
 * colon, exactly one Host, at most one Content-Length which is decimal digits alone, and no
 * Transfer-Encoding (a chunked body is 411). A function of bytes: no socket, no clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_HEAD_H
#define TROUPE_RUNTIME_HTTP_HTTP_HEAD_H

#include "runtime/http/http.h"

/* Longer: 414 for the line, 431 for the fields. */
#define HTTP_LINE_MAX   8192  /* of the request line, without its CR LF */
#define HTTP_HEAD_MAX   16384 /* of all header lines, with theirs */
#define HTTP_FIELDS_MAX 64

struct http_request {
    enum http_method method;
    const char *method_name;
    const char *target; /* as sent: "/v1/models?x=1" */
    const char *path;   /* decoded, begins with "/"; a NUL or "/../" in it is 400 */
    const char *query;  /* after "?", as sent; "" if there is none */
    struct http_field fields[HTTP_FIELDS_MAX];
    int32_t n_fields;
    bool keep_alive;     /* HTTP/1.1 without "Connection: close" */
    bool expects_100;    /* "Expect: 100-continue" */
    int64_t body_bytes;  /* Content-Length; 0 without one */
    const char *body;    /* (body_bytes) NUL after it; set when the body is complete */
    const char *peer;    /* the address of the client, without port; set by the connection */
    const char *subject; /* the name of the token that was accepted; "" without one */
};

/* Reads a head at the start of `bytes`, which is changed (texts of *out point into it).
 * Returns the bytes of the head, 0 when it is not complete yet, or minus an HTTP status (400, 411,
 * 414, 431, 501, 505) with the reason in *why (a constant text). */
int64_t http_head_parse(char *bytes, size_t n, struct http_request *out, const char **why);

/* The value of a query parameter, decoded into `out` (cap bytes with the NUL); false if it is not
 * there or does not fit. */
bool http_query_value(const char *query, const char *name, char *out, size_t cap);

#endif
