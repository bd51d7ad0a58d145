/* http_url.c - takes a URL apart, and resolves a relative one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/memory.h"

#define HOST_MAX  253 /* of a name in DNS, without a dot at its end */
#define LABEL_MAX 63

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* ---- host */

/* A name whose last label is a number is an address to inet_aton and to browsers: "127.1",
 * "0x7f.1", "2130706433". */
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *last = dot ? dot + 1 : host;

    if (last[0] == '0' && (last[1] | 0x20) == 'x')
        return last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
    return *last && last[strspn(last, "0123456789")] == '\0';
}

static enum status check_name(const char *host, struct error *err)
{
    size_t label = 0;

    if (strlen(host) > HOST_MAX)
        return error_set(err, STATUS_USAGE, "the host of the URL has more than %d bytes", HOST_MAX);
    for (const char *c = host;; c++) {
        if (*c == '.' || *c == '\0') {
            if (label == 0 || label > LABEL_MAX || c[-1] == '-')
                return error_set(err, STATUS_USAGE, "the host of the URL is not a valid name");
            if (*c == '\0')
                return STATUS_OK;
            label = 0;
            continue;
        }
        if (!is_letter(*c) && !is_digit(*c) && *c != '_' && (*c != '-' || label == 0)) {
            (void)error_set(err, STATUS_USAGE, "the host of the URL is not a valid name");
            error_hint(err, "a name with other letters is written in its xn-- form");
            return STATUS_USAGE;
        }
        label++;
    }
}

static enum status take_ipv6(struct http_url *u, struct error *err)
{
    struct in6_addr a;

    if (inet_pton(AF_INET6, u->host, &a) != 1)
        return error_set(err, STATUS_USAGE, "the host of the URL is not a valid IPv6 address");
    (void)inet_ntop(AF_INET6, &a, u->host, sizeof(u->host));
    u->host_is_address = true;
    return STATUS_OK;
}

static enum status take_name(struct http_url *u, struct error *err)
{
    struct in_addr a;

    if (!ends_in_number(u->host))
        return check_name(u->host, err);
    if (inet_pton(AF_INET, u->host, &a) != 1)
        return error_set(err, STATUS_USAGE,
                         "the host of the URL is a number in a form that has more than one "
                         "reading: write an IPv4 address as four decimal numbers");
    u->host_is_address = true;
    return STATUS_OK;
}

static enum status take_port(struct http_url *u, const char *text, size_t n, struct error *err)
{
    int32_t port = 0;

    for (size_t i = 0; i < n; i++) {
        port = is_digit(text[i]) ? port * 10 + (text[i] - '0') : -1;
        if (port < 0 || port > 65535)
            port = -1;
        if (port < 0)
            break;
    }
    if (n > 0 && port <= 0)
        return error_set(err, STATUS_USAGE, "the port of the URL is not a number from 1 to 65535");
    u->port = n > 0 ? port : u->is_https ? 443 : 80;
    return STATUS_OK;
}

static void put_origin(struct http_url *u)
{
    bool v6 = strchr(u->host, ':') != NULL;
    char port[16] = "";

    if (u->port != (u->is_https ? 443 : 80))
        (void)snprintf(port, sizeof(port), ":%d", (int)u->port);
    (void)snprintf(u->origin, sizeof(u->origin), "%s://%s%.255s%s%s",
                   u->is_https ? "https" : "http", v6 ? "[" : "", u->host, v6 ? "]" : "", port);
}

/* "host", "host:port", "[v6]:port" */
static enum status take_authority(struct http_url *u, const char *text, size_t n, struct error *err)
{
    const char *host = text, *colon = memchr(text, ':', n);
    size_t host_bytes = colon ? (size_t)(colon - text) : n, used = host_bytes;
    bool v6 = n > 0 && text[0] == '[';
    enum status st;

    if (memchr(text, '@', n))
        return error_set(err, STATUS_USAGE, "a URL with a user or a password is not allowed");
    if (v6) {
        const char *end = memchr(text, ']', n);

        if (!end)
            return error_set(err, STATUS_USAGE, "the host of the URL has no closing \"]\"");
        host++;
        host_bytes = (size_t)(end - host);
        used = host_bytes + 2;
    }
    if (host_bytes == 0 || host_bytes >= sizeof(u->host))
        return error_set(err, STATUS_USAGE, "the host of the URL is %s",
                         host_bytes ? "too long" : "missing");
    for (size_t i = 0; i < host_bytes; i++)
        u->host[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] | 0x20) : host[i];
    u->host[host_bytes] = '\0';
    if (used < n && text[used] != ':')
        return error_set(err, STATUS_USAGE, "the host of the URL is followed by \"%c\"",
                         text[used]);
    used += used < n;
    st = v6 ? take_ipv6(u, err) : take_name(u, err);
    if (st == STATUS_OK)
        st = take_port(u, text + used, n - used, err);
    if (st == STATUS_OK)
        put_origin(u);
    return st;
}

/* ---- the whole */

/* The characters of RFC 3986; "%" begins two hexadecimal digits. */
static enum status check_characters(const char *text, struct error *err)
{
    size_t n = strlen(text);

    if (n > HTTP_URL_MAX)
        return error_set(err, STATUS_USAGE, "the URL has more than %d bytes", HTTP_URL_MAX);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '%' && (!is_hex(text[i + 1]) || !is_hex(text[i + 2])))
            return error_set(err, STATUS_USAGE,
                             "byte %zu of the URL is a \"%%\" without two hexadecimal digits", i);
        if (!is_letter(text[i]) && !is_digit(text[i]) &&
            !strchr("-._~:/?#[]@!$&'()*+,;=%", text[i]))
            return error_set(err, STATUS_USAGE,
                             "byte %zu of the URL (0x%02x) must be written as %%%02X", i,
                             (unsigned char)text[i], (unsigned char)text[i]);
    }
    return STATUS_OK;
}

enum status http_url_parse(const char *text, struct http_url *out, struct error *err)
{
    struct http_url u = {0};
    enum status st = check_characters(text, err);
    const char *rest;
    size_t n;

    if (st)
        return st;
    u.is_https = strncasecmp(text, "https://", 8) == 0;
    if (!u.is_https && strncasecmp(text, "http://", 7) != 0)
        return error_set(err, STATUS_USAGE, "the URL begins with neither https:// nor http://");
    text += u.is_https ? 8 : 7;
    n = strcspn(text, "/?#");
    st = take_authority(&u, text, n, err);
    if (st)
        return st;
    rest = text + n;
    n = strcspn(rest, "#");
    if (memchr(rest, '[', n) || memchr(rest, ']', n))
        return error_set(
            err, STATUS_USAGE,
            "\"[\" and \"]\" in the path and the query of a URL are written as %%5B and "
            "%%5D");
    u.target = mem_alloc(n + 2, 1);
    if (!u.target)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a URL");
    u.target[0] = '/';
    memcpy(u.target + (*rest != '/'), rest, n);
    *out = u;
    return STATUS_OK;
}

void http_url_deinit(struct http_url *u)
{
    free(u->target);
    u->target = NULL;
}

/* ---- relative */

static bool has_scheme(const char *s)
{
    size_t n = 0;

    if (!is_letter(s[0]))
        return false;
    while (is_letter(s[n]) || is_digit(s[n]) || (s[n] && strchr("+-.", s[n])))
        n++;
    return s[n] == ':';
}

/* RFC 3986, 5.2.4, for a path that begins with "/": appends it to `out` without "." and "..". */
static void put_path(struct str *out, const char *path, size_t n)
{
    size_t base = out->len;

    while (n > 0 && str_ok(out)) {
        size_t seg = 1;

        while (seg < n && path[seg] != '/')
            seg++;
        if (seg == 2 && path[1] == '.') {
            if (seg == n)
                str_putc(out, '/');
        } else if (seg == 3 && path[1] == '.' && path[2] == '.') {
            while (out->len > base && out->data[--out->len] != '/')
                ;
            if (out->data)
                out->data[out->len] = '\0';
            if (seg == n)
                str_putc(out, '/');
        } else {
            str_append(out, path, seg);
        }
        path += seg;
        n -= seg;
    }
}

enum status http_url_resolve(const struct http_url *base, const char *location, struct str *out,
                             struct error *err)
{
    size_t path = strcspn(location, "?#"), base_path = strcspn(base->target, "?");
    struct str merged;
    bool is_whole;

    if (strlen(location) > HTTP_URL_MAX)
        return error_set(err, STATUS_USAGE, "the URL has more than %d bytes", HTTP_URL_MAX);
    str_init(&merged, (size_t)4 * HTTP_URL_MAX);
    if (has_scheme(location)) {
        str_puts(out, location);
    } else if (strncmp(location, "//", 2) == 0) {
        str_printf(out, "%s:%s", base->is_https ? "https" : "http", location);
    } else {
        str_puts(out, base->origin);
        if (path == 0)
            str_append(&merged, base->target, base_path);
        else if (location[0] != '/') /* beside the last segment of the base */
            while (base_path > 0 && base->target[base_path - 1] != '/')
                base_path--;
        if (path > 0 && location[0] != '/')
            str_append(&merged, base->target, base_path);
        str_append(&merged, location, path);
        put_path(out, str_cstr(&merged), merged.len);
        if (path == 0 && location[0] != '?') /* without a path of its own: the query of the base */
            str_puts(out, base->target + base_path);
        str_puts(out, location + path);
    }
    is_whole = str_ok(out) && str_ok(&merged);
    str_deinit(&merged);
    return is_whole ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for a URL");
}
