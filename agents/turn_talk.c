/* turn_talk.c - an agent that talks with a person: it asks for the next message, and goes on with
 * it in the same conversation.
 *
 * A message is a step `turn:n/message` before the turn's model call, with the message as its
 * result, and a question (question.h) with the same path, so that any process can give it. Whether
 * a turn begins with a message follows from the reply before it, except after calls that the person
 * cut short: there the journal says it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agents/question.h"
#include "agents/turn.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"

void turn_drop_question(struct agent *a)
{
    question_close(a->talk.question);
    a->talk.question = NULL;
    jv_unref(a->talk.heard);
    a->talk.heard = NULL;
}

static void message_path(struct agent *a)
{
    turn_path(a);
    path_child(&a->path, str_cstr(&a->base), "message");
}

/* An empty message ends the talk. */
static bool take_message(struct agent *a, const struct json *message)
{
    const char *text = jv_get_string(message, "");

    if (!*text)
        return agent_end(a, STATUS_OK, NULL);
    a->codec->hear(a, text, jv_string_len(message));
    a->talk.turn = a->turn;
    a->talk.cut = false;
    free(a->talk.failed);
    a->talk.failed = NULL;
    jv_unref(a->answer);
    a->answer = NULL;
    return true;
}

static void on_answer(void *ctx, const struct json *answer, const struct error *err)
{
    struct agent *a = ctx;

    if (err)
        a->talk.broken = *err;
    else
        a->talk.heard = answer ? jv_deep_copy(answer) : jv_null();
    agent_advance(a); /* inside a move, turn_listening checks it instead */
}

/* What the question shows: the answer, or why there is none. */
static struct json *prompt_of(const struct agent *a)
{
    struct json *prompt = jv_object();

    jv_set_string(prompt, "text", a->talk.failed ? a->talk.failed : jv_get_string(a->answer, ""));
    return prompt;
}

/* The record says, for who watches the run, that it waits for a message, and why there is no
 * answer to the last one. */
static void ask(struct agent *a, bool asked)
{
    struct run *run = a->task.scope.run;
    struct json *prompt = prompt_of(a), *out = jv_object();
    const char *path = str_cstr(&a->path);

    if (!asked)
        journal_intend(run, &(struct step_intent){.path = path, .kind = "human"});
    a->talk.question = question_open(&(struct question_spec){.run = run,
                                                             .path = path,
                                                             .kind = "message",
                                                             .prompt = prompt,
                                                             .loop = a->host->o.loop,
                                                             .seams = a->host->o.seams},
                                     on_answer, a);
    jv_set_string(out, "asks", "message");
    if (a->talk.failed)
        jv_set_string(out, "failed", a->talk.failed);
    journal_finish(run, &(struct step_result){.path = path, .state = STEP_WAITING, .out = out});
    jv_unref(out);
    jv_unref(prompt);
    agent_set_state(a, AGENT_LISTENING);
    if (a->task.on_asking)
        a->task.on_asking(a->ctx, true, 0);
}

enum status turn_talk(struct agent *a, bool *asks, struct error *err)
{
    struct step_record s = {.state = STEP_STARTED};
    bool found = false, due = a->answer || a->talk.cut || a->talk.failed;
    enum status st;

    if (a->turn == a->talk.turn)
        return STATUS_OK; /* its message is there */
    message_path(a);
    st = journal_find(a->task.scope.run, str_cstr(&a->path), &found, &s, err);
    if (st || (!found && !due))
        return st;
    if (found && s.state == STEP_OK)
        *asks = !take_message(a, s.out) || a->state == AGENT_END;
    else
        ask(a, found && s.state == STEP_WAITING);
    *asks = *asks || a->state == AGENT_LISTENING;
    if (found)
        step_record_deinit(&s);
    return STATUS_OK;
}

/* The same as tool calls that wait: if the process ends, it stays open. */
static void give_up(struct agent *a)
{
    struct step_result r = {.path = str_cstr(&a->path), .state = STEP_CANCELLED};

    if (agent_gave_up(a, &r.err))
        journal_finish(a->task.scope.run, &r);
}

bool turn_listening(struct agent *a)
{
    struct step_result r = {.path = str_cstr(&a->path), .state = STEP_OK};

    if (!a->talk.heard && !a->talk.broken.status && !a->stop)
        question_look(a->talk.question);
    if (a->talk.broken.status)
        return agent_end(a, a->talk.broken.status, &a->talk.broken);
    if (a->stop && !a->talk.heard) {
        give_up(a);
        turn_drop_question(a);
        agent_set_state(a, AGENT_PERCEIVE); /* which says why */
        return true;
    }
    if (!a->talk.heard && !a->task.on_asking)
        return agent_end(
            a,
            error_set(&a->result.err, STATUS_WAITING, "%s waits for a message", str_cstr(&a->path)),
            NULL);
    if (!a->talk.heard)
        return false;
    r.out = a->talk.heard;
    if (a->task.on_asking)
        a->task.on_asking(a->ctx, false, 0);
    journal_finish(a->task.scope.run, &r);
    if (!take_message(a, a->talk.heard))
        return false;
    turn_drop_question(a);
    agent_set_state(a, AGENT_PERCEIVE);
    return true;
}

void turn_keep_cut(struct agent *a)
{
    struct model_call *c = &a->call;

    c->status = STATUS_OK;
    error_clear(&c->err);
    c->finish = FINISH_CANCELLED;
    if (a->task.role->model->info.takes_ids)
        return;
    model_call_clear_text(c);
    c->text = xstrdup(str_cstr(&a->stream.said));
    c->n_ids = 0;
}

bool turn_talk_failed(struct agent *a, const struct error *why)
{
    free(a->talk.failed);
    a->talk.failed = xstrdup(why->message);
    if (why != &a->result.err)
        error_clear(&a->result.err);
    a->codec->unhear(a);
    a->turn++;
    if (a->state != AGENT_PERCEIVE)
        agent_set_state(a, AGENT_PERCEIVE);
    return true;
}
