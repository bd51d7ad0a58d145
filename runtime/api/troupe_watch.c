/* troupe_watch.c - see troupe_watch.h.
 *
 * The watch keeps for each run only when it is due and how many answers it had when it was last
 * driven. The next look reads the rest from the store, also changes by other processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_watch.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/api/troupe_run.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "runtime/store/query.h"

#define LOOK_MS       500   /* an answer or the death of an owner is noticed within a second */
#define MOST_PAUSE_MS 60000 /* between two drives of a run that is due and does not move */

enum known {
    KNOWN_NEW,    /* its next time is not known: it is driven once to find out */
    KNOWN_DRIVEN, /* by us */
    KNOWN_WAITS,
    KNOWN_STUCK, /* it cannot go on */
};

struct watched {
    enum known known;
    int64_t epoch;     /* after our last take; another value means that another process drove it */
    int64_t n_answers; /* when it was last driven */
    int64_t due_ms;    /* reported by the run; 0: never */
    int64_t driven_ms; /* when it last stopped */
    int64_t pause_ms;  /* until it is driven again; grows while it is due and does not move */
    bool lacked_room;  /* the disk was full when it was last driven */
    /* of the last look that found it open */
    uint64_t look;
    int64_t epoch_seen, n_answers_seen;
};

struct troupe_watch {
    struct troupe *t;
    struct troupe_watch_options o;
    struct map *runs; /* uuid -> struct watched * */
    struct map *own;  /* uuid -> itself; of only_own */
    struct loop_timer *timer;
    int32_t n_driven;
    int32_t n_making; /* runs that are not durable yet */
    uint64_t look;
    /* of the look under way */
    char (*ready)[37]; /* to be taken, the oldest first */
    size_t n_ready;
    bool is_open;    /* some run goes on by itself, or another process has it */
    bool adopts;     /* a run became its own since the last look */
    bool is_foreign; /* another process holds a run; only its lock shows when that ends */
    int64_t next_ms; /* wall clock: the next due time; 0: none */
};

static void look(void *ctx);

static void look_after(struct troupe_watch *w, int64_t ms)
{
    loop_timer_free(w->timer);
    w->timer = loop_timer_new(w->t->loop, ms, look, w);
}

static struct watched *known_of(struct troupe_watch *w, const char *uuid)
{
    struct watched *k = map_get(w->runs, uuid);

    if (!k) {
        k = xcalloc(1, sizeof(*k));
        map_put(w->runs, uuid, k);
    }
    return k;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* ---- driving */

static bool read_open(void *ctx, const struct run_row *r)
{
    *(bool *)ctx = !run_status_is_final(r->status);
    return false;
}

/* Did it stop for a reason that is not in its record? */
static bool is_stuck(struct troupe_watch *w, const struct troupe_run *r)
{
    struct store_reader *q;
    struct error ignored = ERROR_INIT;
    bool open = false;

    if (!troupe_run_result(r)->err.status)
        return false;
    return troupe_reader(w->t, &q, &ignored) ||
           query_run_bare(q, troupe_run_uuid(r), read_open, &open, &ignored) || open;
}

static void wait_longer(struct watched *k)
{
    k->pause_ms = k->pause_ms == 0 ? LOOK_MS : 2 * k->pause_ms;
    k->pause_ms = k->pause_ms > MOST_PAUSE_MS ? MOST_PAUSE_MS : k->pause_ms;
}

/* A full disk is nothing of the run: it is tried again. */
static void give_up(struct troupe_watch *w, const char *uuid, const struct error *err)
{
    struct watched *k = known_of(w, uuid);
    bool passes = err->status == STATUS_DISK_FULL, again = k->lacked_room;

    k->known = passes ? KNOWN_WAITS : KNOWN_STUCK;
    k->lacked_room = passes;
    if (w->o.on_stuck && !again)
        w->o.on_stuck(w->o.ctx, uuid, err);
}

static void on_end(void *ctx, struct troupe_run *r)
{
    struct troupe_watch *w = ctx;
    const struct troupe_listener *l = &w->o.run.listener;
    const struct troupe_result *result = troupe_run_result(r);
    struct watched *k = known_of(w, troupe_run_uuid(r));

    k->known = KNOWN_WAITS; /* if it has ended, it is not found open again */
    k->due_ms = result->next_due_ms;
    k->driven_ms = seams_wall_ms(w->t->seams);
    if (k->due_ms > k->driven_ms)
        k->pause_ms = 0;
    w->n_driven--;
    if (l->on_end)
        l->on_end(l->ctx, r);
    if (is_stuck(w, r))
        give_up(w, troupe_run_uuid(r), &result->err);
    else
        k->lacked_room = false;
    troupe_run_free(r);
    if (!w->t->interrupted)
        look_after(w, 0); /* its place is free */
}

static void on_step(void *ctx, struct troupe_run *r, const char *path, const char *kind,
                    enum step_state state)
{
    const struct troupe_listener *l = &((struct troupe_watch *)ctx)->o.run.listener;

    l->on_step(l->ctx, r, path, kind, state);
}

static void on_text(void *ctx, struct troupe_run *r, const char *path, const char *text, size_t n)
{
    const struct troupe_listener *l = &((struct troupe_watch *)ctx)->o.run.listener;

    l->on_text(l->ctx, r, path, text, n);
}

static bool wants_text(void *ctx, struct troupe_run *r)
{
    const struct troupe_listener *l = &((struct troupe_watch *)ctx)->o.run.listener;

    return l->wants_text(l->ctx, r);
}

static struct troupe_run_options options_of(struct troupe_watch *w,
                                            const struct troupe_run_options *o)
{
    const struct troupe_listener *l = &w->o.run.listener;
    struct troupe_run_options mine = *o;

    mine.stay = RUNNER_STAY_WORK;
    mine.timeout_ms = w->o.run.timeout_ms;
    mine.listener = (struct troupe_listener){.ctx = w,
                                             .on_step = l->on_step ? on_step : NULL,
                                             .on_text = l->on_text ? on_text : NULL,
                                             .wants_text = l->wants_text ? wants_text : NULL,
                                             .on_end = on_end};
    return mine;
}

static void note_driven(struct troupe_watch *w, struct watched *k)
{
    k->known = KNOWN_DRIVEN;
    k->epoch = k->epoch_seen + 1;
    k->n_answers = k->n_answers_seen;
    wait_longer(k);
    w->n_driven++;
}

/* Takes and starts a run. If another process took it first, the next look sees that. */
static void drive(struct troupe_watch *w, const char *uuid)
{
    struct watched *k = known_of(w, uuid);
    const struct troupe_run_options o = options_of(w, &w->o.run);
    struct troupe_run *r = NULL;
    struct error err = ERROR_INIT;
    enum status st = troupe_run_take(w->t, uuid, &o, &r, &err);

    if (!st)
        st = troupe_run_start(r, &err);
    if (st) {
        troupe_run_free(r);
        if (st == STATUS_BUSY)
            return;
        k->epoch = k->epoch_seen;
        k->n_answers = k->n_answers_seen;
        k->driven_ms = seams_wall_ms(w->t->seams);
        wait_longer(k);
        give_up(w, uuid, &err);
        return;
    }
    note_driven(w, k);
}

/* ---- looking */

struct waits {
    int64_t n_answers;
    int64_t due_ms; /* the earliest deadline of open waits */
};

static bool count_wait(void *ctx, const struct wait_row *row)
{
    struct waits *waits = ctx;

    waits->n_answers += row->answer != NULL;
    if (row->is_open)
        waits->due_ms = earlier(waits->due_ms, row->deadline_ms);
    return true;
}

struct open_run {
    char uuid[37];
    bool runs, owned; /* else it waits; a living process holds it */
    int64_t epoch;
};
struct open_runs {
    struct open_run *run;
    size_t n;
};

static bool collect(void *ctx, const struct run_row *r)
{
    struct open_runs *all = ctx;
    struct open_run *run;

    if (strcmp(r->kind, "run") != 0)
        return true;
    all->run = xrealloc(all->run, (all->n + 1) * sizeof(*all->run));
    run = &all->run[all->n++];
    run->runs = r->status != RUN_WAITING;
    run->owned = r->owned;
    run->epoch = r->epoch;
    memcpy(run->uuid, r->uuid, sizeof(run->uuid));
    return true;
}

/* When to drive a run that no process holds (wall clock); 0: it only waits for an answer. */
static int64_t due_at(struct watched *k, const struct open_run *r, const struct waits *waits)
{
    int64_t due = earlier(k->due_ms, waits->due_ms), again = k->driven_ms + k->pause_ms;

    if (k->epoch != r->epoch) /* another process has driven it */
        k->known = KNOWN_NEW;
    if (k->known == KNOWN_NEW || waits->n_answers != k->n_answers) {
        k->pause_ms = 0;
        return 1; /* long ago */
    }
    if (r->runs)
        return again;
    return due == 0 || due > again ? due : again;
}

static enum status see(struct troupe_watch *w, struct store_reader *q, const struct open_run *r,
                       struct error *err)
{
    struct waits waits = {0, 0};
    struct watched *k;
    int64_t due;
    enum status st;

    if (w->o.only_own && !map_get(w->own, r->uuid))
        return STATUS_OK;
    k = known_of(w, r->uuid);
    k->look = w->look;
    if (r->owned && k->known != KNOWN_DRIVEN)
        k->known = KNOWN_NEW;
    if (k->known == KNOWN_STUCK)
        return STATUS_OK;
    if (k->known == KNOWN_DRIVEN || r->owned) {
        w->is_open = w->is_foreign = true;
        return STATUS_OK;
    }
    st = query_waits(q, r->uuid, count_wait, &waits, err);
    if (st)
        return st;
    k->epoch_seen = r->epoch;
    k->n_answers_seen = waits.n_answers;
    due = due_at(k, r, &waits);
    if (due == 0)
        return STATUS_OK;
    w->is_open = true;
    w->next_ms = earlier(w->next_ms, due);
    if (due > seams_wall_ms(w->t->seams))
        return STATUS_OK;
    w->ready = xrealloc(w->ready, (w->n_ready + 1) * sizeof(*w->ready));
    memcpy(w->ready[w->n_ready++], r->uuid, sizeof(*w->ready));
    return STATUS_OK;
}

static enum status see_all(struct troupe_watch *w, struct error *err)
{
    const struct run_filter filter = {.statuses = RUN_STATUS_OPEN, .bare = true};
    struct open_runs open = {NULL, 0};
    struct store_reader *q;
    enum status st = troupe_reader(w->t, &q, err);

    if (!st)
        st = query_runs_like(q, &filter, collect, &open, err);
    for (size_t i = 0; !st && i < open.n; i++)
        st = see(w, q, &open.run[i], err);
    free(open.run);
    return st;
}

/* Forgets runs that are no longer open. */
static void forget(struct troupe_watch *w)
{
    struct map *rest = map_new();
    const char *uuid;
    void *k;

    for (size_t i = 0; map_next(w->runs, &i, &uuid, &k);)
        if (((struct watched *)k)->look == w->look)
            map_put(rest, uuid, k);
        else
            free(k);
    map_free(w->runs, NULL);
    w->runs = rest;
}

static bool has_place(const struct troupe_watch *w)
{
    return w->n_driven < (w->o.at_once > 0 ? w->o.at_once : TROUPE_WATCH_AT_ONCE);
}

static void take_ready(struct troupe_watch *w)
{
    /* Newest first, as the store gives them. */
    for (size_t i = w->n_ready; i-- > 0 && has_place(w);)
        drive(w, w->ready[i]);
    w->n_ready = 0;
}

/* Only a commit, the time, or the end of another process can change anything. */
static bool is_news(struct troupe_watch *w)
{
    struct store_reader *q;
    struct error ignored = ERROR_INIT;
    bool changed = true;

    if (troupe_reader(w->t, &q, &ignored) || query_has_changed(q, &changed, &ignored) || changed)
        return true;
    return w->is_foreign || w->adopts ||
           (w->next_ms != 0 && w->next_ms <= seams_wall_ms(w->t->seams));
}

static void look_closely(struct troupe_watch *w)
{
    struct error err = ERROR_INIT;

    w->look++;
    w->adopts = false;
    w->is_open = w->is_foreign = false;
    w->next_ms = 0;
    if (see_all(w, &err)) {
        log_write(w->t->log, LOG_WARN, "cannot look at the runs: %s", err.message);
        w->is_open = w->is_foreign = true; /* the next look may find what this one did not */
    } else {
        forget(w);
        take_ready(w);
    }
    w->n_ready = 0;
}

static void look(void *ctx)
{
    struct troupe_watch *w = ctx;
    struct error lost = ERROR_INIT;
    int64_t left;

    loop_timer_free(w->timer);
    w->timer = NULL;
    if (w->t->interrupted)
        return;
    if (store_can_record(w->t->store, &lost))
        w->is_open = w->is_foreign = false; /* what is driven notices it, too */
    else if (is_news(w))
        look_closely(w);
    left = w->next_ms ? w->next_ms - seams_wall_ms(w->t->seams) : LOOK_MS;
    if (w->is_open || w->n_driven > 0 || w->n_making > 0 || !w->o.on_idle)
        look_after(w, left > 0 && left < LOOK_MS ? left : LOOK_MS);
    else
        w->o.on_idle(w->o.ctx, lost.status ? &lost : NULL);
}

/* ---- life */

enum status troupe_watch_start(struct troupe *t, const struct troupe_watch_options *o,
                               struct troupe_watch **out, struct error *err)
{
    struct troupe_watch *w;
    struct loop *loop;
    enum status st = troupe_loop(t, &loop, err);

    if (st)
        return st;
    w = xcalloc(1, sizeof(*w));
    w->t = t;
    w->o = *o;
    w->runs = map_new();
    w->own = map_new();
    t->watching = true;
    look_after(w, 0);
    *out = w;
    return STATUS_OK;
}

void troupe_watch_adopt(struct troupe_watch *w, const char *uuid)
{
    if (!w->o.only_own || map_get(w->own, uuid))
        return;
    (void)map_put(w->own, uuid, w);
    w->adopts = true;
    if (!w->t->interrupted)
        look_after(w, 0);
}

struct making {
    struct troupe_watch *w;
    troupe_watch_made made;
    void *ctx;
};

static void on_made(void *ctx, struct troupe_run *r, const struct error *err)
{
    struct making m = *(struct making *)ctx;
    struct troupe_watch *w = m.w;
    struct error ignored = ERROR_INIT;
    char uuid[37];

    free(ctx);
    w->n_making--;
    if (!r) {
        m.made(m.ctx, NULL, err);
        return;
    }
    memcpy(uuid, troupe_run_uuid(r), sizeof(uuid));
    troupe_watch_adopt(w, uuid);
    /* One without a place is taken by a later look, here or in another process. So is one that
     * cannot start, which then is reported as stuck. */
    if (!w->t->interrupted && has_place(w) && !troupe_run_start(r, &ignored))
        note_driven(w, known_of(w, uuid));
    else
        troupe_run_free(r);
    if (!w->t->interrupted)
        look_after(w, 0);
    m.made(m.ctx, uuid, NULL);
}

enum status troupe_watch_run_new(struct troupe_watch *w, const struct troupe_run_spec *spec,
                                 const struct troupe_run_options *o, troupe_watch_made made,
                                 void *ctx, struct error *err)
{
    const struct troupe_run_options mine = options_of(w, o);
    struct making *m = xcalloc(1, sizeof(*m));
    enum status st;

    *m = (struct making){w, made, ctx};
    st = troupe_run_new_later(w->t, spec, &mine, on_made, m, err);
    if (st)
        free(m);
    else
        w->n_making++;
    return st;
}

void troupe_watch_free(struct troupe_watch *w)
{
    if (!w)
        return;
    w->t->watching = false;
    loop_timer_free(w->timer);
    map_free(w->runs, free);
    map_free(w->own, NULL);
    free(w->ready);
    free(w);
}
