/* replay.c - see replay.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "blueprints/replay.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/path.h"
#include "runtime/store/query.h"

static void free_end(void *p)
{
    struct replay_end *e = p;

    free(e->error);
    free(e);
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    map_free(r->end, free_end);
    map_free(r->taken, NULL);
    jv_unref(r->keep);
    free(r->run.error);
    free(r);
}

/* An agent's own steps lead to these ends again; a budget or a time-out around it may not. */
static bool is_computed(enum step_state s)
{
    return s == STEP_OK || s == STEP_ERROR || s == STEP_REJECTED;
}

static bool has_ended(enum step_state s)
{
    return s != STEP_STARTED && s != STEP_WAITING;
}

static bool take_step(void *ctx, const struct step_row *s)
{
    struct replay *r = ctx;
    struct replay_end *e = xcalloc(1, sizeof(*e));
    struct str base = STR_INIT;

    *e = (struct replay_end){.state = s->state,
                             .tries = s->tries,
                             .ended_ms = has_ended(s->state) ? s->t1_ms : 0,
                             .error = s->err ? xstrdup(s->err) : NULL};
    path_attempt(&base, s->path, s->attempt);
    map_put(r->end, str_cstr(&base), e);
    str_deinit(&base);
    if ((strcmp(s->kind, "agent") == 0 && !is_computed(s->state)) ||
        jv_get_int(jv_get(r->keep, s->path), -1) == s->attempt)
        map_put(r->taken, s->path, r);
    return true;
}

static enum step_state end_of_run(enum run_status s)
{
    switch (s) {
    case RUN_OK:
        return STEP_OK;
    case RUN_WAITING:
        return STEP_WAITING;
    case RUN_TIMEOUT:
        return STEP_TIMEOUT;
    case RUN_CANCELLED:
        return STEP_CANCELLED;
    default:
        return STEP_ERROR;
    }
}

static bool take_run(void *ctx, const struct run_row *row)
{
    struct replay *r = ctx;

    r->run = (struct replay_end){.state = end_of_run(row->status),
                                 .ended_ms = row->ended_ms,
                                 .error = row->error ? xstrdup(row->error) : NULL};
    r->keep = jv_ref(jv_get(jv_get(row->config, "repair"), "keep"));
    return false;
}

enum status replay_load(struct store_reader *q, const char *uuid, struct replay **out,
                        struct error *err)
{
    struct replay *r = xcalloc(1, sizeof(*r));
    enum status st;

    r->end = map_new();
    r->taken = map_new();
    st = query_run(q, uuid, take_run, r, err);
    if (!st)
        st = query_steps(q, uuid, NULL, -1, false, take_step, r, err);
    if (st) {
        replay_free(r);
        return st;
    }
    *out = r;
    return STATUS_OK;
}

const struct replay_end *replay_find(const struct replay *r, const char *path, int32_t attempt)
{
    struct str base = STR_INIT;
    const struct replay_end *e;

    path_attempt(&base, path, attempt);
    e = map_get(r->end, str_cstr(&base));
    str_deinit(&base);
    return e;
}

static bool is_not_taken(void *ctx, const char *path, size_t n, int64_t attempt)
{
    const struct replay *r = ctx;

    (void)attempt;
    return !map_get_n(r->taken, path, n);
}

/* It, or a step around it. */
static bool is_of_taken_step(const struct replay *r, const char *path)
{
    return map_get(r->taken, path) || !path_each_around(path, is_not_taken, (void *)(uintptr_t)r);
}

bool replay_takes(const struct replay *r, const struct step_row *s)
{
    static const char *const kinds[] = {"model", "tool", "human", "wait", "late"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(s->kind, kinds[i]) == 0)
            return true;
    return map_size(r->taken) > 0 && is_of_taken_step(r, s->path);
}
