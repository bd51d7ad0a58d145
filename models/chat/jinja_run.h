/* jinja_run.h - one rendering: its limits, its first error, its memory and its output.
 *
 * The first error is kept in `st`; after it every evaluation returns undefined at
 * once and nothing more is written. Templates come with model files, so steps, time, memory, depth
 * and output are bounded. Code that loops or recurses over values, or reads a text, spends
 * steps: one for a value, one for 64 bytes of text.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_JINJA_RUN_H
#define TROUPE_MODELS_CHAT_JINJA_RUN_H

#include "models/chat/chat_template.h"
#include "models/chat/jinja_value.h"

enum jinja_flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

#define JINJA_JOINED 8
/* A result of + or ~, with spare capacity. */
struct jinja_joined {
    char *p;
    size_t n, cap;
};

struct jinja_scope;
struct jinja_run {
    struct jinja_memory memory;
    const char *name; /* of the template */
    const struct chat_input *in;
    struct error *err;
    enum status st;
    int32_t line;
    int32_t depth;
    int64_t steps, started_us;
    enum jinja_flow flow;
    struct jinja_scope *scope;
    struct str *out;           /* where output goes now: the caller's, or a macro's */
    struct str *main;          /* the caller's */
    struct chat_spans *spans;  /* NULL: not wanted */
    struct jinja_text counted; /* the text whose characters were counted last */
    size_t n_counted;
    struct jinja_joined joined[JINJA_JOINED]; /* the last few, latest first */
};

/* Keeps the first error, with the line. */
void jinja_fail(struct jinja_run *run, enum status st, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Counts work; false once anything has failed or a limit is passed. */
bool jinja_spend(struct jinja_run *run, size_t steps);
bool jinja_go_down(struct jinja_run *run); /* one level of recursion; pairs with jinja_go_up */
void jinja_go_up(struct jinja_run *run);

/* A text that was built, as a value; s is emptied. An error when it did not fit. */
struct jinja_value jinja_take_text(struct jinja_run *run, struct str *s);
/* a and b in one. A text that grows piece by piece is copied a few times, not once per piece. */
struct jinja_value jinja_join_texts(struct jinja_run *run, struct jinja_text a,
                                    struct jinja_text b);

#endif
