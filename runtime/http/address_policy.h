/* address_policy.h - which addresses a request may go to.
 *
 * The default is https to public addresses: loopback, private, link-local, metadata, multicast,
 * unspecified and reserved ranges are refused, for IPv4, IPv6 and IPv4 inside IPv6 (IANA special-
 * purpose registries, RFC 6890). An operator lists addresses or ranges to allow more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_ADDRESS_POLICY_H
#define TROUPE_RUNTIME_HTTP_ADDRESS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

struct address_policy {
    bool allow_http;     /* without TLS */
    bool allow_loopback; /* 127.0.0.0/8, ::1 */
    /* 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7; not link-local */
    bool allow_private;
    /* (n_allow) "10.1.2.3", "10.0.0.0/8", "fd00::/8"; more than the above. The metadata address of
     * a cloud ("169.254.169.254") is allowed only by itself, never by a range. */
    const char *const *allow;
    int32_t n_allow;
};

/* Is the address (text of an IPv4 or IPv6 address, one canonical reading; "127.1" is none) allowed?
 * STATUS_REJECTED names the range; STATUS_CONFIG: an entry of `allow` is neither an address nor a
 * range. NULL policy: the default. */
MUST_CHECK enum status address_check(const struct address_policy *p, const char *address,
                                     struct error *err);

#endif
