/* uri_form.c - see uri_form.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/uri_form.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* The parts of a URI (RFC 3986, 3), as places in a text. */
struct parts {
    const char *scheme_end; /* behind the ":" */
    const char *host, *host_end;
    const char *path, *path_end; /* behind it: query and fragment */
};

static bool is_scheme(const char *text, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("+-.", text[i]))
            return false;
    }
    return n > 0 && isalpha((unsigned char)text[0]);
}

static bool split(const char *uri, bool is_pattern, struct parts *out)
{
    const char *colon = strchr(uri, ':');

    if (!colon || !is_scheme(uri, (size_t)(colon - uri)))
        return false;
    out->scheme_end = out->host = out->host_end = out->path = colon + 1;
    if (strncmp(out->path, "//", 2) == 0) {
        out->host = out->path + 2;
        out->host_end = out->path = out->host + strcspn(out->host, is_pattern ? "/#" : "/?#");
    }
    /* `?` of a pattern is any character, so no query begins there. */
    out->path_end = out->path + strcspn(out->path, is_pattern ? "#" : "?#");
    return true;
}

static int hex_of(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

static bool stays_escaped(enum uri_form form, int c)
{
    if (form == URI_PLAIN) /* what a pattern would take for its own, and what ends the text */
        return c == '*' || c == '?' || c == '#' || c == 0;
    return !isalnum(c) && !(c && strchr("-._~", c));
}

/* Escapes as the form has them. */
static void put_unescaped(enum uri_form form, const char *at, const char *end, bool is_pattern,
                          struct str *out)
{
    for (; at < end; at++) {
        bool is_escape = *at == '%' && end - at > 2 && hex_of(at[1]) >= 0 && hex_of(at[2]) >= 0;
        int c = is_escape ? 16 * hex_of(at[1]) + hex_of(at[2]) : (unsigned char)*at;

        if (is_escape ? stays_escaped(form, c) : form == URI_PLAIN && !is_pattern && c == '*')
            str_printf(out, "%%%02X", (unsigned)c);
        else
            str_putc(out, (char)c);
        at += is_escape ? 2 : 0;
    }
}

/* The last segment before the end goes; not the slash at `root`. */
static void pop_segment(struct str *out, size_t root)
{
    if (out->len > root)
        out->len--;
    while (out->len > root && out->data[out->len - 1] != '/')
        out->len--;
    out->data[out->len] = '\0';
}

/* RFC 3986, 5.2.4. */
static void put_path(const char *path, size_t n, bool no_empty, struct str *out)
{
    size_t root = out->len + (n > 0 && path[0] == '/' ? 1 : 0);

    for (size_t at = 0, end; at < n; at = end + 1) {
        const char *slash = memchr(path + at, '/', n - at);
        size_t size;

        end = slash ? (size_t)(slash - path) : n;
        size = end - at;
        if (size == 1 && path[at] == '.')
            continue;
        if (size == 2 && memcmp(path + at, "..", 2) == 0) {
            if (out->len >= root && out->data)
                pop_segment(out, root);
            continue;
        }
        if (no_empty && size == 0 && at > 0)
            continue;
        str_append(out, path + at, size);
        if (slash)
            str_putc(out, '/');
    }
}

static bool is_web(const char *uri)
{
    return strncasecmp(uri, "http:", 5) == 0 || strncasecmp(uri, "https:", 6) == 0;
}

/* In lower case, without the port that is the scheme's own. */
static void put_host(const char *uri, const struct parts *p, bool is_pattern, struct str *out)
{
    struct str host = STR_INIT;
    const char *port = strncasecmp(uri, "https:", 6) == 0 ? ":443" : ":80";
    size_t n_port = strlen(port);

    put_unescaped(URI_NORMAL, p->host, p->host_end, is_pattern, &host);
    if (is_web(uri) && host.len > n_port && strcmp(str_cstr(&host) + host.len - n_port, port) == 0)
        host.len -= n_port;
    if (strncasecmp(uri, "file:", 5) == 0 && strncasecmp(str_cstr(&host), "localhost", 10) == 0)
        host.len = 0; /* RFC 8089 */
    for (size_t i = 0; i < host.len; i++)
        str_putc(out, (char)tolower((unsigned char)host.data[i]));
    str_deinit(&host);
}

void uri_put_form(enum uri_form form, const char *uri, bool is_pattern, struct str *out)
{
    struct str text = STR_INIT;
    struct parts p;
    bool has_host, is_path; /* is_path: the host is a part of the path */

    if (!split(uri, is_pattern, &p)) {
        str_puts(out, uri);
        return;
    }
    has_host = p.host > p.scheme_end;
    is_path = form == URI_PLAIN && has_host && !is_web(uri);
    for (const char *at = uri; at < p.scheme_end; at++)
        str_putc(out, (char)tolower((unsigned char)*at));
    str_puts(out, has_host ? "//" : "");
    if (has_host && !is_path)
        put_host(uri, &p, is_pattern, out);
    put_unescaped(form, is_path ? p.host : p.path, p.path_end, is_pattern, &text);
    if (has_host && !is_path && text.len == 0 && is_web(uri))
        str_putc(&text, '/');
    put_path(str_cstr(&text), text.len, form == URI_PLAIN, out);
    str_clear(&text);
    put_unescaped(
        form, p.path_end,
        form == URI_PLAIN ? p.path_end + strcspn(p.path_end, "#") : p.path_end + strlen(p.path_end),
        is_pattern, &text);
    str_append(out, str_cstr(&text), text.len);
    str_deinit(&text);
}
