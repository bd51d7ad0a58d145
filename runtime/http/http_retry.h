/* http_retry.h - how long a server asks to wait before the next try.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_HTTP_HTTP_RETRY_H
#define TROUPE_RUNTIME_HTTP_HTTP_RETRY_H

#include "runtime/http/http.h"

/* Milliseconds from wall_ms (since the epoch), rounded up; 0 for a date that has passed; -1 when
 * the fields (names in lower case) do not say, or say it in a form that is not known.
 * `retry-after-ms` comes first; then `retry-after`: seconds, also with a fraction, or a date in one
 * of the three forms of RFC 9110, 5.6.7. The caller caps it. */
int64_t http_retry_after_ms(const struct http_field *fields, int32_t n, int64_t wall_ms);

#endif
