/* test_loop.c - the loop ends when nothing holds it, keeps order, and hears other threads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>

#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "tests/support/check.h"

#define N_MAIL 500

struct world {
    struct loop *loop;
    struct loop_box *box;
    struct loop_timer *timer;
    int seen, ticks;
    int order[4], n_order;
};
struct note {
    struct mail mail;
    int number;
};

static void on_notes(void *ctx, struct mail *all)
{
    struct world *w = ctx;

    while (all) {
        struct note *n = CONTAINER_OF(all, struct note, mail);
        all = all->next;
        assert_int_equal(n->number, w->seen);
        w->seen++;
        free(n);
    }
    if (w->seen == N_MAIL)
        loop_box_hold(w->box, -1);
}

static void *post_many(void *ctx)
{
    struct world *w = ctx;

    for (int i = 0; i < N_MAIL; i++) {
        struct note *n = xcalloc(1, sizeof(*n));
        n->number = i;
        mailbox_post(loop_box_mailbox(w->box), &n->mail);
    }
    return NULL;
}

static void mail_from_a_thread_arrives_in_order_and_then_the_loop_ends(void **state)
{
    struct world w = {0};
    pthread_t thread;

    (void)state;
    assert_int_equal(loop_new(seams_real(), &w.loop, NULL), STATUS_OK);
    w.box = loop_box_new(w.loop, on_notes, &w);
    loop_box_hold(w.box, 1);
    assert_int_equal(pthread_create(&thread, NULL, post_many, &w), 0);
    loop_run(w.loop);
    pthread_join(thread, NULL);
    assert_int_equal(w.seen, N_MAIL);
    loop_box_free(w.box);
    loop_free(w.loop);
}

static void second(void *ctx)
{
    struct world *w = ctx;
    w->order[w->n_order++] = 2;
}

static void first(void *ctx)
{
    struct world *w = ctx;
    w->order[w->n_order++] = 1;
    loop_defer(w->loop, second, w);
}

static void late(void *ctx)
{
    struct world *w = ctx;
    w->order[w->n_order++] = 3;
    loop_timer_free(w->timer);
}

static void count(void *ctx)
{
    ((struct world *)ctx)->ticks++;
}

static void deferred_calls_run_before_timers_and_ticks_run_each_turn(void **state)
{
    struct world w = {0};
    struct loop_tick *tick;

    (void)state;
    assert_int_equal(loop_new(seams_real(), &w.loop, NULL), STATUS_OK);
    tick = loop_tick_new(w.loop, count, &w);
    loop_defer(w.loop, first, &w);
    w.timer = loop_timer_new(w.loop, 20, late, &w);
    loop_run(w.loop);
    assert_int_equal(w.n_order, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(w.order[i], i + 1);
    assert_true(w.ticks >= 2);
    loop_tick_free(tick);
    loop_free(w.loop);
}

static void a_loop_that_was_stopped_before_it_ran_is_freed_whole(void **state)
{
    struct world w = {0};

    (void)state;
    assert_int_equal(loop_new(seams_real(), &w.loop, NULL), STATUS_OK);
    w.timer = loop_timer_new(w.loop, 1000, late, &w);
    loop_timer_free(w.timer);
    loop_stop(w.loop);
    loop_free(w.loop); /* the leak checker watches */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_from_a_thread_arrives_in_order_and_then_the_loop_ends),
        cmocka_unit_test(deferred_calls_run_before_timers_and_ticks_run_each_turn),
        cmocka_unit_test(a_loop_that_was_stopped_before_it_ran_is_freed_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
