/* question.h - a durable question: a row of the store that any process can answer.
 *
 * Its key is the run, a path and an attempt; asking the same question again finds the row and its
 * answer. Everything is called on the thread of the run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_AGENTS_QUESTION_H
#define TROUPE_AGENTS_QUESTION_H

#include "runtime/loop/loop.h"
#include "runtime/store/journal.h"

struct question;

/* answer is lent; NULL: the deadline has passed. err is not NULL if the store could not be read.
 * Called once; the question may be freed in it. */
typedef void (*question_answered)(void *ctx, const struct json *answer, const struct error *err);

struct question_spec {
    struct run *run;
    const char *path; /* copied */
    int32_t attempt;
    const char *kind;          /* "human", "effect", "tool" */
    const struct json *prompt; /* {text, options?, default?, ...} */
    int64_t deadline_ms;       /* wall clock; 0: none */
    bool ask_again;            /* drop the answer that the row has, and ask again */
    struct loop *loop;         /* NULL: question_look checks the deadline */
    const struct seams *seams;
};
/* Writes the row; `answered` is not called in here. */
struct question *question_open(const struct question_spec *s, question_answered answered,
                               void *ctx);
/* Checks for an answer and for the deadline, and calls `answered` for either. */
void question_look(struct question *q);
void question_close(struct question *q); /* the row stays; NULL is fine */

/* Is the answer one of the prompt's options? Always true if the prompt has none. */
bool question_takes(const struct json *prompt, const struct json *answer);
/* Reads an answer from the command line: one of the options by its text, or any text if there are
 * none. The STATUS_USAGE error lists the options. */
MUST_CHECK enum status question_read_answer(const struct json *prompt, const char *text,
                                            struct json **out, struct error *err);

#endif
