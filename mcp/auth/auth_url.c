/* auth_url.c - see auth_url.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/auth/auth_url.h"

#include <string.h>

#include "runtime/http/http_fetch_check.h"
#include "runtime/http/http_head.h"

#define VALUE_BYTES_MAX 4096 /* of a parameter in a redirect */

enum status auth_url_check(const char *url, const struct address_policy *policy, const char *what,
                           struct error *err)
{
    struct http_url parts = {.target = NULL};
    enum status st = http_url_parse(url, &parts, err);

    if (!st)
        st = http_check_url(policy, &parts, err);
    else
        st = error_set(err, STATUS_INVALID, "it is not a valid http or https URL");
    if (!st && strchr(url, '#'))
        st = error_set(err, STATUS_INVALID, "it has a fragment");
    if (st)
        error_note(err, "%s", what);
    http_url_deinit(&parts);
    return st;
}

enum status auth_issuer_check(const char *issuer, const struct address_policy *policy,
                              struct error *err)
{
    enum status st = auth_url_check(issuer, policy, "the issuer", err);

    if (!st && strchr(issuer, '?'))
        st = error_set(err, STATUS_INVALID, "the issuer: it has a query");
    return st;
}

/* "https://host" of a valid URL and, without its last "/", the path. */
static size_t split(const char *url, const char **path, size_t *path_bytes)
{
    size_t origin = (size_t)(strstr(url, "://") - url) + 3;

    origin += strcspn(url + origin, "/?#");
    *path = url + origin;
    *path_bytes = strcspn(*path, "?#");
    while (*path_bytes > 0 && (*path)[*path_bytes - 1] == '/')
        (*path_bytes)--;
    return origin;
}

static void put_place(struct str *out, const char *url, size_t origin, const char *before,
                      size_t before_bytes, const char *name, const char *after, size_t after_bytes)
{
    str_append(out, url, origin);
    str_append(out, before, before_bytes);
    str_printf(out, "/.well-known/%s", name);
    str_append(out, after, after_bytes);
}

bool auth_url_resource_metadata(const char *url, int n, struct str *out)
{
    const char *path;
    size_t path_bytes, origin = split(url, &path, &path_bytes);

    if (n > 1 || (n == 1 && path_bytes == 0))
        return false;
    put_place(out, url, origin, "", 0, "oauth-protected-resource", path, n == 0 ? path_bytes : 0);
    return true;
}

bool auth_url_server_metadata(const char *issuer, int n, struct str *out)
{
    const char *path;
    size_t path_bytes, origin = split(issuer, &path, &path_bytes);

    if (n == 0)
        put_place(out, issuer, origin, "", 0, "oauth-authorization-server", path, path_bytes);
    else if (n == 1)
        put_place(out, issuer, origin, "", 0, "openid-configuration", path, path_bytes);
    else if (n == 2 && path_bytes > 0)
        put_place(out, issuer, origin, path, path_bytes, "openid-configuration", "", 0);
    else
        return false;
    return true;
}

bool auth_resource_is_of(const char *resource, const char *url)
{
    struct http_url r = {.target = NULL}, u = {.target = NULL};
    bool is_of = false;

    if (!strchr(resource, '#') && http_url_parse(resource, &r, NULL) == STATUS_OK &&
        http_url_parse(url, &u, NULL) == STATUS_OK && strcmp(r.origin, u.origin) == 0) {
        size_t n = strlen(r.target);

        is_of = strcmp(r.target, u.target) == 0;
        if (!is_of && !strchr(r.target, '?')) {
            n -= r.target[n - 1] == '/';
            is_of = strncmp(r.target, u.target, n) == 0 &&
                    (u.target[n] == '/' || u.target[n] == '?' || u.target[n] == '\0');
        }
    }
    http_url_deinit(&r);
    http_url_deinit(&u);
    return is_of;
}

void auth_form_escape(struct str *out, const char *value)
{
    static const char digit[] = "0123456789ABCDEF";

    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;

        if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
            strchr("-._~", c)) {
            str_putc(out, (char)c);
        } else {
            str_putc(out, '%');
            str_putc(out, digit[c >> 4]);
            str_putc(out, digit[c & 15]);
        }
    }
}

void auth_form_put(struct str *out, const char *name, const char *value)
{
    if (out->len > 0 && out->data[out->len - 1] != '?' && out->data[out->len - 1] != '&')
        str_putc(out, '&');
    auth_form_escape(out, name);
    str_putc(out, '=');
    auth_form_escape(out, value);
}

/* How often is the parameter there? Also when its name is escaped. */
static int occurrences(const char *query, const char *name)
{
    int n = 0;

    for (; *query; query += strcspn(query, "&"), query += *query == '&') {
        char found[32] = "", *end;
        size_t bytes = strcspn(query, "&=");
        struct str one = STR_INIT;

        str_puts(&one, "n=");
        str_append(&one, query, bytes);
        end = http_query_value(str_cstr(&one), "n", found, sizeof(found)) ? found : NULL;
        n += end && strcmp(found, name) == 0;
        str_deinit(&one);
    }
    return n;
}

enum status auth_query_value(const char *query, const char *name, struct str *out,
                             struct error *err)
{
    char value[VALUE_BYTES_MAX];
    int n = occurrences(query, name);

    str_clear(out);
    if (n == 0)
        return error_set(err, STATUS_NOT_FOUND, "there is no parameter %s", name);
    if (n > 1)
        return error_set(err, STATUS_INVALID, "the parameter %s is there twice", name);
    if (!http_query_value(query, name, value, sizeof(value)))
        return error_set(err, STATUS_INVALID, "the parameter %s is not a valid text", name);
    str_puts(out, value);
    return STATUS_OK;
}
