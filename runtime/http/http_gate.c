/* http_gate.c - Host, Origin and the bearer token.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/http_gate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/text.h"

#define HOST_MAX 260 /* a name (RFC 1035) with a port */

bool http_gate_is_host(const char *text)
{
    const char *bracket = strchr(text, ']'), *colon = strchr(bracket ? bracket : text, ':');
    size_t n = strlen(text);
    int64_t port;

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-._:[]", text[i]))
            return false;
    if (colon && (!text_to_i64(colon + 1, &port) || port < 1 || port > 65535))
        return false;
    return n > 0 && n <= HOST_MAX && colon != text;
}

bool http_gate_is_origin(const char *text)
{
    const char *end = strstr(text, "://");

    for (const char *at = text; end && at < end; at++)
        if (!isalnum((unsigned char)*at) && !strchr("+-.", *at))
            return false;
    return end && end > text && http_gate_is_host(end + 3);
}

void http_gate_init(struct http_gate *g, const struct http_server_options *o, int32_t port)
{
    g->access = o->access;
    g->address = o->address ? o->address : "127.0.0.1";
    g->port = port;
    g->is_tls = o->tls_cert != NULL;
    g->is_any = strcmp(g->address, "0.0.0.0") == 0 || strcmp(g->address, "::") == 0;
    g->is_loopback = strncmp(g->address, "127.", 4) == 0 || strcmp(g->address, "::1") == 0;
}

/* Is host[0..n) an IPv4 address, or an IPv6 address in brackets? */
static bool is_address(const char *host, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr to;
    bool six = n > 2 && host[0] == '[' && host[n - 1] == ']';

    if (six) {
        host++;
        n -= 2;
    }
    if (n >= sizeof(text))
        return false;
    memcpy(text, host, n);
    text[n] = '\0';
    return inet_pton(six ? AF_INET6 : AF_INET, text, &to) == 1;
}

/* The length of the name in "name:port"; 0 if the port is not that of the server. Without a port:
 * the scheme's. */
static size_t name_length(const struct http_gate *g, const char *host)
{
    const char *bracket = strchr(host, ']');
    const char *colon = strchr(bracket ? bracket : host, ':');
    char port[16];

    if (!colon)
        return g->port == (g->is_tls ? 443 : 80) ? strlen(host) : 0;
    (void)snprintf(port, sizeof(port), "%d", g->port);
    return strcmp(colon + 1, port) == 0 ? (size_t)(colon - host) : 0;
}

static bool is_own_host(const struct http_gate *g, const char *host)
{
    size_t n = name_length(g, host), own = strlen(g->address);
    bool six = strchr(g->address, ':') != NULL;

    if (n == 0)
        return false;
    if (g->is_any && is_address(host, n))
        return true;
    if ((g->is_any || g->is_loopback) && n == 9 && strncasecmp(host, "localhost", 9) == 0)
        return true;
    if (six)
        return n == own + 2 && host[0] == '[' && host[n - 1] == ']' &&
               strncasecmp(host + 1, g->address, own) == 0;
    return n == own && memcmp(host, g->address, own) == 0;
}

static bool is_listed(const char *const *list, int32_t n, const char *value)
{
    for (int32_t i = 0; i < n; i++)
        if (strcasecmp(list[i], value) == 0)
            return true;
    return false;
}

/* A page of this server: its origin is the scheme and the value of Host, which was checked. */
static bool is_own_origin(const struct http_gate *g, const char *origin, const char *host)
{
    const char *scheme = g->is_tls ? "https://" : "http://";
    size_t n = strlen(scheme);

    return strncasecmp(origin, scheme, n) == 0 && strcasecmp(origin + n, host) == 0;
}

int http_gate_names(const struct http_gate *g, const struct http_request *q, const char **why)
{
    const char *origin = http_field_value(q->fields, q->n_fields, "origin");

    if (!is_own_host(g, q->host) && !is_listed(g->access.host, g->access.n_hosts, q->host)) {
        *why = "the value of Host is not one that this server answers to";
        return 400;
    }
    if (origin && !is_own_origin(g, origin, q->host) &&
        !is_listed(g->access.origin, g->access.n_origins, origin)) {
        *why = "the value of Origin is not allowed";
        return 403;
    }
    return 0;
}

const char *http_gate_listed_origin(const struct http_gate *g, const struct http_request *q)
{
    const char *origin = NULL;

    if (g->access.n_origins > 0 && q)
        origin = http_field_value(q->fields, q->n_fields, "origin");
    return origin && is_listed(g->access.origin, g->access.n_origins, origin) ? origin : NULL;
}

static const char *challenge_of(const struct http_gate *g, const struct http_request *q,
                                bool with_token)
{
    const char *own =
        g->access.challenge ? g->access.challenge(g->access.ctx, q, with_token) : NULL;

    if (own)
        return own;
    return with_token ? "Bearer realm=\"troupe\", error=\"invalid_token\""
                      : "Bearer realm=\"troupe\"";
}

int http_gate_token(const struct http_gate *g, struct http_request *q, const char **why,
                    const char **challenge)
{
    static const char scheme[] = "bearer ";
    const char *value = http_field_value(q->fields, q->n_fields, "authorization");
    const char *subject = "";

    if (!g->access.token)
        return 0;
    if (!value || strncasecmp(value, scheme, sizeof(scheme) - 1) != 0) {
        *why = "this needs a token: Authorization: Bearer TOKEN";
        *challenge = challenge_of(g, q, false);
        return 401;
    }
    value += sizeof(scheme) - 1;
    value += strspn(value, " ");
    if (!g->access.token(g->access.ctx, value, strlen(value), &subject)) {
        *why = "the token is not valid";
        *challenge = challenge_of(g, q, true);
        return 401;
    }
    q->subject = subject;
    return 0;
}
