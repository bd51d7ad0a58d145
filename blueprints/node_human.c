/* node_human.c - human: a question that stands in the store until someone answers or its time is
 * over.
 *
 * The question is a wait row under the step's path and attempt, so that any process may answer it
 * and an answer reaches only its own branch. Its deadline counts from the first asking, also
 * through restarts. An answer that is none of the options ends the attempt, and the question stands
 * again as the next one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "blueprints/frame_question.h"
#include "blueprints/frame_vars.h"
#include "blueprints/runner.h"
#include "blueprints/step.h"

struct question {
    struct loop_timer *timer;
    void (*answered)(struct frame *f, const struct json *answer);
};

void question_end(struct frame *f)
{
    if (!f->question)
        return;
    loop_timer_free(f->question->timer);
    free(f->question);
    f->question = NULL;
}

static void tell_answer(struct frame *f, const struct json *answer)
{
    void (*answered)(struct frame *, const struct json *) = f->question->answered;

    question_end(f);
    answered(f, answer);
}

void question_poll(struct frame *f)
{
    struct json *answer = NULL;
    struct error err = ERROR_INIT;

    if (journal_wait_answer(f->host->run, f->path, f->attempt, &answer, &err)) {
        frame_fatal(f, &err);
        return;
    }
    if (answer)
        tell_answer(f, answer);
    jv_unref(answer);
}

/* An answer that came in the last moment counts. */
static void on_deadline(void *ctx)
{
    struct frame *f = ctx;

    loop_timer_free(f->question->timer);
    f->question->timer = NULL;
    question_poll(f);
    if (f->question && f->state == FRAME_WAITING)
        tell_answer(f, NULL);
}

void question_ask(struct frame *f, const char *kind, struct json *adopt_prompt, int64_t deadline_ms,
                  void (*answered)(struct frame *f, const struct json *answer))
{
    int64_t left = deadline_ms - frame_now(f);

    journal_wait(f->host->run, f->path, f->attempt, kind, adopt_prompt, deadline_ms);
    jv_unref(adopt_prompt);
    step_record_waiting(f, deadline_ms);
    f->question = xcalloc(1, sizeof(*f->question));
    f->question->answered = answered;
    f->question->timer = loop_timer_new(f->host->loop, left > 0 ? left : 0, on_deadline, f);
    /* A question that was asked before may have its answer, or be over. */
    if (!f->recovered)
        return;
    question_poll(f);
    if (f->question && left <= 0)
        tell_answer(f, NULL);
}

/* ---- the step */

static bool is_among(const struct json *list, const struct json *v)
{
    for (size_t i = 0; i < jv_size(list); i++) {
        if (jv_equal(jv_at(list, i), v))
            return true;
    }
    return false;
}

static void accept_answer(struct frame *f, const struct json *answer, const char *who)
{
    char *text;

    if (is_among(f->step->reject, answer)) {
        text = jv_dump(answer);
        frame_end(f, STEP_REJECTED, NULL, "%s %s", who, text);
        free(text);
        return;
    }
    frame_end(f, STEP_OK, jv_deep_copy(answer), NULL);
}

static void answered(struct frame *f, const struct json *answer)
{
    const struct plan_step *s = f->step;

    if (!answer && !s->on_timeout)
        frame_end(f, STEP_TIMEOUT, NULL, "nobody answered in time");
    else if (!answer)
        accept_answer(f, s->on_timeout, "nobody answered in time, and the default is");
    else if (s->options && !is_among(s->options, answer))
        step_begin_again(f, "the answer is none of the options");
    else
        accept_answer(f, answer, "the answer was");
}

static enum status prepare(struct frame *f, struct json **in, struct error *err)
{
    struct json *text = NULL;
    enum status st = vars_eval(f->vars, f->step->prompt, &text, err);

    if (st)
        return st;
    *in = jv_object();
    jv_set_adopt(*in, "text", text);
    if (f->step->options)
        jv_set_adopt(*in, "options", jv_ref(f->step->options));
    if (f->step->on_timeout)
        jv_set_adopt(*in, "default", jv_ref(f->step->on_timeout));
    return STATUS_OK;
}

static void begin(struct frame *f)
{
    question_ask(f, "human", jv_ref(f->in), f->started_ms + f->step->timeout_ms, answered);
}

static void cancel(struct frame *f)
{
    question_end(f);
    frame_end(f, STEP_CANCELLED, NULL, NULL);
}

const struct node_ops node_human_ops = {.prepare = prepare,
                                        .begin = begin,
                                        .cancel = cancel,
                                        .poll = question_poll,
                                        .release = question_end};

enum status runner_answer_from_text(const struct json *prompt, const char *text, struct json **out,
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
    error_set(err, STATUS_USAGE, "\"%.80s\" is no answer here; there are: %.400s", text,
              str_cstr(&list));
    str_deinit(&list);
    return STATUS_USAGE;
}
