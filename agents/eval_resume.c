/* eval_resume.c - reads the options of an evaluation from its run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "agents/eval.h"
#include "runtime/base/memory.h"

static enum status bad(const char *what, struct error *err)
{
    return error_set(err, STATUS_CONFIG,
                     "this release does not know the %s of the stored configuration", what);
}

static enum status read_words(const struct json *config, struct eval_options *o, struct error *err)
{
    const char *profile = jv_get_string(jv_get(config, "profile"), "");
    const char *ablation = jv_get_string(jv_get(config, "ablation"), "none");
    int i = 0;

    o->env = env_find(jv_get_string(jv_get(config, "env"), ""));
    if (!o->env)
        return bad("environment", err);
    if (strcmp(profile, "std") != 0 && strcmp(profile, "hard") != 0)
        return bad("profile", err);
    o->profile = strcmp(profile, "hard") == 0 ? ENV_HARD : ENV_STD;
    while (i < ENV_ABLATIONS && strcmp(env_ablation_name((enum env_ablation)i), ablation) != 0)
        i++;
    if (i == ENV_ABLATIONS)
        return bad("ablation", err);
    o->ablation = (enum env_ablation)i;
    return env_faults_of(o->env, jv_get_string(jv_get(config, "faults"), "all"), &o->faults, err);
}

enum status eval_options_read(const struct json *config, struct eval_options *o,
                              struct eval_row_spec *row, int32_t max_rows, struct error *err)
{
    const struct json *rows = jv_get(config, "rows");
    enum status st = read_words(config, o, err);

    if (st)
        return st;
    if (jv_size(rows) < 1 || jv_size(rows) > (size_t)max_rows)
        return bad("rows", err);
    o->expert = jv_get_string(jv_get(config, "expert"), NULL);
    o->votes = (int32_t)jv_get_int(jv_get(config, "vote"), 0);
    o->seed = (uint64_t)jv_get_int(jv_get(config, "seed"), 0);
    o->row = row;
    o->n_rows = (int32_t)jv_size(rows);
    for (int32_t i = 0; i < o->n_rows; i++) {
        const struct json *r = jv_at(rows, (size_t)i);

        row[i] = (struct eval_row_spec){
            .horizon = (int32_t)jv_get_int(jv_get(r, "horizon"), 0),
            .noise = jv_get_number(jv_get(r, "p"), -1),
            .temperature = (float)jv_get_number(jv_get(r, "temperature"), 0),
            .episodes = (int32_t)jv_get_int(jv_get(r, "episodes"), 0),
        };
    }
    return STATUS_OK;
}
