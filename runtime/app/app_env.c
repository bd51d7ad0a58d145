/* app_env.c - options of environments, read the same way by every command.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_env.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

const struct env_ops *app_env(const char *name, struct error *err)
{
    const struct env_ops *env = env_find(name);
    const char *names[64];
    size_t n = 0;

    if (env)
        return env;
    for (; n < ARRAY_LEN(names) && env_at((int32_t)n); n++)
        names[n] = env_at((int32_t)n)->name;
    const char *near = nearest_word(name, names, n);
    error_set(err, STATUS_USAGE, "unknown environment \"%s\"", name);
    if (near)
        error_hint(err, "did you mean %s? `troupe env list` lists all environments", near);
    else
        error_hint(err, "`troupe env list` lists all environments");
    return NULL;
}

enum status app_horizons(const struct app *a, int32_t *out, int32_t max, int32_t *n,
                         struct error *err)
{
    char *text = xstrdup(option_text(a->options, OPT_HORIZON)), *save = NULL;
    enum status st = STATUS_OK;

    *n = 0;
    for (char *w = strtok_r(text, ",", &save); w && !st; w = strtok_r(NULL, ",", &save)) {
        int64_t h;
        if (!text_to_i64(w, &h) || h < 1 || h > 100000)
            st = error_set(err, STATUS_USAGE,
                           "--horizon: \"%s\" is not a number of steps (1 to 100000)", w);
        else if (*n == max)
            st = error_set(err, STATUS_USAGE, "--horizon: at most %d rows", max);
        else
            out[(*n)++] = (int32_t)h;
    }
    if (!st && *n == 0)
        st = error_set(err, STATUS_USAGE, "--horizon is empty");
    free(text);
    return st;
}

double app_noise(const struct app *a)
{
    if (option_is_set(a->options, OPT_NOISE))
        return option_number(a->options, OPT_NOISE);
    return -1;
}

enum env_profile app_profile(const struct app *a)
{
    return strcmp(option_text(a->options, OPT_PROFILE), "hard") == 0 ? ENV_HARD : ENV_STD;
}

enum env_ablation app_ablation(const struct app *a)
{
    for (int i = 0; i < ENV_ABLATIONS; i++)
        if (strcmp(option_text(a->options, OPT_ABLATE), env_ablation_name((enum env_ablation)i)) ==
            0)
            return (enum env_ablation)i;
    return ENV_ABLATE_NONE;
}
