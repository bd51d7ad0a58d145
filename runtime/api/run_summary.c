/* run_summary.c - see run_summary.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/run_summary.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

/* Adds COUNT, or a mean over the row's runs times their number; unknown stays unknown. */
static void add(int64_t *sum, const struct json *row, const char *count, const char *mean)
{
    const struct json *n = jv_get(row, count), *m = jv_get(row, mean);
    double runs = (double)jv_get_int(jv_get(row, "episodes"), 0);

    if (!n && !m)
        *sum = -1;
    else if (*sum >= 0)
        *sum += n ? jv_get_int(n, 0) : (int64_t)llround(jv_get_number(m, 0) * runs);
}

struct episode_sum {
    int64_t n, steps;
};

static bool add_episode(void *ctx, const struct episode_row *e)
{
    struct episode_sum *sum = ctx;

    sum->n++;
    sum->steps += e->steps;
    return true;
}

/* Of an evaluation that has no rows yet, or whose rows do not have the number (0.1). */
static int64_t steps_of_episodes(struct store_reader *q, const char *uuid)
{
    struct episode_sum sum = {0, 0};
    struct error ignored = ERROR_INIT;

    if (!q || query_episodes(q, uuid, NULL, false, add_episode, &sum, &ignored) || sum.n == 0)
        return -1;
    return sum.steps;
}

struct run_counts run_count(const struct run_row *r, struct store_reader *q)
{
    struct run_counts c = {r->n_steps, r->tok_in, r->tok_out, r->tok_in + r->tok_out};
    const struct json *rows = jv_get(r->output, "rows");

    if (strcmp(r->kind, "eval") != 0)
        return c;
    if (jv_size(rows) == 0)
        return (struct run_counts){steps_of_episodes(q, r->uuid), -1, -1, -1};
    c = (struct run_counts){0, 0, 0, 0};
    for (size_t i = 0; i < jv_size(rows); i++) {
        const struct json *row = jv_at(rows, i);

        add(&c.steps, row, "steps", "steps_per_run");
        add(&c.tok_in, row, "tokens_in", "");
        add(&c.tok_out, row, "tokens_out", "");
        add(&c.tokens, row, "", "tokens_per_run");
    }
    if (c.tok_in >= 0)
        c.tokens = c.tok_in + c.tok_out;
    if (c.steps < 0)
        c.steps = steps_of_episodes(q, r->uuid);
    return c;
}

void run_set_cost(struct json *doc, int64_t nano)
{
    if (nano > 0)
        jv_set_real(doc, "cost", (double)nano / 1e9);
}

struct json *run_count_json(int64_t count)
{
    return count < 0 ? jv_null() : jv_int(count);
}

const char *run_model_name(const struct json *config)
{
    const struct json *weights = jv_get(config, "weights");
    const char *expert = jv_get_string(jv_get(config, "expert"), NULL);

    if (expert)
        return expert;
    if (weights && jv_size(weights) == 0)
        return NULL; /* no step of it has an agent */
    return jv_get_string(jv_get(config, "model"), NULL);
}

struct json *run_summary_json(const struct run_row *r, struct store_reader *q)
{
    struct json *o = jv_object();
    struct run_counts c = run_count(r, q);

    jv_set_string(o, "run", r->uuid);
    jv_set_string(o, "kind", r->kind);
    jv_set_string(o, "name", r->name);
    jv_set_string(o, "status", run_status_word(r->status));
    jv_set_bool(o, "owned", r->owned);
    if (r->error)
        jv_set_string(o, "error", r->error);
    jv_set_adopt(o, "seed", jv_int((int64_t)r->seed));
    jv_set_int(o, "epoch", r->epoch);
    if (run_model_name(r->config))
        jv_set_string(o, "model", run_model_name(r->config));
    jv_set_adopt(o, "steps", run_count_json(c.steps));
    jv_set_adopt(o, "tokens", run_count_json(c.tokens));
    jv_set_adopt(o, "tokens_in", run_count_json(c.tok_in));
    jv_set_adopt(o, "tokens_out", run_count_json(c.tok_out));
    run_set_cost(o, r->cost_nano);
    jv_set_int(o, "created_ms", r->created_ms);
    if (r->ended_ms)
        jv_set_int(o, "ended_ms", r->ended_ms);
    return o;
}

enum status run_statuses_parse(const char *said, uint32_t *out, struct error *err)
{
    const char *words[RUN_STATUS_N], *near;
    struct str list = STR_INIT;
    enum run_status status;

    *out = 0;
    if (!said)
        return STATUS_OK;
    if (run_status_from_word(said, strlen(said), &status)) {
        *out = RUN_STATUS_BIT(status);
        return STATUS_OK;
    }
    for (int i = 0; i < RUN_STATUS_N; i++) {
        words[i] = run_status_word((enum run_status)i);
        str_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    near = nearest_word(said, words, RUN_STATUS_N);
    error_set(err, STATUS_USAGE, "unknown status \"%s\"", said);
    error_hint(err, "%s%s%s%s", near ? "did you mean " : "", near ? near : "",
               near ? "? The statuses are " : "the statuses are ", str_cstr(&list));
    str_deinit(&list);
    return STATUS_USAGE;
}

const struct json *run_step_verdict(const struct step_row *s)
{
    const struct json *verdict = jv_get(s->out, "verdict");
    bool played = strcmp(s->kind, "agent") == 0 && jv_get(s->args, "env");

    return played && jv_kind(verdict) == JV_OBJECT ? verdict : NULL;
}

/* Digits are compared as numbers, all else byte by byte. */
static int compare_paths(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            int order = n != m ? (n < m ? -1 : 1) : strncmp(a, b, n);

            if (order)
                return order;
            a += n;
            b += m;
        } else if (*a != *b) {
            break;
        } else {
            a++;
            b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

static int compare(const void *x, const void *y)
{
    const struct json *const *a = x, *const *b = y;

    return compare_paths(jv_get_string(jv_get(*a, "path"), ""),
                         jv_get_string(jv_get(*b, "path"), ""));
}

struct json *run_sort_episodes(const struct json *episodes)
{
    size_t n = jv_size(episodes);
    struct json **list = xcalloc(n + 1, sizeof(struct json *)), *sorted = jv_array();

    for (size_t i = 0; i < n; i++)
        list[i] = jv_at(episodes, i);
    qsort(list, n, sizeof(*list), compare);
    for (size_t i = 0; i < n; i++)
        jv_append_adopt(sorted, jv_ref(list[i]));
    free(list);
    return sorted;
}
