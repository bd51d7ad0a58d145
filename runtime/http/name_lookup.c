/* name_lookup.c - getaddrinfo on threads of its own.
 *
 * A job belongs to the loop's thread and, while it runs, to its thread: each has a reference. The
 * thread posts it to the mailbox under its lock, unless it was closed: so that the mailbox can be
 * freed while threads still wait for a name server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/http/name_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "runtime/loop/loop.h"

struct name_lookup {
    struct name_lookup *next, **link; /* in a list of the owner */
    struct name_lookups *owner;
    name_found found; /* NULL: nobody waits */
    void *ctx;
    bool is_running; /* in the list `running`, until its mail was handled */
    atomic_int references;
    pthread_mutex_t lock;
    bool closed; /* under the lock: nothing is posted any more */
    struct mailbox *box;
    struct mail mail;
    /* Written by the thread before it posts. */
    char host[256];
    char address[LOOKUP_ADDRESSES_MAX][LOOKUP_TEXT];
    int32_t n;
    enum status st;
    struct error err;
};

struct name_lookups {
    struct loop_box *box;
    struct name_lookup *running, *waiting, **last_waiting;
    int n_running;
};

static void unref(struct name_lookup *l)
{
    if (atomic_fetch_sub(&l->references, 1) > 1)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* ---- on the thread */

static void take_addresses(struct name_lookup *l, const struct addrinfo *all)
{
    for (const struct addrinfo *a = all; a && l->n < LOOKUP_ADDRESSES_MAX; a = a->ai_next) {
        const void *bytes =
            a->ai_family == AF_INET6
                ? (const void *)&((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr
                : (const void *)&((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr;

        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
            inet_ntop(a->ai_family, bytes, l->address[l->n], LOOKUP_TEXT))
            l->n++;
    }
}

static void look_up(struct name_lookup *l)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *all = NULL;
    int rc = getaddrinfo(l->host, NULL, &hints, &all);

    if (rc == 0) {
        take_addresses(l, all);
        freeaddrinfo(all);
    }
    if (l->n > 0)
        l->st = STATUS_OK;
    else if (rc == 0 || rc == EAI_NONAME || rc == EAI_NODATA)
        l->st = error_set(&l->err, STATUS_NOT_FOUND, "there is no host %s", l->host);
    else
        l->st = error_set(&l->err, rc == EAI_MEMORY ? STATUS_NO_MEMORY : STATUS_IO,
                          "the address of %s could not be found: %s", l->host, gai_strerror(rc));
}

static void *run_lookup(void *ctx)
{
    struct name_lookup *l = ctx;

    look_up(l);
    pthread_mutex_lock(&l->lock);
    if (!l->closed)
        mailbox_post(l->box, &l->mail);
    pthread_mutex_unlock(&l->lock);
    unref(l);
    return NULL;
}

/* ---- on the loop */

static void unlink_lookup(struct name_lookup *l)
{
    *l->link = l->next;
    if (l->next)
        l->next->link = l->link;
    else if (l->owner->last_waiting == &l->next)
        l->owner->last_waiting = l->link;
}

static void run(struct name_lookup *l)
{
    struct name_lookups *n = l->owner;
    pthread_t thread;
    int e;

    l->next = n->running;
    l->link = &n->running;
    if (l->next)
        l->next->link = &l->next;
    n->running = l;
    n->n_running++;
    l->is_running = true;
    atomic_fetch_add(&l->references, 1);
    e = thread_start(&thread, run_lookup, l);
    if (e == 0) {
        pthread_detach(thread);
        return;
    }
    l->st = error_errno(&l->err, e, "starting a thread to find the address of %s", l->host);
    mailbox_post(l->box, &l->mail);
    unref(l);
}

static void run_waiting(struct name_lookups *n)
{
    while (n->waiting && n->n_running < LOOKUP_THREADS) {
        struct name_lookup *l = n->waiting;

        unlink_lookup(l);
        run(l);
    }
}

static void on_mail(void *ctx, struct mail *all)
{
    struct name_lookups *n = ctx;

    while (all) {
        struct name_lookup *l = CONTAINER_OF(all, struct name_lookup, mail);

        all = all->next;
        unlink_lookup(l);
        n->n_running--;
        if (l->found) {
            loop_box_hold(n->box, -1);
            l->found(l->ctx, l->st, l->address, l->n, &l->err);
        }
        unref(l);
    }
    run_waiting(n);
}

struct name_lookups *name_lookups_new(struct loop *l)
{
    struct name_lookups *n = xcalloc(1, sizeof(*n));

    n->last_waiting = &n->waiting;
    n->box = loop_box_new(l, on_mail, n);
    return n;
}

void name_lookups_free(struct name_lookups *n)
{
    struct name_lookup *l;

    if (!n)
        return;
    while ((l = n->waiting)) {
        unlink_lookup(l);
        unref(l);
    }
    for (l = n->running; l; l = l->next) {
        pthread_mutex_lock(&l->lock);
        l->closed = true;
        pthread_mutex_unlock(&l->lock);
    }
    (void)mailbox_take(loop_box_mailbox(n->box)); /* they are in `running` as well */
    while ((l = n->running)) {
        unlink_lookup(l);
        unref(l);
    }
    loop_box_free(n->box);
    free(n);
}

struct name_lookup *name_lookup_start(struct name_lookups *n, const char *host, name_found found,
                                      void *ctx)
{
    struct name_lookup *l = xcalloc(1, sizeof(*l));

    l->owner = n;
    l->found = found;
    l->ctx = ctx;
    l->box = loop_box_mailbox(n->box);
    atomic_init(&l->references, 1);
    pthread_mutex_init(&l->lock, NULL);
    (void)snprintf(l->host, sizeof(l->host), "%s", strlen(host) < sizeof(l->host) ? host : "");
    l->link = n->last_waiting;
    *n->last_waiting = l;
    n->last_waiting = &l->next;
    loop_box_hold(n->box, 1);
    run_waiting(n);
    return l;
}

void name_lookup_cancel(struct name_lookup *l)
{
    loop_box_hold(l->owner->box, -1);
    l->found = NULL;
    if (l->is_running)
        return; /* on_mail lets it go */
    unlink_lookup(l);
    unref(l);
}
