/* question.c - asks a question and checks for its answer and its deadline.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agents/question.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

struct question {
    struct run *run;
    char *path;
    int32_t attempt;
    int64_t deadline_ms;
    bool must_sync; /* the disk still has the previous question */
    const struct seams *seams;
    struct loop_timer *timer;
    question_answered answered; /* NULL: it has been called */
    void *ctx;
};

static void deliver(struct question *q, const struct json *answer, const struct error *err)
{
    question_answered answered = q->answered;

    assert(answered);
    q->answered = NULL;
    loop_timer_free(q->timer);
    q->timer = NULL;
    answered(q->ctx, answer, err);
}

/* Syncs only if the row was just asked again, or if the deadline has passed: an answer that the
 * store has already accepted from another process must not be lost. */
static enum status look(struct question *q, bool is_over, struct json **answer, struct error *err)
{
    enum status st = STATUS_OK;

    if (is_over)
        journal_wait_expire(q->run, q->path, q->attempt);
    if (is_over || q->must_sync)
        st = journal_sync(q->run, err);
    if (st)
        return st;
    q->must_sync = false;
    return journal_wait_answer(q->run, q->path, q->attempt, answer, err);
}

void question_look(struct question *q)
{
    bool is_over = q->deadline_ms > 0 && seams_wall_ms(q->seams) >= q->deadline_ms;
    struct json *answer = NULL;
    struct error err = ERROR_INIT;
    bool failed;

    if (!q->answered)
        return;
    failed = look(q, is_over, &answer, &err) != STATUS_OK;
    if (failed || answer || is_over)
        deliver(q, answer, failed ? &err : NULL);
    jv_unref(answer);
}

static void on_deadline(void *ctx)
{
    struct question *q = ctx;

    loop_timer_free(q->timer);
    q->timer = NULL;
    question_look(q);
}

struct question *question_open(const struct question_spec *s, question_answered answered, void *ctx)
{
    assert(s->run && s->path && answered);
    struct question *q = xcalloc(1, sizeof(*q));
    int64_t left = s->deadline_ms - seams_wall_ms(s->seams);

    q->run = s->run;
    q->path = xstrdup(s->path);
    q->attempt = s->attempt;
    q->deadline_ms = s->deadline_ms;
    q->seams = s->seams;
    q->answered = answered;
    q->ctx = ctx;
    q->must_sync = s->ask_again;
    if (s->ask_again)
        journal_wait_close(s->run, s->path, s->attempt);
    journal_wait(s->run, s->path, s->attempt, s->kind, s->prompt, s->deadline_ms);
    if (s->loop && s->deadline_ms > 0)
        q->timer = loop_timer_new(s->loop, left > 0 ? left : 0, on_deadline, q);
    return q;
}

void question_close(struct question *q)
{
    if (!q)
        return;
    loop_timer_free(q->timer);
    free(q->path);
    free(q);
}

bool question_takes(const struct json *prompt, const struct json *answer)
{
    const struct json *options = jv_get(prompt, "options");

    for (size_t i = 0; i < jv_size(options); i++) {
        if (jv_equal(jv_at(options, i), answer))
            return true;
    }
    return !options;
}

enum status question_read_answer(const struct json *prompt, const char *text, struct json **out,
                                 struct error *err)
{
    const struct json *options = jv_get(prompt, "options");
    struct str list = STR_INIT;

    if (!options) {
        *out = jv_string(text);
        return STATUS_OK;
    }
    for (size_t i = 0; i < jv_size(options); i++) {
        struct json *option = jv_at(options, i);
        char *dumped = jv_dump(option);
        bool same = strcmp(jv_get_string(option, dumped), text) == 0;

        str_printf(&list, "%s%s", i ? ", " : "", jv_get_string(option, dumped));
        free(dumped);
        if (same) {
            str_deinit(&list);
            *out = jv_ref(option);
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_USAGE, "\"%.80s\" is not one of the answers: %.400s", text,
              str_cstr(&list));
    str_deinit(&list);
    return STATUS_USAGE;
}
