/* fuzz_http_url.c - any text as a URL: an error with a message, or parts that read as the same URL
 * again. A second line is a Location field, seen from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/http/address_policy.h"
#include "runtime/http/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_parts(const struct http_url *u)
{
    struct http_url again;
    struct str text = STR_INIT;
    unsigned char address[16];
    bool is_address = inet_pton(AF_INET, u->host, address) || inet_pton(AF_INET6, u->host, address);
    struct in_addr legacy;

    /* What the resolver would read as an address is known to be one. */
    if (is_address != u->host_is_address || (inet_aton(u->host, &legacy) && !is_address))
        abort();
    if (u->host_is_address && address_check(NULL, u->host, NULL) == STATUS_CONFIG)
        abort();
    str_printf(&text, "%s%s", u->origin, u->target);
    if (text.len > HTTP_URL_MAX) { /* "/" and the scheme's port may be added */
        str_deinit(&text);
        return;
    }
    if (http_url_parse(str_cstr(&text), &again, NULL))
        abort();
    if (strcmp(again.origin, u->origin) != 0 || strcmp(again.host, u->host) != 0 ||
        strcmp(again.target, u->target) != 0 || again.port != u->port ||
        again.is_https != u->is_https || again.target[0] != '/')
        abort();
    http_url_deinit(&again);
    str_deinit(&text);
}

static void check_location(const struct http_url *base, const char *location)
{
    struct str out = STR_INIT;
    struct http_url u;

    if (http_url_resolve(base, location, &out, NULL) == STATUS_OK &&
        http_url_parse(str_cstr(&out), &u, NULL) == STATUS_OK) {
        check_parts(&u);
        http_url_deinit(&u);
    }
    str_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = strndup((const char *)data, n);
    char *second = text ? strchr(text, '\n') : NULL;
    struct http_url u;
    struct error err = ERROR_INIT;

    if (!text)
        return 0;
    if (second)
        *second++ = '\0';
    if (http_url_parse(text, &u, &err)) {
        if (err.status != STATUS_USAGE || !err.message[0])
            abort();
    } else {
        check_parts(&u);
        if (second)
            check_location(&u, second);
        http_url_deinit(&u);
    }
    free(text);
    return 0;
}
