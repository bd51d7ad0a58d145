/* http_redirect.c - what the next request of a redirect is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_redirect.h"

#include <string.h>

bool http_is_redirect(int code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

static enum http_method next_method(int code, enum http_method method)
{
    bool becomes_get = code == 303 ? method != HTTP_HEAD : code < 303 && method == HTTP_POST;

    return becomes_get ? HTTP_GET : method;
}

enum status http_redirect_follow(const struct http_url *from, int code, enum http_method method,
                                 const char *location, struct http_redirect *out, struct error *err)
{
    struct http_redirect r = {.method = next_method(code, method)};
    struct str text;
    enum status st;

    str_init(&text, (size_t)8 * HTTP_URL_MAX);
    st = http_url_resolve(from, location, &text, err);
    if (st == STATUS_OK)
        st = http_url_parse(str_cstr(&text), &r.url, err);
    str_deinit(&text);
    if (st) {
        st = st == STATUS_USAGE ? STATUS_INVALID : st;
        if (err)
            err->status = st;
        error_note(err, "%s redirects (%d) to a place that is not valid", from->origin, code);
        return st;
    }
    r.same_origin = strcmp(r.url.origin, from->origin) == 0;
    r.keep_body = r.method == method;
    if (!r.same_origin && r.method != HTTP_GET && r.method != HTTP_HEAD) {
        st = error_set(err, STATUS_REJECTED,
                       "%s redirects (%d) a %s to %s: a request with a body does not go to another "
                       "origin",
                       from->origin, code, http_method_name(method), r.url.origin);
        http_url_deinit(&r.url);
        return st;
    }
    r.keep_body = r.keep_body && r.same_origin;
    *out = r;
    return STATUS_OK;
}
