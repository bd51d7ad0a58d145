/* plan_env.c - what a step may say of its environment: horizon, noise, seed, profile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_load.h"

#define MAX_HORIZON 100000

static enum status takes(const char *key, const char *what, const struct json *v, struct error *err)
{
    char *got = jv_dump(v);

    (void)error_set(err, STATUS_INVALID, "`%s` takes %s, got %.60s", key, what, got);
    free(got);
    return STATUS_INVALID;
}

static bool is_int(const struct json *v, int64_t least, int64_t most)
{
    return jv_kind(v) == JV_INT && jv_get_int(v, 0) >= least && jv_get_int(v, 0) <= most;
}

enum status plan_env_check(const char *key, const struct json *v, struct error *err)
{
    const char *word = jv_get_string(v, "");
    double noise = jv_get_number(v, -1);

    if (!v || jv_kind(v) == JV_NULL)
        return STATUS_OK;
    if (strcmp(key, "horizon") == 0 && !is_int(v, 1, MAX_HORIZON))
        return takes(key, "an integer from 1 to 100000", v, err);
    if (strcmp(key, "seed") == 0 && !is_int(v, 0, INT64_MAX))
        return takes(key, "an integer that is not negative", v, err);
    if (strcmp(key, "noise") == 0 && !(noise >= 0 && noise <= 1))
        return takes(key, "a number from 0 to 1", v, err);
    if (strcmp(key, "profile") == 0 && strcmp(word, "std") != 0 && strcmp(word, "hard") != 0)
        return takes(key, "std or hard", v, err);
    return STATUS_OK;
}
