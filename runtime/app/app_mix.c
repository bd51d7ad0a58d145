/* app_mix.c - see app_mix.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_mix.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/app/app_env.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

enum status app_mix_read(const char *names, struct app_mix *out, struct error *err)
{
    char *text = xstrdup(names), *save = NULL;
    enum status st = STATUS_OK;

    memset(out, 0, sizeof(*out));
    for (char *w = strtok_r(text, ",", &save); w && !st; w = strtok_r(NULL, ",", &save)) {
        const struct env_ops *env = app_env(w, err);

        if (!env)
            st = STATUS_USAGE;
        else if (out->n == CURRICULUM_MAX_TASKS)
            st = error_set(err, STATUS_USAGE, "--env: at most %d environments",
                           CURRICULUM_MAX_TASKS);
        for (int32_t i = 0; i < out->n && !st; i++)
            if (out->env[i] == env)
                st = error_set(err, STATUS_USAGE, "--env: %s appears twice", w);
        if (!st)
            out->env[out->n++] = env;
    }
    if (!st && out->n == 0)
        st = error_set(err, STATUS_USAGE, "--env is empty");
    free(text);
    return st;
}

/* One word of --faults: a kind of fault of at least one environment. */
static enum status take_word(struct app_mix *m, const char *word, struct error *err)
{
    struct error first = ERROR_INIT;
    bool known = false;

    for (int32_t i = 0; i < m->n; i++) {
        struct error own = ERROR_INIT;
        uint32_t faults;

        if (!env_faults_of(m->env[i], word, &faults, &own)) {
            known = true;
            m->faults[i] |= faults;
        } else if (!first.status) {
            first = own;
        }
    }
    if (!known)
        *err = first;
    return known ? STATUS_OK : STATUS_USAGE;
}

enum status app_mix_faults(struct app_mix *m, const char *words, struct error *err)
{
    char *text, *save = NULL;
    enum status st = STATUS_OK;

    if (m->n == 1)
        return env_faults_of(m->env[0], words, &m->faults[0], err);
    if (strcmp(words, "all") == 0)
        return STATUS_OK;
    text = xstrdup(words);
    for (char *w = strtok_r(text, ",", &save); w && !st; w = strtok_r(NULL, ",", &save))
        st = take_word(m, w, err);
    free(text);
    return st;
}

int32_t app_mix_context(const struct app_mix *m)
{
    int32_t most = 0;

    for (int32_t i = 0; i < m->n; i++)
        if (m->env[i]->max_context_tokens > most)
            most = m->env[i]->max_context_tokens;
    return most;
}

int32_t app_mix_chain(const struct app_mix *m)
{
    int32_t most = 0;

    for (int32_t i = 0; i < m->n; i++) {
        int32_t n = m->env[i]->max_context_tokens + m->env[i]->max_reply_tokens;

        most = n > most ? n : most;
    }
    return most;
}

/* ---- schedules */

struct schedule {
    int32_t n;
    struct {
        int64_t from;
        double value;
    } point[CURRICULUM_MAX_PHASES];
};

/* "0:0.2,15:0.4" or a single value. The text is written to. */
static enum status read_schedule(enum option_id id, char *text, struct schedule *s,
                                 struct error *err)
{
    const char *name = option_spec(id)->name;
    char *save = NULL;

    s->n = 0;
    for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(w, ':');
        const char *text_of_value = colon ? colon + 1 : w;
        int64_t from = 0;
        double value;

        if (colon)
            *colon = 0;
        if ((colon && (!text_to_i64(w, &from) || from < 0)) || (!colon && s->n > 0) ||
            !text_to_double(text_of_value, &value))
            return error_set(err, STATUS_USAGE, "--%s: \"%s\" is not UPDATE:VALUE", name,
                             text_of_value);
        if (s->n == CURRICULUM_MAX_PHASES)
            return error_set(err, STATUS_USAGE, "--%s: at most %d phases", name,
                             CURRICULUM_MAX_PHASES);
        if (from != 0 && (s->n == 0 || from <= s->point[s->n - 1].from))
            return error_set(err, STATUS_USAGE, "--%s must start at update 0 and ascend", name);
        s->point[s->n].from = from;
        s->point[s->n++].value = value;
    }
    return s->n > 0 ? STATUS_OK : error_set(err, STATUS_USAGE, "--%s is empty", name);
}

static double value_at(const struct schedule *s, int64_t update)
{
    double value = s->point[0].value;

    for (int32_t i = 1; i < s->n; i++)
        if (s->point[i].from <= update)
            value = s->point[i].value;
    return value;
}

/* The first update after `after` at which a schedule changes. */
static int64_t next_change(const struct schedule *s, int64_t after)
{
    for (int32_t i = 0; i < s->n; i++)
        if (s->point[i].from > after)
            return s->point[i].from;
    return INT64_MAX;
}

/* "ledger=0:0.2" is for ledger; a part without a name is for all the others. */
static enum status read_part(const struct app_mix *m, char *part, struct schedule *noise,
                             struct schedule *others, struct error *err)
{
    char *equals = strchr(part, '=');

    if (!equals) {
        if (others->n > 0)
            return error_set(err, STATUS_USAGE, "--noise-schedule: two parts without a name");
        return read_schedule(OPT_NOISE_SCHEDULE, part, others, err);
    }
    *equals = 0;
    for (int32_t k = 0; k < m->n; k++) {
        if (strcmp(m->env[k]->name, part) != 0)
            continue;
        if (noise[k].n > 0)
            return error_set(err, STATUS_USAGE, "--noise-schedule: %s appears twice", part);
        return read_schedule(OPT_NOISE_SCHEDULE, equals + 1, &noise[k], err);
    }
    return error_set(err, STATUS_USAGE, "--noise-schedule: \"%s\" is not an environment of --env",
                     part);
}

static enum status read_noise(const struct app_mix *m, const struct options *o,
                              struct schedule *noise, struct error *err)
{
    char *text = xstrdup(option_text(o, OPT_NOISE_SCHEDULE)), *save = NULL;
    struct schedule others = {.n = 0};
    enum status st = STATUS_OK;

    if (!*text)
        st = error_set(err, STATUS_USAGE, "--noise-schedule is empty");
    for (char *w = strtok_r(text, ";", &save); w && !st; w = strtok_r(NULL, ";", &save))
        st = read_part(m, w, noise, &others, err);
    for (int32_t k = 0; k < m->n && !st; k++) {
        if (noise[k].n > 0)
            continue;
        if (others.n == 0)
            st = error_set(err, STATUS_USAGE, "--noise-schedule has no part for %s",
                           m->env[k]->name);
        noise[k] = others;
    }
    free(text);
    return st;
}

enum status app_mix_phases(const struct app_mix *m, const struct options *o, struct curriculum *out,
                           struct error *err)
{
    struct schedule noise[CURRICULUM_MAX_TASKS] = {{.n = 0}}, horizon = {.n = 0};
    char *text = xstrdup(option_text(o, OPT_HORIZON_SCHEDULE));
    int64_t from = 0;
    enum status st = read_noise(m, o, noise, err);

    if (!st)
        st = read_schedule(OPT_HORIZON_SCHEDULE, text, &horizon, err);
    free(text);
    while (!st && from != INT64_MAX) {
        double steps = value_at(&horizon, from);
        int64_t next = next_change(&horizon, from);
        struct curriculum_phase *phase = &out->phase[out->n_phases];

        if (out->n_phases == CURRICULUM_MAX_PHASES)
            return error_set(err, STATUS_USAGE, "the schedules have more than %d phases in total",
                             CURRICULUM_MAX_PHASES);
        if (!(steps >= 1 && steps <= 100000))
            return error_set(err, STATUS_USAGE, "--horizon-schedule: %g steps", steps);
        *phase = (struct curriculum_phase){.from = from, .horizon = (int32_t)steps};
        for (int32_t k = 0; k < m->n; k++) {
            int64_t change = next_change(&noise[k], from);

            phase->noise[k] = value_at(&noise[k], from);
            next = change < next ? change : next;
        }
        out->n_phases++;
        from = next;
    }
    return st;
}
