/* test_mailbox.c - mail arrives once, in each poster's order, and wakes the taker.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "runtime/base/mailbox.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "tests/support/check.h"

#define N_POSTERS 4
#define N_LETTERS 20000

struct letter {
    struct mail mail;
    int poster;
    int number;
};

struct poster {
    struct mailbox *box;
    struct letter *letters;
    int number;
};

static struct letter *letter_of(struct mail *m)
{
    return CONTAINER_OF(m, struct letter, mail);
}

static void mail_comes_oldest_first(void **state)
{
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct letter letters[5];
    struct mail *m;

    (void)state;
    assert_null(mailbox_take(box));
    for (int i = 0; i < 5; i++) {
        letters[i].number = i;
        mailbox_post(box, &letters[i].mail);
    }
    m = mailbox_take(box);
    for (int i = 0; i < 5; i++, m = m->next)
        assert_int_equal(letter_of(m)->number, i);
    assert_null(m);
    assert_null(mailbox_take(box));
    mailbox_free(box);
    mailbox_free(NULL);
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static void wake_is_called_when_it_was_empty(void **state)
{
    int wakes = 0;
    struct mailbox *box = mailbox_new(count, &wakes);
    struct mail a, b;

    (void)state;
    mailbox_post(box, &a);
    mailbox_post(box, &b);
    assert_int_equal(wakes, 1);
    assert_ptr_equal(mailbox_take(box), &a);
    mailbox_post(box, &b);
    assert_int_equal(wakes, 2);
    assert_ptr_equal(mailbox_take(box), &b);
    mailbox_free(box);
}

static void waiting_ends_at_its_time(void **state)
{
    struct mailbox *box = mailbox_new(NULL, NULL);
    int64_t began = seams_mono_us(seams_real());

    (void)state;
    assert_null(mailbox_wait(box, 0));
    assert_null(mailbox_wait(box, 30));
    assert_true(seams_mono_us(seams_real()) - began >= 30000);
    mailbox_free(box);
}

static void *post_all(void *arg)
{
    struct poster *p = arg;

    for (int i = 0; i < N_LETTERS; i++) {
        p->letters[i].poster = p->number;
        p->letters[i].number = i;
        mailbox_post(p->box, &p->letters[i].mail);
    }
    return NULL;
}

static void many_threads_post_and_one_waits(void **state)
{
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct poster posters[N_POSTERS];
    pthread_t threads[N_POSTERS];
    int next[N_POSTERS] = {0};
    int got = 0;

    (void)state;
    for (int i = 0; i < N_POSTERS; i++) {
        posters[i] = (struct poster){box, xcalloc(N_LETTERS, sizeof(struct letter)), i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    while (got < N_POSTERS * N_LETTERS) {
        struct mail *m = mailbox_wait(box, 20000);

        assert_non_null(m); /* a lost wake-up ends here */
        for (; m; m = m->next, got++) {
            struct letter *l = letter_of(m);

            assert_int_equal(l->number, next[l->poster]);
            next[l->poster]++;
        }
    }
    for (int i = 0; i < N_POSTERS; i++) {
        pthread_join(threads[i], NULL);
        free(posters[i].letters);
    }
    assert_null(mailbox_take(box));
    mailbox_free(box);
}

static void *post_after_a_while(void *arg)
{
    struct poster *p = arg;
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < 100; i++) {
        nanosleep(&pause, NULL); /* long enough for the taker to fall asleep */
        p->letters[i].number = i;
        mailbox_post(p->box, &p->letters[i].mail);
    }
    return NULL;
}

static void a_sleeper_is_woken(void **state)
{
    struct mailbox *box = mailbox_new(NULL, NULL);
    struct letter letters[100];
    struct poster p = {box, letters, 0};
    pthread_t thread;
    int expected = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, post_after_a_while, &p), 0);
    while (expected < 100) {
        for (struct mail *m = mailbox_wait(box, -1); m; m = m->next)
            assert_int_equal(letter_of(m)->number, expected++);
    }
    pthread_join(thread, NULL);
    mailbox_free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_comes_oldest_first),
        cmocka_unit_test(wake_is_called_when_it_was_empty),
        cmocka_unit_test(waiting_ends_at_its_time),
        cmocka_unit_test(many_threads_post_and_one_waits),
        cmocka_unit_test(a_sleeper_is_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
