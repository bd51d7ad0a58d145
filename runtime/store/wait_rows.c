/* wait_rows.c - questions on the store thread: closing them, and rejecting answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/wait_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/path.h"
#include "runtime/store/run_lock.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

enum status wait_row_change(struct store_db *db, const struct wait_cells *w, struct error *err)
{
    sqlite3_stmt *st = db_stmt(db, STMT_WAIT_CHANGE, err);

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, w->run);
    bind_text(st, 2, w->path);
    bind_int(st, 3, w->attempt);
    bind_text(st, 4, w->answer);
    bind_int(st, 5, w->answered);
    bind_int(st, 6, w->closed);
    bind_int(st, 7, w->closed_as);
    bind_int(st, 8, (int64_t)wait_sum_answer(w));
    return db_run(db, st, err);
}

/* Of which step's end: NULL for the run's own. */
struct ended_step {
    const char *path;
    int64_t attempt;
};

/* What is below attempt k > 0 of a step begins with "path@k". */
static bool is_of(const struct wait_cells *w, const struct ended_step *step)
{
    struct str inside = STR_INIT;
    bool below;

    if (!step->path)
        return true;
    if (strcmp(cell_cstr(w->path), step->path) == 0)
        return w->attempt == step->attempt;
    path_attempt(&inside, step->path, step->attempt);
    below = path_is_under(cell_cstr(w->path), str_cstr(&inside)) &&
            cell_cstr(w->path)[inside.len] != '@';
    str_deinit(&inside);
    return below;
}

static struct cell keep(struct arena *a, struct cell c)
{
    return (struct cell){.data = c.data ? arena_strndup(a, c.data, c.n) : NULL, .n = c.n};
}

struct wait_list {
    struct wait_cells *wait;
    size_t n;
};

/* Copied first: what is read may not be changed under the statement. */
static enum status find_open(struct txn_context *c, int64_t run, const struct ended_step *step,
                             struct arena *a, struct wait_list *out, struct error *err)
{
    sqlite3_stmt *st = db_stmt(c->db, STMT_WAIT_OPEN, err);
    enum status status = STATUS_OK;
    struct wait_cells w;
    bool row = true;

    if (!st)
        return STATUS_FAILED;
    bind_int(st, 1, run);
    while (status == STATUS_OK) {
        status = db_step(c->db, st, &row, err);
        if (status || !row)
            break;
        status = wait_row_read(st, c->run ? c->run->uuid : "", &w, err);
        if (status || !is_of(&w, step))
            continue;
        w.path = keep(a, w.path);
        w.answer = keep(a, w.answer);
        out->wait = xrealloc(out->wait, (out->n + 1) * sizeof(*out->wait));
        out->wait[out->n++] = w;
    }
    sqlite3_reset(st);
    return status;
}

static enum status close_waits(struct txn_context *c, int64_t run, const struct ended_step *step,
                               int64_t state, struct error *err)
{
    struct arena *a = arena_new(1024);
    struct wait_list list = {.n = 0};
    enum status st = find_open(c, run, step, a, &list, err);

    for (size_t i = 0; st == STATUS_OK && i < list.n; i++) {
        list.wait[i].closed = store_now_ms(c->store);
        list.wait[i].closed_as = state;
        st = wait_row_change(c->db, &list.wait[i], err);
    }
    if (c->run)
        c->run->n_waits -= (int64_t)list.n;
    free(list.wait);
    arena_free(a);
    return st;
}

enum status wait_close_under(struct txn_context *c, struct cell path, int64_t attempt,
                             int64_t state, struct error *err)
{
    struct ended_step step = {cell_cstr(path), attempt};

    if (c->run->n_waits == 0) /* nearly always: no look at the table */
        return STATUS_OK;
    return close_waits(c, c->run->id, &step, state, err);
}

enum status wait_close_all(struct txn_context *c, int64_t run, enum run_status how,
                           struct error *err)
{
    static const enum step_state state[RUN_STATUS_N] = {
        [RUN_OK] = STEP_OK,
        [RUN_ERROR] = STEP_ERROR,
        [RUN_TIMEOUT] = STEP_TIMEOUT,
        [RUN_BUDGET] = STEP_BUDGET,
        [RUN_CANCELLED] = STEP_CANCELLED,
        [RUN_REJECTED] = STEP_REJECTED,
    };
    struct ended_step all = {NULL, 0};

    return close_waits(c, run, &all, state[how], err);
}

bool wait_has_answer(const struct wait_cells *w)
{
    return w->answer.data && (w->deadline == CELL_NULL || w->answered <= w->deadline);
}

/* "; the default `no` was taken", or what else becomes of an unanswered question. */
static void say_default(const struct wait_cells *w, bool was, char *out, size_t n)
{
    struct json *prompt = NULL;
    const struct json *value = NULL;
    char *text;

    if (jv_parse(w->prompt.data, w->prompt.n, "prompt", &prompt, NULL) == STATUS_OK)
        value = jv_get(prompt, "default");
    if (!value) {
        (void)snprintf(out, n, "nobody answered");
    } else {
        text = jv_dump(value);
        (void)snprintf(out, n, "the default `%.80s` %s taken", jv_get_string(value, text),
                       was ? "was" : "will be");
        free(text);
    }
    jv_unref(prompt);
}

enum status wait_check_open(const struct wait_cells *w, int64_t now_ms, struct error *err)
{
    bool is_late =
        w->deadline != CELL_NULL && (w->closed == CELL_NULL ? now_ms : w->closed) > w->deadline;
    char when[32], words[128];

    if (wait_has_answer(w))
        return error_set(err, STATUS_INVALID, "%s is already answered: %.*s", cell_cstr(w->path),
                         w->answer.n < 200 ? (int)w->answer.n : 200, (const char *)w->answer.data);
    if (is_late) {
        store_time_words(w->deadline, when);
        say_default(w, w->closed != CELL_NULL, words, sizeof(words));
        return error_set(err, STATUS_INVALID, "the time to answer %s ended at %s; %s",
                         cell_cstr(w->path), when, words);
    }
    if (w->closed != CELL_NULL)
        return error_set(err, STATUS_INVALID,
                         "%s no longer takes an answer: the step has ended (%s)",
                         cell_cstr(w->path), step_state_name((enum step_state)w->closed_as));
    return STATUS_OK;
}
