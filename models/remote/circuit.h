/* circuit.h - when to stop asking a server that fails, and when to try it again.
 *
 * A value: the caller hands in the time and serialises the calls. After CIRCUIT_FAILURES outages in
 * a row it opens: nothing is sent for CIRCUIT_MS, twice as long each further time, at most
 * CIRCUIT_MAX_MS. Then one request is let through; it closes the circuit or opens it again.
 * Source: M. Nygard, "Release It!", the circuit breaker.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_CIRCUIT_H
#define TROUPE_MODELS_REMOTE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define CIRCUIT_FAILURES 5
#define CIRCUIT_MS       2000
#define CIRCUIT_MAX_MS   60000

struct circuit {
    int32_t failures; /* in a row */
    int64_t open_ms;  /* length of the last opening; 0: closed */
    int64_t until_ms; /* its end */
    bool probing;     /* one request is under way after the end */
};

/* May a request be sent now? If not, *wait_ms is the time until one may (at least 1). A true answer
 * is followed by exactly one of the three below, with *is_probe: it is the one that tries. */
bool circuit_allows(struct circuit *c, int64_t now_ms, bool *is_probe, int64_t *wait_ms);
void circuit_worked(struct circuit *c); /* the server answered, if only an error of the request */
void circuit_failed(struct circuit *c, bool was_probe, int64_t now_ms); /* an outage */
void circuit_dropped(struct circuit *c, bool was_probe); /* cancelled: nothing is known */

#endif
