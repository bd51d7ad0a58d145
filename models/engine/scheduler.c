/* scheduler.c - three lists of sessions and the pages between them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/engine/scheduler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

bool scheduler_init(struct scheduler *s)
{
    s->running = mem_alloc((size_t)s->max_running, sizeof(struct model_session *));
    return s->running != NULL;
}

void scheduler_deinit(struct scheduler *s)
{
    free(s->running);
    s->running = NULL;
}

static void list_remove(struct session_list *l, struct model_session *x)
{
    assert(l->n > 0 && (x->prev || l->first == x));
    if (x->prev)
        x->prev->next = x->next;
    else
        l->first = x->next;
    if (x->next)
        x->next->prev = x->prev;
    else
        l->last = x->prev;
    x->prev = x->next = NULL;
    l->n--;
}

static void list_insert_after(struct session_list *l, struct model_session *at,
                              struct model_session *x)
{
    x->prev = at;
    x->next = at ? at->next : l->first;
    if (x->next)
        x->next->prev = x;
    else
        l->last = x;
    if (at)
        at->next = x;
    else
        l->first = x;
    l->n++;
}

/* Whether a goes before b. */
static bool before(const struct model_session *a, const struct model_session *b)
{
    if (a->call->priority != b->call->priority)
        return a->call->priority > b->call->priority;
    return a->arrival < b->arrival;
}

void scheduler_add_idle(struct scheduler *s, struct model_session *x)
{
    x->state = SESSION_IDLE;
    list_insert_after(&s->idle, s->idle.last, x);
}

void scheduler_remove_idle(struct scheduler *s, struct model_session *x)
{
    assert(x->state == SESSION_IDLE);
    list_remove(&s->idle, x);
}

static void insert_waiting(struct scheduler *s, struct model_session *x)
{
    struct model_session *at = s->waiting.last;

    while (at && before(x, at))
        at = at->prev;
    x->state = SESSION_WAITING;
    list_insert_after(&s->waiting, at, x);
}

void scheduler_enqueue(struct scheduler *s, struct model_session *x)
{
    insert_waiting(s, x);
}

void scheduler_remove_waiting(struct scheduler *s, struct model_session *x)
{
    assert(x->state == SESSION_WAITING);
    list_remove(&s->waiting, x);
}

static void publish(struct scheduler *s, struct model_session *x)
{
    if (s->tree && x->kv_serial == s->serial)
        session_publish(x, s->kv, s->tree);
}

static bool make_room_in_tree(struct scheduler *s, int32_t n)
{
    return kv_cache_n_free(s->kv) >= n || (s->tree && prefix_tree_evict(s->tree, n));
}

/* At least n free pages, without disturbing a running call. `x` keeps its own. */
static bool make_room(struct scheduler *s, int32_t n, const struct model_session *x)
{
    if (make_room_in_tree(s, n))
        return true;
    for (struct model_session *i = s->idle.first; i; i = i->next) {
        if (i->n_pages == 0)
            continue;
        session_drop_kv(i, s->kv);
        if (make_room_in_tree(s, n))
            return true;
    }
    /* Calls that wait may hold pages of their session's earlier calls. */
    for (struct model_session *i = s->waiting.last; i; i = i->prev) {
        if (i->n_pages == 0 || i == x)
            continue;
        session_drop_kv(i, s->kv);
        if (make_room_in_tree(s, n))
            return true;
    }
    return false;
}

static void preempt_last(struct scheduler *s)
{
    struct model_session *x = s->running[--s->n_running];

    publish(s, x); /* pages that are not evicted before it comes back are found again */
    session_drop_kv(x, s->kv);
    x->plan_rows = 0;
    insert_waiting(s, x);
    s->n_preemptions++;
}

static void no_pages(const struct scheduler *s, struct model_session *x)
{
    struct model_call *c = x->call;

    c->status = error_set(
        &c->err, STATUS_LIMIT, "out of KV pages: %d positions need %d pages, but the cache has %d",
        (int)x->n_ids + 1, (int)kv_pages_for(x->n_ids + 1), (int)kv_cache_n_pages(s->kv));
    error_hint(&c->err, "use a larger --kv-memory or a shorter --context");
    c->finish = FINISH_ERROR;
    x->ended = true;
}

static void match(struct scheduler *s, struct model_session *x)
{
    int32_t before_match = x->kv_len;

    if (s->tree && x->serial == s->serial)
        session_match(x, s->kv, s->tree);
    if (!x->matched) {
        /* Of this call's prompt; not counted again after a preemption. */
        x->call->usage.cached = x->kv_len;
        s->n_prefix_hit_tokens += x->kv_len - before_match;
        x->matched = true;
    }
}

static void insert_running(struct scheduler *s, struct model_session *x)
{
    int32_t i = s->n_running;

    while (i > 0 && before(x, s->running[i - 1])) {
        s->running[i] = s->running[i - 1];
        i--;
    }
    s->running[i] = x;
    s->n_running++;
    x->state = SESSION_RUNNING;
    x->plan_rows = 0;
}

/* Pages for all its ids and the next one, taking them from younger or lower calls if they must
 * run after it anyway. */
static bool room_for(struct scheduler *s, struct model_session *x)
{
    for (;;) {
        int32_t wanted = session_pages_wanted(x, s->kv, x->n_ids + 1);

        if (make_room(s, wanted, x))
            return true;
        if (s->n_running == 0 || before(s->running[s->n_running - 1], x))
            return false;
        preempt_last(s);
    }
}

bool scheduler_admit(struct scheduler *s)
{
    while (s->waiting.n > 0) {
        struct model_session *x = s->waiting.first;

        if (s->n_running == s->max_running) {
            if (before(s->running[s->n_running - 1], x))
                return true;
            preempt_last(s);
        }
        match(s, x);
        if (!room_for(s, x)) {
            if (s->n_running > 0)
                return true; /* pages come back when something ends */
            no_pages(s, x);
            return false;
        }
        list_remove(&s->waiting, x);
        insert_running(s, x);
        /* Taken now, so that the next admission sees fewer free pages. */
        bool reserved = session_reserve_pages(x, s->kv, x->n_ids);
        assert(reserved); /* room_for made room */
        (void)reserved;
    }
    return true;
}

/* Pages for the next rows of running[i]. It may preempt any sequence after it. */
static bool pages_for_rows(struct scheduler *s, int32_t i, int32_t n)
{
    struct model_session *x = s->running[i];

    while (!make_room(s, session_pages_wanted(x, s->kv, n), x)) {
        if (s->n_running - 1 == i)
            return false;
        preempt_last(s);
    }
    return session_reserve_pages(x, s->kv, n);
}

/* Pages for tokens that the step may draw beyond its planned rows. */
static void look_ahead(struct scheduler *s, struct model_session *x)
{
    int32_t n = x->kv_len + x->plan_rows + s->lookahead;

    if (n > x->max_ids - 1)
        n = x->max_ids - 1; /* the last token is never fed */
    /* Optional: never at the cost of another session. */
    if (make_room_in_tree(s, session_pages_wanted(x, s->kv, n))) {
        bool reserved = session_reserve_pages(x, s->kv, n);
        assert(reserved); /* room was made */
        (void)reserved;
    }
}

int32_t scheduler_plan(struct scheduler *s)
{
    int32_t budget = s->max_rows - s->n_running;
    int32_t total = 0;

    /* Sequences that decode take one row each; prefill shares what is left, but never starves. */
    if (budget < s->prefill_chunk)
        budget = s->prefill_chunk;
    for (int32_t i = 0; i < s->n_running; i++) {
        struct model_session *x = s->running[i];
        int32_t rows = x->n_ids - x->kv_len;

        if (rows > 1) {
            if (rows > s->prefill_chunk)
                rows = s->prefill_chunk;
            if (rows > budget + 1)
                rows = budget + 1;
            budget -= rows - 1;
        }
        x->plan_rows = rows;
        if (pages_for_rows(s, i, x->kv_len + rows)) {
            look_ahead(s, x);
        } else if (i == 0) {
            no_pages(s, x);
            x->plan_rows = 0;
        } else {
            preempt_last(s); /* x itself: it is the last, and those before it go on */
        }
    }
    for (int32_t i = 0; i < s->n_running; i++)
        total += s->running[i]->plan_rows;
    return total;
}

void scheduler_sweep(struct scheduler *s, void (*fn)(void *ctx, struct model_session *x), void *ctx)
{
    int32_t n = 0;

    for (int32_t i = 0; i < s->n_running; i++) {
        struct model_session *x = s->running[i];

        if (!x->ended) {
            s->running[n++] = x;
            continue;
        }
        publish(s, x);
        session_release_spare(x, s->kv);
        fn(ctx, x);
    }
    s->n_running = n;
}

static void forget_tree(struct model_session *x)
{
    x->tree_pages = 0;
    x->tree_node = PREFIX_ROOT;
}

void scheduler_new_weights(struct scheduler *s, int64_t serial)
{
    for (struct model_session *x = s->idle.first; x; x = x->next)
        session_drop_kv(x, s->kv);
    for (struct model_session *x = s->waiting.first; x; x = x->next)
        forget_tree(x);
    for (int32_t i = 0; i < s->n_running; i++)
        forget_tree(s->running[i]);
    if (s->tree)
        prefix_tree_clear(s->tree);
    s->serial = serial;
}
