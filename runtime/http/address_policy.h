/* address_policy.h - which addresses a request may go to.
 *
 * The default is https to public addresses: loopback, private, link-local, metadata, multicast,
 * unspecified and reserved ranges are refused, for IPv4, IPv6 and IPv4 inside IPv6 (IANA special-
 * purpose registries, RFC 6890). An operator lists hosts or ranges to allow more.
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
    bool allow_private;  /* the other ranges that only a local network has; never metadata */
    const char *const
        *allow; /* (n_allow) "10.1.2.3", "10.0.0.0/8", "fd00::/8"; more than the above */
    int32_t n_allow;
};

/* Is the address (text of an IPv4 or IPv6 address, one canonical reading; "127.1" is none) allowed?
 * STATUS_REJECTED names the range. NULL policy: the default. */
MUST_CHECK enum status address_check(const struct address_policy *p, const char *address,
                                     struct error *err);

#endif
