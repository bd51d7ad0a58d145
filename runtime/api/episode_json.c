/* episode_json.c - see episode_json.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/episode_json.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/text.h"

static void put_seed(struct json *o, const char *key, uint64_t seed)
{
    char text[24];

    if (seed <= INT64_MAX) {
        jv_set_int(o, key, (int64_t)seed);
        return;
    }
    snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
    jv_set_string(o, key, text);
}

struct json *episode_json(const struct env_ops *env, const struct env_params *p)
{
    struct json *o = jv_object();
    struct str faults = STR_INIT;

    env_faults_text(env, p->faults, &faults);
    jv_set_string(o, "env", env->name);
    put_seed(o, "task_seed", p->task_seed);
    put_seed(o, "fault_seed", p->fault_seed);
    jv_set_int(o, "horizon", p->horizon);
    jv_set_real(o, "noise", p->noise);
    jv_set_string(o, "profile", p->profile == ENV_HARD ? "hard" : "std");
    jv_set_string(o, "faults", str_cstr(&faults));
    jv_set_string(o, "ablation", env_ablation_name(p->ablation));
    jv_set_adopt(o, "calls", jv_array());
    str_deinit(&faults);
    return o;
}

static enum status wrong(const struct json *v, const char *key, const char *expected,
                         struct error *err)
{
    if (jv_kind(v) == JV_NULL)
        return error_set(err, STATUS_INVALID, "\"%s\" is missing: expected %s", key, expected);
    return error_set(err, STATUS_INVALID, "\"%s\": expected %s, got %s %.40s", key, expected,
                     jv_kind_name(jv_kind(v)), jv_get_string(v, ""));
}

static enum status read_seed(const struct json *o, const char *key, uint64_t *out,
                             struct error *err)
{
    const struct json *v = jv_get(o, key);

    if (jv_kind(v) == JV_INT && jv_get_int(v, -1) >= 0)
        *out = (uint64_t)jv_get_int(v, 0);
    else if (jv_kind(v) != JV_STRING || !text_to_u64(jv_get_string(v, ""), out))
        return wrong(v, key, "a whole number from 0 to 2^64-1", err);
    return STATUS_OK;
}

/* The index of the word in the list; absent: 0. */
static enum status read_word(const struct json *o, const char *key, const char *const *words, int n,
                             int *out, struct error *err)
{
    const struct json *v = jv_get(o, key);

    *out = 0;
    if (jv_kind(v) == JV_NULL)
        return STATUS_OK;
    for (int i = 0; i < n; i++)
        if (strcmp(jv_get_string(v, ""), words[i]) == 0) {
            *out = i;
            return STATUS_OK;
        }
    return error_set(err, STATUS_INVALID, "\"%s\": unknown %s \"%.40s\"", key, key,
                     jv_get_string(v, jv_kind_name(jv_kind(v))));
}

static enum status check_calls(const struct json *calls, struct error *err)
{
    if (jv_kind(calls) != JV_ARRAY)
        return wrong(calls, "calls", "a list of calls", err);
    for (size_t i = 0; i < jv_size(calls); i++) {
        const struct json *c = jv_at(calls, i), *arguments = jv_get(c, "arguments");

        if (!jv_get_string(jv_get(c, "name"), NULL))
            return error_set(err, STATUS_INVALID, "\"calls\": number %zu has no \"name\"", i + 1);
        if (jv_kind(arguments) != JV_OBJECT && jv_kind(arguments) != JV_NULL)
            return error_set(err, STATUS_INVALID,
                             "\"calls\": number %zu: \"arguments\" is not an object", i + 1);
    }
    return STATUS_OK;
}

static enum status read_choices(const struct env_ops *env, const struct json *o,
                                struct env_params *out, struct error *err)
{
    static const char *const profiles[] = {"std", "hard"};
    const char *ablations[ENV_ABLATIONS];
    int profile, ablation;
    enum status st = read_word(o, "profile", profiles, 2, &profile, err);

    for (int i = 0; i < ENV_ABLATIONS; i++)
        ablations[i] = env_ablation_name((enum env_ablation)i);
    if (!st)
        st = read_word(o, "ablation", ablations, ENV_ABLATIONS, &ablation, err);
    if (!st)
        st = env_faults_of(env, jv_get_string(jv_get(o, "faults"), "all"), &out->faults, err);
    if (st) { /* an error of the file, not of the command line */
        err->status = STATUS_INVALID;
        return STATUS_INVALID;
    }
    out->profile = profile ? ENV_HARD : ENV_STD;
    out->ablation = (enum env_ablation)ablation;
    return STATUS_OK;
}

enum status episode_json_read(const struct env_ops *env, const struct json *episode,
                              struct env_params *out, struct error *err)
{
    struct env_params p = {.noise = jv_get_number(jv_get(episode, "noise"), -1)};
    const char *name = jv_get_string(jv_get(episode, "env"), env->name);
    const struct json *horizon = jv_get(episode, "horizon");
    enum status st;

    if (jv_kind(episode) != JV_OBJECT)
        return error_set(err, STATUS_INVALID, "expected an episode as an object, got %s",
                         jv_kind_name(jv_kind(episode)));
    if (strcmp(name, env->name) != 0)
        return error_set(err, STATUS_INVALID, "this is an episode of %.40s, not of %s", name,
                         env->name);
    if (jv_kind(horizon) != JV_INT || jv_get_int(horizon, 0) < 1 ||
        jv_get_int(horizon, 0) > INT32_MAX)
        return wrong(horizon, "horizon", "a number of steps", err);
    p.horizon = (int32_t)jv_get_int(horizon, 0);
    st = read_seed(episode, "task_seed", &p.task_seed, err);
    p.fault_seed = env_fault_seed(p.task_seed);
    if (!st && jv_get(episode, "fault_seed"))
        st = read_seed(episode, "fault_seed", &p.fault_seed, err);
    if (!st)
        st = read_choices(env, episode, &p, err);
    if (!st)
        st = check_calls(jv_get(episode, "calls"), err);
    if (!st)
        *out = p;
    return st;
}
