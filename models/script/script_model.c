/* script_model.c - the vtable over a file of replies.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/script/script_model.h"

#include <stdlib.h>
#include <string.h>

#include "models/script/script_delay.h"
#include "models/script/script_file.h"
#include "models/script/script_stream.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

struct script_model {
    struct model model;
    struct script_file file;
    struct script_delay *delay; /* NULL: every answer comes at once */
    char *name;
    const char *path; /* inside name */
};

static struct script_model *script_of(struct model *m)
{
    return CONTAINER_OF(m, struct script_model, model);
}

/* A session has no state, since the reply depends on the path alone: one byte, as a handle. */
static enum status session_open(struct model *m, const struct model_session_options *o,
                                struct model_session **out, struct error *err)
{
    (void)m;
    if (o && o->adapter)
        return error_set(err, STATUS_UNSUPPORTED,
                         "a scripted model does not support adapters (\"%.80s\")", o->adapter);
    *out = xmalloc(1);
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
    free(s);
}

/* The delay of the answer in ms. */
static int64_t fill_answer(const struct script_model *s, struct model_call *c)
{
    const char *path = c->path ? c->path : "";
    const struct script_reply *r = script_file_find(&s->file, path);

    model_call_reset(c);
    c->finish = FINISH_STOP;
    if (!r) {
        c->finish = FINISH_ERROR;
        c->status = error_at(&c->err, STATUS_NOT_FOUND, s->path, 0, 0,
                             "no reply for \"%s\", and no default", path);
        return 0;
    }
    if (r->error) {
        c->finish = FINISH_ERROR;
        c->status = error_set(&c->err, STATUS_FAILED, "%s", r->error);
        return r->delay_ms;
    }
    if (r->cut)
        c->finish = FINISH_LENGTH;
    if (r->text)
        c->text = xstrdup(r->text);
    /* A copy: counts of references are not shared between threads. */
    if (r->tool_calls)
        c->tool_calls = jv_deep_copy(r->tool_calls);
    c->usage = model_usage_estimate(c->messages, c->tools, c->text, c->tool_calls);
    return r->delay_ms;
}

static void start(struct model *m, struct model_call *c)
{
    struct script_model *s = script_of(m);
    int64_t delay_ms = fill_answer(s, c);

    if (delay_ms > 0) {
        script_delay_post(s->delay, c, delay_ms);
        return;
    }
    for (int32_t i = 0; i < SCRIPT_PIECES; i++)
        script_stream_piece(c, i);
    mailbox_post(c->reply, &c->mail);
}

static void cancel(struct model *m, struct model_call *c)
{
    struct script_model *s = script_of(m);

    if (!s->delay || !script_delay_remove(s->delay, c))
        return; /* the answer was posted; the caller owns the call again */
    model_call_clear_text(c);
    model_call_reset(c);
    c->cancelled = true;
    c->finish = FINISH_CANCELLED;
    c->status = error_set(&c->err, STATUS_CANCELLED, "the call was cancelled");
    mailbox_post(c->reply, &c->mail);
}

static void close_model(struct model *m)
{
    struct script_model *s = script_of(m);

    script_delay_free(s->delay);
    script_file_deinit(&s->file);
    free(s->name);
    free(s);
}

static const struct model_ops script_ops = {
    .session_open = session_open,
    .session_fork = session_fork,
    .session_close = session_close,
    .start = start,
    .cancel = cancel,
    .close = close_model,
};

enum status script_model_open(const char *path, struct model **out, struct error *err)
{
    struct script_model *s = xcalloc(1, sizeof(*s));
    struct str name = STR_INIT;
    enum status st = script_file_load(path, &s->file, err);

    if (!st && s->file.has_delay)
        st = script_delay_new(&s->delay, err);
    if (st) {
        script_file_deinit(&s->file);
        free(s);
        return st;
    }
    str_printf(&name, "script:%s", path);
    s->name = str_take(&name);
    s->path = s->name + sizeof("script:") - 1;
    s->model.ops = &script_ops;
    s->model.info = (struct model_info){
        .name = s->name,
        .kind = "script",
        .hash = s->file.hash,
    };
    *out = &s->model;
    return STATUS_OK;
}
