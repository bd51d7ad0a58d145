/* power_judge.c - checks that a store after a crash is what it promised.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/store/power_judge.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/store/query.h"
#include "runtime/store/store.h"

struct judge {
    const struct power_work *w;
    struct store *store;
    struct store_reader *q;
    struct str *report;
    int32_t seen[POWER_RUNS][POWER_WHATS];
    int32_t n_rows; /* of the query that runs */
    int run;        /* that it is about */
};

/* The report is empty as long as there are no findings. */
static bool is_well(const struct judge *j)
{
    return j->report->len == 0;
}

static void complain(struct judge *j, const char *what, const char *name)
{
    str_printf(j->report, "run %d: %s %s\n", j->run, what, name);
}

static void complain_of(struct judge *j, const char *what, const struct error *err)
{
    str_printf(j->report, "%s: %s %s\n", what, err->where, err->message);
}

static bool is_value(const struct judge *j, const struct json *v, int32_t k)
{
    struct json *expected = power_work_value(j->run, k);
    bool is = v && jv_equal(v, expected);

    jv_unref(expected);
    return is;
}

static bool see_run(void *ctx, const struct run_row *r)
{
    struct judge *j = ctx;
    int64_t spent = 0;

    for (j->run = 0; j->run < j->w->n_runs; j->run++)
        if (strcmp(j->w->run[j->run].uuid, r->uuid) == 0)
            break;
    if (j->run == j->w->n_runs) {
        complain(j, "unknown run", r->uuid);
        return false;
    }
    j->seen[j->run][POWER_MADE] = 1;
    if (r->budget)
        spent = jv_get_int(jv_get(r->budget, "n"), -1);
    if (spent < 0)
        complain(j, "has another budget", "");
    j->seen[j->run][POWER_SPENT] = (int32_t)spent;
    if (r->status == RUN_OK) {
        j->seen[j->run][POWER_ENDED] = 1;
        if (!is_value(j, r->output, 9))
            complain(j, "has another output", "");
    } else if ((r->status != RUN_RUNNING && r->status != RUN_INTERRUPTED) || r->output) {
        complain(j, "has the status", run_status_word(r->status));
    }
    return true;
}

/* Steps are finished in the order in which they were intended. */
static bool see_step(void *ctx, const struct step_row *s)
{
    struct judge *j = ctx;
    int32_t k = j->n_rows++;
    char path[48];

    (void)snprintf(path, sizeof(path), POWER_STEP_PATH, (int)k);
    if (strcmp(s->path, path) != 0 || s->seq != k || !s->args) {
        complain(j, "another step is in the place of:", path);
    } else if (s->state == STEP_OK) {
        if (j->seen[j->run][POWER_DONE]++ != k)
            complain(j, "was finished before the step before it:", path);
        if (!is_value(j, s->out, k))
            complain(j, "has another output:", path);
        if (!s->tokens || s->tokens->n_ids != power_work_n_ids(k) || s->tokens->ids[0] != k)
            complain(j, "has another token record:", path);
    } else if (s->state != STEP_STARTED || s->out || s->tokens) {
        complain(j, "is half a step:", path);
    }
    return is_well(j);
}

static bool see_episode(void *ctx, const struct episode_row *e)
{
    struct judge *j = ctx;
    struct json *v;
    const char *text;
    int k = -1;

    j->n_rows++;
    if (sscanf(e->path, POWER_EPISODE, &k) != 1 || k < 0 || k >= j->w->n_txns) {
        complain(j, "nobody played", e->path);
        return false;
    }
    if (k >= j->seen[j->run][POWER_PLAYED])
        j->seen[j->run][POWER_PLAYED] = k + 1;
    v = power_work_value(j->run, k);
    text = jv_get_string(v, "");
    if (e->rec_bytes != strlen(text) || memcmp(e->rec, text, e->rec_bytes) != 0)
        complain(j, "has another record:", e->path);
    jv_unref(v);
    return is_well(j);
}

static bool see_message(void *ctx, const struct message_row *m)
{
    struct judge *j = ctx;

    if (m->seq != j->n_rows || !is_value(j, m->body, j->n_rows))
        complain(j, "has another message", "");
    j->n_rows++;
    return true;
}

/* The run continues: one more step, which must then be recorded. */
static void go_on(struct judge *j, struct run *r)
{
    struct error err = ERROR_INIT;
    struct step_record step;
    struct json *v = power_work_value(j->run, 1);
    bool found = false;

    journal_intend(r, &(struct step_intent){.path = "after", .kind = "tool"});
    journal_finish(r, &(struct step_result){.path = "after", .state = STEP_OK, .out = v});
    if (journal_sync(r, &err) || journal_find(r, "after", &found, &step, &err))
        complain_of(j, "going on", &err);
    else if (!found || step.state != STEP_OK || !is_value(j, step.out, 1))
        complain(j, "lost a step of its second life", "");
    if (found)
        step_record_deinit(&step);
    jv_unref(v);
}

static void see_inside(struct judge *j)
{
    const char *uuid = j->w->run[j->run].uuid;
    struct error err = ERROR_INIT;
    struct run *r = NULL;

    j->n_rows = 0;
    if (query_steps(j->q, uuid, NULL, -1, true, see_step, j, &err)) {
        complain_of(j, "steps", &err);
        return;
    }
    j->seen[j->run][POWER_STARTED] = j->n_rows;
    j->n_rows = 0;
    if (query_episodes(j->q, uuid, NULL, true, see_episode, j, &err)) {
        complain_of(j, "episodes", &err);
        return;
    }
    if (j->seen[j->run][POWER_PLAYED] != j->n_rows)
        complain(j, "has a gap in its episodes", "");
    j->n_rows = 0;
    if (query_messages(j->q, uuid, POWER_THREAD, see_message, j, &err)) {
        complain_of(j, "messages", &err);
        return;
    }
    j->seen[j->run][POWER_SAID] = j->n_rows;
    if (j->seen[j->run][POWER_ENDED])
        return;
    if (run_take(j->store, uuid, &r, &err)) {
        complain_of(j, "taking", &err);
        return;
    }
    go_on(j, r);
    run_close(r);
}

static void read_back(struct judge *j)
{
    struct error err = ERROR_INIT;

    if (store_check(j->store, j->report, &err)) {
        complain_of(j, "store_check", &err);
        return;
    }
    if (store_reader_open(j->store, &j->q, &err) || query_runs(j->q, 0, 0, see_run, j, &err))
        complain_of(j, "runs", &err);
    for (j->run = 0; j->run < j->w->n_runs && is_well(j); j->run++)
        if (j->seen[j->run][POWER_MADE])
            see_inside(j);
    store_reader_close(j->q);
}

/* Each count shows that one transaction exists and that another does not. *last is then the last
 * one that can exist. */
static void compare(struct judge *j, int32_t *last)
{
    int32_t there = 0;

    *last = j->w->n_txns;
    for (j->run = 0; j->run < j->w->n_runs; j->run++) {
        for (int what = 0; what < POWER_WHATS; what++) {
            const struct power_count *c = &j->w->run[j->run].count[what];
            int32_t seen = j->seen[j->run][what];

            if (seen > c->n)
                complain(j, "has more than was written", "");
            else if (seen > 0 && c->txn[seen - 1] > there)
                there = c->txn[seen - 1];
            if (seen < c->n && c->txn[seen] - 1 < *last)
                *last = c->txn[seen] - 1;
        }
    }
    if (there > *last)
        str_printf(j->report, "transaction %d is there, but %d is not\n", (int)there,
                   (int)*last + 1);
}

static int no_sync(void *ctx)
{
    (void)ctx;
    return 0;
}

enum power_outcome power_judge(const struct power_work *w, const char *path, int32_t promised,
                               int32_t *n_lost, struct str *report)
{
    struct judge j = {.w = w, .report = report};
    struct store_options o = {.path = path, .create = true, .sync_hook = no_sync};
    struct error err = ERROR_INIT;
    int32_t last = 0;

    *n_lost = 0;
    str_clear(report);
    if (store_open(&o, &j.store, &err)) {
        complain_of(&j, "store_open", &err);
        return POWER_CORRUPT;
    }
    read_back(&j);
    store_close(j.store);
    if (is_well(&j))
        compare(&j, &last);
    if (!is_well(&j))
        return POWER_CORRUPT;
    if (last >= promised)
        return POWER_INTACT;
    *n_lost = promised - last;
    str_printf(report, "transaction %d was promised, %d is the last that is there\n", (int)promised,
               (int)last);
    return POWER_LOST;
}
