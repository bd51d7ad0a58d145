/* circuit.c - see circuit.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/circuit.h"

bool circuit_allows(struct circuit *c, int64_t now_ms, bool *is_probe, int64_t *wait_ms)
{
    *is_probe = false;
    if (c->open_ms == 0)
        return true;
    if (now_ms < c->until_ms) {
        *wait_ms = c->until_ms - now_ms;
        return false;
    }
    if (c->probing) {
        *wait_ms = CIRCUIT_MS;
        return false;
    }
    c->probing = *is_probe = true;
    return true;
}

void circuit_worked(struct circuit *c)
{
    *c = (struct circuit){.failures = 0};
}

void circuit_failed(struct circuit *c, bool was_probe, int64_t now_ms)
{
    if (c->open_ms > 0 && !was_probe)
        return; /* sent before it opened */
    c->probing = false;
    if (!was_probe && ++c->failures < CIRCUIT_FAILURES)
        return;
    c->open_ms = c->open_ms == 0 ? CIRCUIT_MS : 2 * c->open_ms;
    if (c->open_ms > CIRCUIT_MAX_MS)
        c->open_ms = CIRCUIT_MAX_MS;
    c->until_ms = now_ms + c->open_ms;
}

void circuit_dropped(struct circuit *c, bool was_probe)
{
    if (was_probe)
        c->probing = false;
}
