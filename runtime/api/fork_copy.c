/* fork_copy.c - see fork_copy.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/fork_copy.h"

#include <stdlib.h>
#include <string.h>

#include "blueprints/plan_compare.h"
#include "blueprints/plan_order.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"
#include "runtime/store/query.h"

#define FLUSH_EVERY 256 /* steps in one transaction */

struct tries {
    int32_t first; /* records of attempts before this one no longer count */
    int32_t newest;
    uint8_t in_hash[16]; /* of the newest */
};

struct copy {
    struct run *to;
    const struct fork_copy *what;
    struct map *tries;  /* path -> struct tries */
    struct str path;    /* where it goes on, with the attempts of the steps around it */
    struct map *agents; /* paths with attempts: agents that are copied with their end */
    struct map *begun;  /* paths of steps that are copied without their end */
    struct map *around; /* paths of copied steps, and of all steps around them */
    struct json *keep;  /* decisions of a repair about copied steps: path -> attempt */
    struct json *open;  /* path -> counters of the steps that are copied without their end */
    struct str base;    /* path of the row with its attempt */
    bool reached;       /* path */
    int64_t tokens, steps, calls; /* of all that is copied with its end */
    int64_t n;
};

/* ---- a row */

static void put_step(struct copy *c, const struct step_row *s, bool with_end)
{
    struct step_intent intent = {.path = s->path,
                                 .attempt = s->attempt,
                                 .kind = s->kind,
                                 .name = s->name,
                                 .effect = s->effect,
                                 .args = s->args,
                                 .in_hash = s->in_hash};
    struct step_result result = {.path = s->path,
                                 .attempt = s->attempt,
                                 .state = s->state,
                                 .out = s->out,
                                 .err = s->err,
                                 .tok_in = s->tok_in,
                                 .tok_out = s->tok_out};
    journal_intend(c->to, &intent);
    if (s->tokens)
        journal_tokens(c->to, s->tokens);
    if (with_end)
        journal_finish(c->to, &result);
    if (++c->n % FLUSH_EVERY == 0)
        journal_flush(c->to);
}

static bool copy_for_replay(void *ctx, const struct step_row *s)
{
    struct copy *c = ctx;

    if (replay_takes(c->what->replay, s))
        put_step(c, s, s->state != STEP_STARTED);
    return true;
}

/* ---- which rows */

static bool note_attempt(void *ctx, const struct step_row *s)
{
    struct copy *c = ctx;
    struct tries *t = map_get(c->tries, s->path);
    const struct json *again = jv_get(jv_get(c->what->config, "repair"), "again");

    if (!t) {
        t = xcalloc(1, sizeof(*t));
        t->first = (int32_t)jv_get_int(jv_get(again, s->path), 0);
        map_put(c->tries, s->path, t);
    } else if (s->in_hash && memcmp(s->in_hash, t->in_hash, sizeof(t->in_hash)) != 0 &&
               s->attempt > t->first) {
        t->first = s->attempt; /* not tried again: done again with other inputs */
    }
    t->newest = s->attempt;
    if (s->in_hash)
        memcpy(t->in_hash, s->in_hash, sizeof(t->in_hash));
    return true;
}

static bool still_counts(void *ctx, const char *path, size_t n, int64_t attempt)
{
    const struct tries *t = map_get_n(((struct copy *)ctx)->tries, path, n);

    return !t || attempt >= t->first;
}

/* "a/b" is "a@1/b" if `a` was tried again. */
static void find_place(struct copy *c)
{
    for (const char *at = c->what->path; *at; at++) {
        const struct tries *t =
            strchr("/[", *at) && c->path.len > 0 ? map_get(c->tries, str_cstr(&c->path)) : NULL;

        if (t && t->newest > 0)
            str_printf(&c->path, "@%d", (int)t->newest);
        str_putc(&c->path, *at);
    }
}

/* The length of the path of the blueprint's step that this row is, or is inside of: the steps of an
 * agent have a ':' in their names, which ids have not. */
static size_t step_length(const struct step_row *s)
{
    size_t n = strlen(s->path);

    if (strcmp(s->kind, "late") == 0)
        n = (size_t)(path_last(s->path) - s->path) - 1;
    for (const char *at = s->path; (at = strchr(at, '/')) != NULL; at++)
        if (at[1 + strcspn(at + 1, ":/")] == ':' && (size_t)(at - s->path) < n)
            return (size_t)(at - s->path);
    return n;
}

static bool has_step(const struct plan *plan, const char *path, size_t n)
{
    char *step = xstrndup(path, n);
    bool has = plan_has_path(plan, step);

    free(step);
    return has;
}

/* A call that has not ended is made again by the new run. */
static bool is_call(const char *kind)
{
    static const char *const kinds[] = {"model", "tool", "human", "wait", "late"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

/* False: the row is not copied. *with_end: is its end? */
static bool takes(struct copy *c, const struct step_row *s, size_t n, bool *with_end)
{
    enum plan_order order = PLAN_BEFORE;

    path_attempt(&c->base, s->path, s->attempt);
    if (c->what->path)
        order = plan_order_of(c->what->plan, str_cstr(&c->base), str_cstr(&c->path));
    if (order == PLAN_UNORDERED)
        order = c->reached ? PLAN_AFTER : PLAN_BEFORE;
    c->reached = c->reached || order == PLAN_WITHIN;
    *with_end = order == PLAN_BEFORE && s->state != STEP_STARTED && s->state != STEP_WAITING;
    return (order == PLAN_BEFORE || order == PLAN_AROUND) && (*with_end || !is_call(s->kind)) &&
           has_step(c->what->plan, s->path, n);
}

/* ---- what follows from a copied row */

static bool note_around(void *ctx, const char *path, size_t n, int64_t attempt)
{
    struct copy *c = ctx;

    (void)attempt;
    map_put_n(c->around, path, n, c);
    return true;
}

static void add(struct json *counters, const char *name, int64_t n)
{
    jv_set_int(counters, name, jv_get_int(jv_get(counters, name), 0) + n);
}

struct spent {
    struct copy *copy;
    int64_t tokens, steps, calls;
};

static bool add_open(void *ctx, const char *path, size_t n, int64_t attempt)
{
    struct spent *spent = ctx;
    struct json *counters;
    char *step;

    (void)attempt;
    if (!map_get_n(spent->copy->begun, path, n))
        return true;
    step = xstrndup(path, n);
    counters = jv_get(spent->copy->open, step);
    if (!counters) {
        counters = jv_object();
        jv_set_adopt(spent->copy->open, step, counters);
    }
    add(counters, "tokens", spent->tokens);
    add(counters, "steps", spent->steps);
    add(counters, "calls", spent->calls);
    free(step);
    return true;
}

/* The new run counts what it takes over, as a resumed run does. An agent that has not ended counts
 * its calls when it comes to them. */
static void count(struct copy *c, const struct step_row *s, size_t n)
{
    bool inside = s->path[n] != '\0', model = strcmp(s->kind, "model") == 0;
    bool tool = strcmp(s->kind, "tool") == 0;
    struct spent spent = {.copy = c,
                          .tokens = model ? s->tok_in + s->tok_out : 0,
                          .steps = model || (tool && !inside),
                          .calls = tool};

    if (inside && !map_get_n(c->agents, s->path, n))
        return;
    c->tokens += spent.tokens;
    c->steps += spent.steps;
    c->calls += spent.calls;
    (void)path_each_around(s->path, add_open, &spent);
}

static void note_copied(struct copy *c, const struct step_row *s, size_t n, bool with_end)
{
    const struct json *keep = jv_get(jv_get(c->what->config, "repair"), "keep");

    (void)path_each_around(s->path, note_around, c);
    map_put(c->around, s->path, c);
    if (!with_end)
        map_put(c->begun, s->path, c);
    else if (strcmp(s->kind, "agent") == 0)
        map_put(c->agents, str_cstr(&c->base), c);
    if (with_end)
        count(c, s, n);
    if (with_end && jv_get_int(jv_get(keep, s->path), -1) == s->attempt)
        jv_set_int(c->keep, s->path, s->attempt);
}

static bool copy_live(void *ctx, const struct step_row *s)
{
    struct copy *c = ctx;
    size_t n = step_length(s);
    bool with_end = false;

    if (!still_counts(c, s->path, strlen(s->path), s->attempt) ||
        !path_each_around(s->path, still_counts, c) || !takes(c, s, n, &with_end))
        return true;
    put_step(c, s, with_end);
    note_copied(c, s, n, with_end);
    return true;
}

/* ---- the rest */

static bool copy_message(void *ctx, const struct message_row *m)
{
    struct copy *c = ctx;

    if (map_get(c->agents, m->thread))
        journal_message(c->to, m->thread, m->role, m->body);
    return true;
}

/* What a repair decided about the copied steps; a replay has all. */
static struct json *rules_of(const struct copy *c, const struct json *rules)
{
    struct json *again = jv_object(), *repair = jv_object();
    const char *path;
    void *t;

    if (c->what->replay) {
        jv_unref(again);
        jv_unref(repair);
        return jv_deep_copy(rules);
    }
    for (size_t i = 0; map_next(c->tries, &i, &path, &t);)
        if (((struct tries *)t)->first > 0 && map_get(c->around, path))
            jv_set_int(again, path, ((struct tries *)t)->first);
    jv_set_adopt(repair, "again", again);
    jv_set_adopt(repair, "keep", jv_ref(c->keep));
    return repair;
}

static void put_rules(struct copy *c)
{
    const struct json *rules = jv_get(c->what->config, "repair");
    struct json *config;

    if (!rules)
        return;
    config = jv_deep_copy(run_config(c->to));
    jv_set_adopt(config, "repair", rules_of(c, rules));
    run_set_config(c->to, config, NULL, NULL);
    jv_unref(config);
}

static void put_budget(const struct copy *c)
{
    struct json *budget = jv_object();

    jv_set_int(budget, "tokens", c->tokens);
    jv_set_int(budget, "steps", c->steps);
    jv_set_int(budget, "calls", c->calls);
    jv_set_adopt(budget, "open", jv_ref(c->open));
    run_set_budget(c->to, budget);
    jv_unref(budget);
}

static enum status copy_all(struct copy *c, struct error *err)
{
    const struct fork_copy *what = c->what;
    enum status st = query_steps(what->from, what->uuid, NULL, -1, false, note_attempt, c, err);

    if (!st && what->path)
        find_place(c);
    if (!st)
        st = query_steps(what->from, what->uuid, NULL, -1, true, copy_live, c, err);
    if (!st && what->path && !c->reached)
        st = error_set(err, STATUS_NOT_FOUND, "the run has no step %s", what->path);
    if (!st && map_size(c->agents) > 0)
        st = query_messages(what->from, what->uuid, NULL, copy_message, c, err);
    if (!st)
        put_budget(c);
    return st;
}

enum status fork_copy(struct run *to, const struct fork_copy *what, struct error *err)
{
    struct copy c = {.to = to,
                     .what = what,
                     .tries = map_new(),
                     .agents = map_new(),
                     .begun = map_new(),
                     .around = map_new(),
                     .keep = jv_object(),
                     .open = jv_object(),
                     .base = STR_INIT,
                     .path = STR_INIT};
    enum status st =
        what->replay ? query_steps(what->from, what->uuid, NULL, -1, true, copy_for_replay, &c, err)
                     : copy_all(&c, err);

    if (!st)
        put_rules(&c);
    map_free(c.tries, free);
    map_free(c.agents, NULL);
    map_free(c.begun, NULL);
    map_free(c.around, NULL);
    jv_unref(c.keep);
    jv_unref(c.open);
    str_deinit(&c.base);
    str_deinit(&c.path);
    return st;
}
