/* node_human.c - human: a question that is open until its answer or its deadline.
 *
 * Any process may answer it, and the answer moves only this branch. The deadline counts from the
 * first time that the question was asked, also across restarts. An answer that is not an option
 * ends the attempt, and the next attempt asks again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "agents/question.h"
#include "blueprints/frame_vars.h"
#include "blueprints/step.h"

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

static void release(struct frame *f)
{
    question_close(f->node);
    f->node = NULL;
}

static void on_answer(void *ctx, const struct json *answer, const struct error *err)
{
    struct frame *f = ctx;
    const struct plan_step *s = f->step;

    release(f);
    if (err)
        frame_fatal(f, err);
    else if (!answer && !s->on_timeout)
        frame_end(f, STEP_TIMEOUT, NULL, "nobody answered in time");
    else if (!answer)
        accept_answer(f, s->on_timeout, "nobody answered in time, and the default is");
    else if (!question_takes(f->in, answer))
        step_begin_again(f, "the answer is not one of the options");
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

static void poll(struct frame *f)
{
    question_look(f->node);
}

static void begin(struct frame *f)
{
    int64_t ms = f->step->timeout_ms, deadline_ms = ms ? f->started_ms + ms : 0;

    f->node = question_open(&(struct question_spec){.run = f->host->run,
                                                    .path = f->path,
                                                    .attempt = f->attempt,
                                                    .kind = "human",
                                                    .prompt = f->in,
                                                    .deadline_ms = deadline_ms,
                                                    .loop = f->host->loop,
                                                    .seams = f->host->seams},
                            on_answer, f);
    step_record_waiting(f, deadline_ms);
    if (f->recovered) /* asked before: it may be answered or past its deadline */
        poll(f);
}

static void cancel(struct frame *f)
{
    release(f);
    frame_end(f, STEP_CANCELLED, NULL, NULL);
}

const struct node_ops node_human_ops = {
    .prepare = prepare, .begin = begin, .cancel = cancel, .poll = poll, .release = release};
