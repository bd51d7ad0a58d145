/* troupe_wait.c - see troupe_wait.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/troupe_wait.h"

#include <stdlib.h>
#include <string.h>

#include "agents/question.h"
#include "runtime/base/memory.h"
#include "runtime/base/time_text.h"
#include "runtime/store/query.h"

bool wait_is_question(const struct wait_row *w)
{
    return w->is_open && strcmp(w->kind, "timer") != 0;
}

static struct json *or_null(struct json *v)
{
    return v ? jv_deep_copy(v) : jv_null();
}

struct json *wait_document(const struct wait_row *w)
{
    struct json *o = jv_object();
    struct str deadline = STR_INIT;

    if (w->deadline_ms)
        time_put_rfc3339(&deadline, w->deadline_ms);
    jv_set_string(o, "path", w->path);
    jv_set_string(o, "kind", w->kind);
    jv_set_adopt(o, "prompt", or_null(jv_get(w->prompt, "text")));
    jv_set_adopt(o, "options", or_null(jv_get(w->prompt, "options")));
    jv_set_adopt(o, "default", or_null(jv_get(w->prompt, "default")));
    jv_set_adopt(o, "deadline", w->deadline_ms ? jv_string(str_cstr(&deadline)) : jv_null());
    str_deinit(&deadline);
    return o;
}

static bool add_open(void *ctx, const struct wait_row *w)
{
    if (wait_is_question(w))
        jv_append_adopt(ctx, wait_document(w));
    return true;
}

enum status troupe_waits(struct troupe *t, const char *uuid, struct json **out, struct error *err)
{
    struct store_reader *q;
    struct json *list = jv_array();
    enum status st = troupe_reader(t, &q, err);

    if (!st)
        st = query_waits(q, uuid, add_open, list, err);
    if (st) {
        jv_unref(list);
        return st;
    }
    *out = list;
    return STATUS_OK;
}

struct inbox {
    struct json *list;
    size_t most;
};

static bool add_of_all(void *ctx, const struct wait_row *w)
{
    struct inbox *all = ctx;
    struct json *o;

    if (!wait_is_question(w) || strcmp(w->kind, "message") == 0) /* a talk asks nothing */
        return true;
    o = wait_document(w);
    jv_set_string(o, "run", w->run);
    jv_set_string(o, "name", w->run_name);
    jv_append_adopt(all->list, o);
    return all->most == 0 || jv_size(all->list) < all->most;
}

enum status troupe_inbox(struct troupe *t, size_t most, struct json **out, struct error *err)
{
    struct json *list = jv_array();
    struct inbox all = {list, most};
    struct store_reader *q;
    enum status st = troupe_reader(t, &q, err);

    if (!st)
        st = query_open_waits(q, add_of_all, &all, err);
    if (st) {
        jv_unref(list);
        return st;
    }
    *out = list;
    return STATUS_OK;
}

/* ---- answering */

/* The only open question; without one, the last closed one. */
struct wanted {
    const char *path; /* NULL: any */
    char *found;
    struct json *prompt;
    int n_open;
};

static bool find_wait(void *ctx, const struct wait_row *w)
{
    struct wanted *o = ctx;

    if ((o->path && strcmp(o->path, w->path) != 0) || (o->n_open > 0 && !wait_is_question(w)))
        return true;
    if (!o->path && strcmp(w->kind, "timer") == 0) /* a timer takes no answer */
        return true;
    free(o->found);
    jv_unref(o->prompt);
    o->found = xstrdup(w->path);
    o->prompt = w->prompt ? jv_deep_copy(w->prompt) : NULL;
    o->n_open += wait_is_question(w);
    return true;
}

static bool add_path(void *ctx, const struct wait_row *w)
{
    struct str *list = ctx;

    if (wait_is_question(w))
        str_printf(list, "%s%s", list->len ? ", " : "", w->path);
    return true;
}

/* What can be answered in its place. */
static enum status hint_open(struct store_reader *q, const char *uuid, struct error *err)
{
    struct error ignored = ERROR_INIT;
    struct str list = STR_INIT;

    if (!query_waits(q, uuid, add_path, &list, &ignored) && list.len)
        error_hint(err, "its open questions: %s", str_cstr(&list));
    str_deinit(&list);
    return STATUS_NOT_FOUND;
}

static enum status only_wait(struct store_reader *q, const char *uuid, struct wanted *o,
                             struct error *err)
{
    enum status st = query_waits(q, uuid, find_wait, o, err);

    /* The store gives the reason why a closed question takes no answer. */
    if (!st && !o->found) {
        (void)error_set(err, STATUS_NOT_FOUND, "%s has no open question%s%s", uuid,
                        o->path ? " at " : "", o->path ? o->path : "");
        return hint_open(q, uuid, err);
    }
    if (!st && o->n_open > 1) {
        (void)error_set(err, STATUS_USAGE, "%s has %d open questions; choose one with RUN/PATH",
                        uuid, o->n_open);
        error_hint(err, "`troupe inbox` lists them");
        return STATUS_USAGE;
    }
    return st;
}

/* The path of the question, which is the caller's, and what to record for the text. */
static enum status read_answer(struct troupe *t, const char *uuid, const char *path,
                               const char *text, char **found, struct json **answer,
                               struct error *err)
{
    struct wanted wanted = {.path = path};
    struct store_reader *q;
    enum status st = troupe_reader(t, &q, err);

    if (!st)
        st = only_wait(q, uuid, &wanted, err);
    if (!st && wanted.n_open == 0) /* the store refuses every answer */
        *answer = jv_null();
    else if (!st)
        st = question_read_answer(wanted.prompt, text, answer, err);
    jv_unref(wanted.prompt);
    if (st)
        free(wanted.found);
    else
        *found = wanted.found;
    return st;
}

enum status troupe_answer(struct troupe *t, const char *uuid, const char *path, const char *text,
                          struct error *err)
{
    struct json *answer;
    char *found;
    enum status st = read_answer(t, uuid, path, text, &found, &answer, err);

    if (st)
        return st;
    st = store_answer(troupe_store(t), uuid, found, answer, err);
    jv_unref(answer);
    free(found);
    return st;
}

enum status troupe_answer_later(struct troupe *t, const char *uuid, const char *path,
                                const char *text, txn_done done, void *ctx, struct error *err)
{
    struct json *answer;
    char *found;
    enum status st = read_answer(t, uuid, path, text, &found, &answer, err);

    if (st)
        return st;
    store_answer_later(troupe_store(t), uuid, found, answer, done, ctx);
    jv_unref(answer);
    free(found);
    return STATUS_OK;
}
