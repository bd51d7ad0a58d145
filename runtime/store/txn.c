/* txn.c - transactions: building, posting, completing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/txn.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/store/run_row.h"
#include "runtime/store/store_internal.h"

#define TXN_TEXT_MAX ((size_t)256 << 20)

/* In front of each operation's arguments. */
struct op_head {
    txn_apply apply;
    size_t size_bytes; /* of the arguments, rounded up to the head's alignment */
};

struct txn *txn_new_for_run(struct store *s, struct run_writer *run)
{
    struct txn *t = xcalloc(1, sizeof(*t));

    t->store = s;
    t->run = run ? run_writer_ref(run) : NULL;
    str_init(&t->text, TXN_TEXT_MAX);
    return t;
}

struct txn *txn_new(struct store *s)
{
    return txn_new_for_run(s, NULL);
}

void txn_free(struct txn *t)
{
    if (!t)
        return;
    run_writer_unref(t->run);
    str_deinit(&t->text);
    free(t->ops);
    free(t->error);
    free(t);
}

bool txn_is_empty(const struct txn *t)
{
    return t->ops_bytes == 0;
}

static void lost(struct txn *t, enum status status, const char *what)
{
    struct error err;

    if (t->status == STATUS_OK)
        txn_fail(t, error_set(&err, status, "%s", what), &err);
}

void *txn_add(struct txn *t, txn_apply apply, size_t size_bytes)
{
    size_t rounded = (size_bytes + sizeof(struct op_head) - 1) & ~(sizeof(struct op_head) - 1);
    size_t need = t->ops_bytes + sizeof(struct op_head) + rounded;
    struct op_head *head;

    if (need > t->ops_cap) {
        size_t cap = t->ops_cap ? t->ops_cap * 2 : 1024;
        void *p = t->ops;

        while (cap < need)
            cap *= 2;
        if (!mem_grow(&p, cap, 1)) {
            lost(t, STATUS_NO_MEMORY, "no memory for a transaction");
            return NULL;
        }
        t->ops = p;
        t->ops_cap = cap;
    }
    head = (struct op_head *)(void *)(t->ops + t->ops_bytes);
    head->apply = apply;
    head->size_bytes = rounded;
    memset(head + 1, 0, rounded);
    t->ops_bytes = need;
    return head + 1;
}

struct txn_text txn_text_since(struct txn *t, size_t at)
{
    if (!str_ok(&t->text)) {
        lost(t, STATUS_LIMIT, "a transaction holds more text than fits");
        return (struct txn_text){TXN_NO_TEXT, 0};
    }
    return (struct txn_text){(uint32_t)at, (uint32_t)(t->text.len - at)};
}

struct txn_text txn_put(struct txn *t, const void *bytes, size_t n)
{
    size_t at = t->text.len;

    if (!bytes)
        return (struct txn_text){TXN_NO_TEXT, 0};
    str_append(&t->text, bytes, n);
    str_putc(&t->text, '\0'); /* so that a lent text is a C string too */
    if (str_ok(&t->text))
        return (struct txn_text){(uint32_t)at, (uint32_t)n};
    return txn_text_since(t, at); /* marks the transaction */
}

struct txn_text txn_put_words(struct txn *t, const char *text)
{
    return txn_put(t, text, text ? strlen(text) : 0);
}

struct txn_text txn_put_json(struct txn *t, const struct json *v)
{
    size_t at = t->text.len;
    struct txn_text text;

    if (!v)
        return (struct txn_text){TXN_NO_TEXT, 0};
    jv_write(v, 0, &t->text);
    text = txn_text_since(t, at);
    str_putc(&t->text, '\0');
    return text;
}

struct cell txn_cell(const struct txn *t, struct txn_text text)
{
    if (text.at == TXN_NO_TEXT)
        return (struct cell){.data = NULL};
    return (struct cell){.data = str_cstr(&t->text) + text.at, .n = text.n};
}

enum status txn_apply_all(struct txn *t, struct store_db *db, struct error *err)
{
    struct txn_context c = {.store = t->store, .db = db, .run = t->run, .txn = t};
    size_t at = 0;

    while (at < t->ops_bytes) {
        struct op_head *head = (struct op_head *)(void *)(t->ops + at);
        enum status status = head->apply(&c, head + 1, err);

        if (status)
            return status;
        at += sizeof(*head) + head->size_bytes;
    }
    return STATUS_OK;
}

void txn_fail(struct txn *t, enum status status, const struct error *err)
{
    t->status = status;
    if (!t->error)
        t->error = xmalloc(sizeof(*t->error));
    if (err && err->status)
        *t->error = *err;
    else
        (void)error_set(t->error, status, "the store rejected a transaction");
}

void txn_complete(struct txn *t)
{
    if (t->reply && t->done) {
        mailbox_post(t->reply, &t->mail);
        return;
    }
    if (t->done)
        t->done(t->ctx, t->status, t->error);
    txn_free(t);
}

void txn_post(struct txn *t, struct mailbox *reply, txn_done done, void *ctx)
{
    t->reply = reply;
    t->done = done;
    t->ctx = ctx;
    store_thread_post(t->store, t);
}

void store_drain_replies(struct mailbox *reply)
{
    store_take_replies(mailbox_take(reply));
}

void store_take_replies(struct mail *m)
{
    while (m) {
        struct txn *t = CONTAINER_OF(m, struct txn, mail);

        m = m->next;
        t->done(t->ctx, t->status, t->error);
        txn_free(t);
    }
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t there;
    bool is_done;
    enum status status;
    struct error *err;
};

static void wake_waiter(void *ctx, enum status status, const struct error *err)
{
    struct waiter *w = ctx;

    pthread_mutex_lock(&w->lock);
    w->status = status;
    if (err && w->err)
        *w->err = *err;
    w->is_done = true;
    pthread_cond_signal(&w->there);
    pthread_mutex_unlock(&w->lock);
}

enum status txn_post_wait(struct txn *t, struct error *err)
{
    struct waiter w = {.err = err};

    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.there, NULL);
    txn_post(t, NULL, wake_waiter, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.there, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.there);
    pthread_mutex_destroy(&w.lock);
    return w.status;
}
