/* chat_talk.h - a talk with one agent: a run of a blueprint with one step `talk`, which the person
 * at the command line answers.
 *
 * The run is created with the first message. Between messages it stays in this process and waits;
 * at the end it is left waiting, so that another process can go on with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_CHAT_TALK_H
#define TROUPE_RUNTIME_APP_CHAT_TALK_H

#include "runtime/app/chat_history.h"
#include "runtime/app/chat_input.h"
#include "runtime/app/chat_output.h"

#define CHAT_STEP "talk" /* the step, and its agent */
#define CHAT_FILE "chat.yaml"

struct chat {
    struct app *app;
    struct loop *loop;
    struct loop_tick *tick;
    struct chat_input *in;
    struct chat_output out;
    struct chat_history history;
    char *model;          /* its name */
    const char *given[1]; /* the same, for `options` */
    struct troupe_run_options options;
    struct plan *plan;      /* of the runs that begin here */
    struct json *said;      /* messages before the first of the next run; NULL: none */
    struct troupe_run *run; /* NULL: no message yet, or it ended */
    struct troupe_observer observer;
    char uuid[37];    /* of the last run; empty: none */
    char *asks;       /* the path of the question for the next message; NULL: it works */
    bool asks_person; /* a tool asks something */
    bool left_asking; /* and was left without an answer */
    bool over;        /* the run has ended, or was left */
    bool edits;       /* the input is the line editor */
    bool reading;     /* it waits for input */
    bool dropped;     /* Ctrl-C meanwhile, in the line editor */
    bool cut;         /* the person has cut the answer short */
    bool failed;      /* there was no answer to the last message */
    bool quit;
};

/* Checks the model and the tools of the options; *out is then ready for chat_say. */
MUST_CHECK enum status chat_open(struct chat *c, struct app *a, struct error *err);
void chat_close(struct chat *c); /* also after a failed chat_open */
/* Goes on with a run of an earlier talk; shows what was said. */
MUST_CHECK enum status chat_resume(struct chat *c, const char *run, struct error *err);
/* Sends a message and shows the answer. A model that fails is not an error of this call. */
MUST_CHECK enum status chat_say(struct chat *c, const char *text, size_t n, struct error *err);
/* Leaves the run waiting; the next message begins another. */
MUST_CHECK enum status chat_leave(struct chat *c, struct error *err);
/* Works until fd can be read: of struct chat_wait. */
bool chat_until_readable(void *chat, int fd);

/* ---- chat_plan.c */
/* The blueprint of a talk, from the options of the command. */
MUST_CHECK enum status chat_plan(const struct app *a, struct plan **out, struct error *err);
/* Is it a blueprint of a talk? */
bool chat_plan_is_talk(const struct plan *p);

/* ---- chat_messages.c */
/* The messages of the talk so far, as the OpenAI API has them: new. Messages that were taken back
 * are left out. `plain`: only text of the user and the assistant. */
MUST_CHECK enum status chat_messages(struct chat *c, bool plain, struct json **out,
                                     struct error *err);

/* ---- chat_command.c */
/* A line that begins with a slash. */
void chat_command(struct chat *c, const char *line);

#endif
