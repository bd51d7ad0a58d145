/* http_fetch_check.h - what may be requested: checks of a spec before anything happens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_FETCH_CHECK_H
#define TROUPE_RUNTIME_HTTP_HTTP_FETCH_CHECK_H

#include "runtime/http/http_client.h"
#include "runtime/http/http_fields.h"
#include "runtime/http/http_url.h"

/* Scheme, and the host if it is an address. STATUS_REJECTED, STATUS_CONFIG (address_policy.h). */
MUST_CHECK enum status http_check_url(const struct address_policy *p, const struct http_url *u,
                                      struct error *err);
/* All of the spec; copies URL and fields. `fields` is initialised, and freed by the caller also on
 * failure. */
MUST_CHECK enum status http_check_spec(const struct http_fetch_spec *spec, struct http_url *url,
                                       struct http_fields *fields, struct error *err);

#endif
