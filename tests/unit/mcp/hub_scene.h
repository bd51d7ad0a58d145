/* hub_scene.h - a hub over servers that answer by script, for the tests of the hub.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_HUB_SCENE_H
#define TROUPE_TESTS_HUB_SCENE_H

#include "mcp/hub/hub.h"

/* A server: what its lists are, and how it answers. Texts are lent. */
struct fake {
    const char *name;
    const char *lists[HUB_LIST_N]; /* results; NULL: it does not have the capability */
    bool is_slow_to_start;         /* ready only after fake_ready */
    bool never_answers;
    bool cannot_listen;          /* -32601 to subscriptions/listen */
    bool only_reads;             /* the effect of its tools */
    bool changes_with_each_list; /* reports a change whenever a list is read */
    struct error fails;          /* status set: it does not open */
    /* What happened to it. */
    int opened, closed, fetched, cancelled, n_asked;
    struct str asked;          /* of the last tools/call and so on: its params */
    struct mcp_exchange *open; /* the last one that it has not answered */
    struct mcp_exchange *listens[8];
    struct hub_link_events events;
    const char *answers[8]; /* to the next calls, in turn: a result, "!CODE message", "#TASK" */
    const char *always;     /* when these are used up; NULL: then it does not answer */
    int n_answered;
    const char *notes; /* a progress params sent before each answer */
};

struct scene {
    struct loop *loop;
    struct log *log;
    struct hub *hub;
    const char *only;       /* of scene_ask: mcp_exchange_spec.only */
    struct str heard, last; /* what the client hears, a line each; what scene_heard gave */
};

void scene_open(struct scene *s, const struct hub_options *o);
void scene_close(struct scene *s);
void scene_add(struct scene *s, struct fake *f, const struct hub_source_limits *limits,
               bool per_client);
void fake_ready(struct fake *f);
void fake_down(struct fake *f, const char *why);
void fake_note(struct fake *f, enum mcp_method note, const char *params); /* to its listens */
void fake_answer(struct fake *f, const char *result);                     /* the open one */
void fake_deinit(struct fake *f);

/* A client that declares tasks asks; what it hears is in s->heard: "note PARAMS" and "complete
 * RESULT", "input RESULT", "error CODE message". The exchange is lent until it has ended. */
struct mcp_exchange *scene_ask(struct scene *s, const char *principal, const char *view,
                               enum mcp_method m, const char *params);
/* What was heard since the last call; lent. Waits up to 5 s for the first of it. */
const char *scene_heard(struct scene *s);
/* The text between two marks of what was heard; malloc'd. */
char *scene_between(const char *text, const char *from, const char *to);
/* Runs the loop for this time. */
void scene_run(struct scene *s, int64_t ms);

#endif
