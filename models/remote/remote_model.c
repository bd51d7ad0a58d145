/* remote_model.c - the vtable. Sessions are used from any thread; the work is done on the loop's.
 *
 * A remote server keeps no state of a conversation, so a session only connects the threads: what
 * its user asks for is posted to a box on the loop, in order. Each kind of note has one node, which
 * is enough: a session has one call at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/remote_model.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "models/remote/remote_call.h"
#include "runtime/base/memory.h"
#include "runtime/config/secret.h"
#include "runtime/http/http_url.h"

struct remote_model {
    struct model model;
    struct remote_servers *all;
    struct remote_server *server;
    struct remote_spec spec;
    struct address_policy policy;
    char *name;
    struct model_session *busy; /* with a call under way; loop thread */
};

enum note_kind { NOTE_START, NOTE_CANCEL, NOTE_CLOSE };
struct remote_note {
    struct mail mail; /* first */
    enum note_kind kind;
    struct model_session *session;
};

struct model_session {
    struct remote_model *model;
    struct remote_note start, cancel, close;
    _Atomic bool cancel_posted;
    struct model_call *call; /* written before the start is posted */
    /* ---- of the loop's thread */
    struct remote_call *work; /* NULL: none under way */
    struct model_session *prev, *next;
};

static struct remote_model *remote_of(struct model *m)
{
    return CONTAINER_OF(m, struct remote_model, model);
}

static void post(struct model_session *x, struct remote_note *n)
{
    mailbox_post(loop_box_mailbox(x->model->all->box), &n->mail);
}

static enum status session_open(struct model *m, const struct model_session_options *o,
                                struct model_session **out, struct error *err)
{
    struct model_session *x;

    if (o && o->adapter)
        return error_set(err, STATUS_UNSUPPORTED,
                         "a remote model does not support adapters (\"%.80s\")", o->adapter);
    x = mem_alloc(1, sizeof(*x));
    if (!x)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a session");
    x->model = remote_of(m);
    x->start = (struct remote_note){.kind = NOTE_START, .session = x};
    x->cancel = (struct remote_note){.kind = NOTE_CANCEL, .session = x};
    x->close = (struct remote_note){.kind = NOTE_CLOSE, .session = x};
    *out = x;
    return STATUS_OK;
}

static enum status session_fork(struct model *m, struct model_session *from,
                                struct model_session **out, struct error *err)
{
    (void)from;
    return session_open(m, NULL, out, err);
}

static void session_close(struct model *m, struct model_session *s)
{
    (void)m;
    post(s, &s->close); /* after a cancel that may still be on its way */
}

static void start(struct model *m, struct model_call *c)
{
    struct model_session *x = c->session;

    (void)m;
    model_call_reset(c);
    x->call = c;
    post(x, &x->start);
}

static void cancel(struct model *m, struct model_call *c)
{
    struct model_session *x = c->session;

    (void)m;
    if (!atomic_exchange(&x->cancel_posted, true))
        post(x, &x->cancel);
}

/* ---- on the loop's thread */

static void on_answer(void *ctx)
{
    struct model_session *x = ctx;
    struct model_call *c = x->call;

    if (x->prev)
        x->prev->next = x->next;
    else
        x->model->busy = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->prev = x->next = NULL;
    x->call = NULL;
    mailbox_post(c->reply, &c->mail); /* from here on the caller owns c and x */
}

static void begin(struct model_session *x)
{
    struct remote_model *r = x->model;
    struct remote_call_spec s = {.spec = &r->spec,
                                 .policy = &r->policy,
                                 .server = r->server,
                                 .call = x->call,
                                 .info = &r->model.info,
                                 .done = on_answer,
                                 .ctx = x};

    x->next = r->busy;
    if (r->busy)
        r->busy->prev = x;
    r->busy = x;
    remote_call_start(&s, &x->work);
}

static void handle(struct remote_note *n)
{
    struct model_session *x = n->session;

    switch (n->kind) {
    case NOTE_START:
        begin(x);
        return;
    case NOTE_CANCEL:
        atomic_store(&x->cancel_posted, false);
        if (x->work)
            remote_call_cancel(x->work);
        return;
    case NOTE_CLOSE:
        assert(!x->work);
        free(x);
        return;
    }
}

void remote_notes_handle(void *ctx, struct mail *m)
{
    (void)ctx;
    while (m) {
        struct mail *next = m->next;

        handle(CONTAINER_OF(m, struct remote_note, mail));
        m = next;
    }
}

static void close_model(struct model *m)
{
    struct remote_model *r = remote_of(m);

    remote_servers_drain(r->all);
    while (r->busy)
        remote_call_cancel(r->busy->work);
    remote_server_unref(r->server);
    remote_spec_deinit(&r->spec);
    free(r->name);
    free(r);
}

static const struct model_ops remote_ops = {
    .session_open = session_open,
    .session_fork = session_fork,
    .session_close = session_close,
    .start = start,
    .cancel = cancel,
    .close = close_model,
};

/* ---- opening */

static void put_member(struct json *v, const char *key, const char *text)
{
    /* A secret that is not a reference is not even hashed. */
    if (text)
        jv_set_string(v, key, secret_is_reference(text) ? text : "");
}

/* What makes it this model: where it is, its name there, and what each request adds. */
static struct sha256 hash_of(const struct remote_spec *spec)
{
    struct json *v = jv_object(), *headers = jv_object(), *value;
    struct str text = STR_INIT;
    struct sha256 hash;
    const char *name;

    jv_set_string(v, "url", spec->url);
    jv_set_string(v, "model", spec->model);
    put_member(v, "key", spec->key);
    for (void *it = NULL; (it = jv_next(spec->headers, it, &name, &value));)
        put_member(headers, name, jv_get_string(value, ""));
    jv_set_adopt(v, "headers", headers);
    if (spec->body)
        jv_set_adopt(v, "body", jv_ref(spec->body));
    jv_write_canonical(v, &text);
    hash = sha256_of(str_cstr(&text), text.len);
    str_deinit(&text);
    jv_unref(v);
    return hash;
}

static void fill_info(struct remote_model *r)
{
    const struct remote_spec *s = &r->spec;

    r->model.info = (struct model_info){.name = r->name,
                                        .kind = "remote",
                                        .gives_ids = s->ids != REMOTE_IDS_NONE,
                                        .takes_schema = s->strict_schema,
                                        .price_input = s->price_input,
                                        .price_cached = s->price_cached,
                                        .price_output = s->price_output,
                                        .hash = hash_of(s),
                                        .context = s->context};
}

enum status remote_model_open(struct remote_servers *s, const char *name,
                              const struct remote_spec *spec, struct model **out, struct error *err)
{
    struct remote_model *r;
    struct http_url u;
    enum status st = http_url_parse(spec->url, &u, err);

    if (st)
        return st;
    r = xcalloc(1, sizeof(*r));
    r->all = s;
    remote_spec_copy(spec, &r->spec);
    r->name = xstrdup(name);
    r->policy = (struct address_policy){.allow_http = !u.is_https,
                                        .allow_loopback = spec->allow_local,
                                        .allow_private = spec->allow_local};
    r->server = remote_server_ref(s, u.origin, spec->max_concurrent);
    http_url_deinit(&u);
    r->model.ops = &remote_ops;
    fill_info(r);
    *out = &r->model;
    return STATUS_OK;
}
