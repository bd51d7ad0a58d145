/* plan_wait.c - the duration or the end of a step `wait`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"
#include "runtime/base/text.h"
#include "runtime/base/time_text.h"

static bool read_duration(const char *text, int64_t *ms)
{
    return text_to_duration_ms(text, ms) && *ms >= 0 && *ms <= PLAN_MAX_DURATION_MS;
}

enum status plan_wait_ms(bool is_for, const struct json *v, int64_t *out, struct error *err)
{
    const char *text = jv_get_string(v, "");
    char *got;

    if (is_for ? read_duration(text, out) : time_from_rfc3339(text, out))
        return STATUS_OK;
    got = jv_dump(v);
    if (is_for)
        error_set(err, STATUS_INVALID,
                  "`for` takes a duration with its unit (ms, s, m, h, d), as in 90s, up to 366d, "
                  "got %.60s",
                  got);
    else
        error_set(err, STATUS_INVALID,
                  "`until` takes a time of RFC 3339, as in 2030-03-01T08:00:00Z, got %.60s", got);
    free(got);
    return STATUS_INVALID;
}
