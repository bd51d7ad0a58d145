/* http_fetch_check.c - what may be requested.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_fetch_check.h"

#include <string.h>

#include "runtime/base/memory.h"

enum status http_check_url(const struct address_policy *p, const struct http_url *u,
                           struct error *err)
{
    enum status st;

    if (!u->is_https && (!p || !p->allow_http))
        return error_set(err, STATUS_REJECTED, "%s is not allowed: only https", u->origin);
    if (!u->host_is_address)
        return STATUS_OK;
    st = address_check(p, u->host, err);
    if (st)
        error_note(err, "%s", u->origin);
    return st;
}

/* They frame the message or belong to one connection: the client sets them. */
static bool is_framing(const char *name)
{
    static const char *const framing[] = {
        "connection", "content-length",      "expect",           "host",
        "keep-alive", "proxy-authorization", "proxy-connection", "te",
        "trailer",    "transfer-encoding",   "upgrade"};

    for (size_t i = 0; i < ARRAY_LEN(framing); i++)
        if (strcmp(name, framing[i]) == 0)
            return true;
    return false;
}

static enum status check_fields(const struct http_fetch_spec *spec, struct http_fields *fields,
                                struct error *err)
{
    const struct http_field *list;
    enum status st = STATUS_OK;

    for (int32_t i = 0; i < spec->n_fields && st == STATUS_OK; i++) {
        const struct http_field *f = &spec->fields[i];

        st = http_fields_add(fields, f->name, strlen(f->name), f->value, strlen(f->value), err);
    }
    list = st == STATUS_OK ? http_fields_list(fields) : NULL;
    if (st == STATUS_OK && !list)
        return error_set(err, STATUS_NO_MEMORY, "no memory for header fields");
    for (int32_t i = 0; i < spec->n_fields && st == STATUS_OK; i++)
        if (is_framing(list[i].name))
            st = error_set(err, STATUS_USAGE, "the header field %s is set by the client itself",
                           list[i].name);
    if (st == STATUS_INVALID && err)
        err->status = STATUS_USAGE;
    return st == STATUS_INVALID ? STATUS_USAGE : st;
}

enum status http_check_spec(const struct http_fetch_spec *spec, struct http_url *url,
                            struct http_fields *fields, struct error *err)
{
    enum status st;

    if (spec->method >= HTTP_OTHER)
        return error_set(err, STATUS_USAGE, "this method cannot be requested");
    if ((spec->method == HTTP_HEAD || spec->method == HTTP_GET) && spec->body_bytes > 0)
        return error_set(err, STATUS_USAGE, "a %s request has no body",
                         http_method_name(spec->method));
    st = check_fields(spec, fields, err);
    if (st == STATUS_OK)
        st = http_url_parse(spec->url, url, err);
    if (st)
        return st;
    st = http_check_url(spec->policy, url, err);
    if (st)
        http_url_deinit(url);
    return st;
}
