/* tool_step_state.h - struct tool_step, for the files that drive it: tool_step.c (the call) and
 * tool_step_ask.c (questions).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_TOOL_STEP_STATE_H
#define TROUPE_AGENTS_TOOL_STEP_STATE_H

#include "agents/question.h"
#include "agents/tool_step.h"

struct tool_step {
    struct tool_step_spec spec; /* run: NULL once it is closed */
    struct run_watch watch;
    enum tool_step_state state;
    int32_t refs;
    bool abandoned;           /* its owner has freed it */
    const char *asks;         /* the journal has the step as waiting for this answer, or NULL */
    enum step_state stopping; /* why it is being stopped; STEP_STARTED (0): it is not */
    struct str path, base;    /* base: the path with the attempt, the parent of questions */
    struct tool_call *call;   /* the call, or the query of its status; or NULL */
    int64_t wake_ms;          /* the next deadline; 0: none */
    struct loop_timer *timer;
    struct tool_step_result result;
    char *words; /* result.error */

    /* ---- questions */
    struct question *question; /* open, or NULL */
    struct json *prompt;       /* of it */
    int32_t n_asked;           /* questions of the tool so far */
    int64_t ask_deadline_ms;   /* of the tool's question */
    void (*answered)(struct tool_call *c, const struct json *answer); /* the tool's */
    struct json *answer;                                              /* on its way to the tool */
};

/* tool_step.c */
void tool_step_move(struct tool_step *s, enum tool_step_state to);
void tool_step_unref(struct tool_step *s);
void tool_step_intend(struct tool_step *s);
void tool_step_call(struct tool_step *s);
/* `words` is copied. */
void tool_step_end(struct tool_step *s, enum step_state state, struct json *adopt_out,
                   const char *words);
void tool_step_fail(struct tool_step *s, enum status status, const struct error *err);

/* tool_step_ask.c */
extern const struct tool_host tool_step_host;
void tool_step_ask_person(struct tool_step *s);    /* did the effect happen? */
void tool_step_answer_nobody(struct tool_step *s); /* to the tool, if it waits */
void tool_step_drop_question(struct tool_step *s);

#endif
