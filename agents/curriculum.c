/* curriculum.c - see curriculum.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/curriculum.h"

#include <stdio.h>

enum status curriculum_check(const struct curriculum *c, struct error *err)
{
    if (c->n_phases < 1 || c->n_phases > CURRICULUM_MAX_PHASES || c->phase[0].from != 0)
        return error_set(err, STATUS_USAGE,
                         "a schedule must have 1 to %d phases and start at update 0",
                         CURRICULUM_MAX_PHASES);
    for (int32_t i = 0; i < c->n_phases; i++) {
        if (c->phase[i].horizon < 1)
            return error_set(err, STATUS_USAGE, "the horizon is %d steps, but must be at least 1",
                             c->phase[i].horizon);
        if (i > 0 && c->phase[i].from <= c->phase[i - 1].from)
            return error_set(err, STATUS_USAGE, "each phase must start after the one before");
    }
    return STATUS_OK;
}

const struct curriculum_phase *curriculum_at(const struct curriculum *c, int64_t update)
{
    const struct curriculum_phase *phase = &c->phase[0];

    for (int32_t i = 1; i < c->n_phases; i++)
        if (c->phase[i].from <= update)
            phase = &c->phase[i];
    return phase;
}

void curriculum_fix(const struct curriculum *c, int32_t n_tasks, struct fixed_options *f)
{
    struct json *phases = jv_array();

    for (int32_t i = 0; i < c->n_phases; i++) {
        struct json *phase = jv_object();

        jv_set_int(phase, "from", c->phase[i].from);
        jv_set_real(phase, "noise", c->phase[i].noise[0]);
        for (int32_t k = 1; k < n_tasks; k++) {
            char key[32];

            (void)snprintf(key, sizeof(key), "noise_%d", k);
            jv_set_real(phase, key, c->phase[i].noise[k]);
        }
        jv_set_int(phase, "horizon", c->phase[i].horizon);
        jv_append_adopt(phases, phase);
    }
    fixed_put(f, "phases", "curriculum (--noise-schedule, --horizon-schedule)", phases);
}
