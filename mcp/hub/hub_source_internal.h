/* hub_source_internal.h - struct hub_source and its instances, for hub_source.c and hub_instance.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_SOURCE_INTERNAL_H
#define TROUPE_MCP_HUB_HUB_SOURCE_INTERNAL_H

#include "mcp/hub/hub_source.h"

struct job_list {
    struct hub_job *first, *last;
    int32_t n;
};
void job_list_append(struct job_list *l, struct hub_job *j);
void job_list_remove(struct job_list *l, struct hub_job *j);

/* A link of an instance. When the instance lets it go, it is closed on the next turn of the loop;
 * exchanges refer to its handler until then. */
struct hub_conn {
    struct hub_source *source;
    struct hub_instance *instance; /* NULL: it has let it go, and events do not count */
    struct hub_link link;
    struct loop_timer *timer; /* of the close */
    struct hub_conn *next;    /* of those that are to be closed */
};

struct hub_source {
    struct loop *loop;
    const struct seams *seams;
    struct log *log;
    char *name;
    bool per_client;
    struct hub_source_limits limits;
    struct hub_opener opener;
    void (*on_state)(void *ctx, struct hub_source *s, struct hub_instance *i, bool is_ready);
    void *ctx;
    struct hub_instance *first; /* in use last: first */
    int32_t n_instances;
    struct hub_conn *dead;
    struct loop_timer *tick; /* while there is something that can run out of time */
    int64_t starts, ends;
    char *trouble; /* of the last start or end that failed; NULL: none */
};

/* Invariants: there is a `conn` in STARTING and READY; jobs run only in READY; jobs wait only in
 * STARTING and READY. */
struct hub_instance {
    struct hub_source *source; /* NULL: it was removed */
    struct hub_instance *next;
    char *key; /* of its client; "" if it is shared */
    struct mcp_caller *owner;
    enum hub_instance_state state;
    int32_t refs; /* the source's, and one of each job */
    struct hub_conn *conn;
    bool opening, early_ready; /* inside open */
    bool early_down;
    struct error down; /* of early_down */
    struct job_list waiting, running;
    int32_t failures;          /* ends in a row before sound_ms */
    int64_t since_us, next_us; /* of its state; when RESTING ends */
    int64_t used_us;           /* last job */
    void *data;
    void (*free_data)(void *data);
};

/* hub_instance.c */
struct hub_instance *instance_new(struct hub_source *s, const char *key, struct mcp_caller *owner);
/* Opens the link. On failure it rests, and the waiting jobs are refused. */
void instance_start(struct hub_instance *i);
/* Lets the link go; waiting jobs are refused with err. */
void instance_stop(struct hub_instance *i, const struct error *err);
/* Is the gap over? Then it is idle again. */
void instance_wake(struct hub_instance *i);
/* Time limits: of the start, of jobs, of being idle. false: nothing here can run out of time. */
bool instance_tick(struct hub_instance *i, int64_t now_us);
void instance_pump(struct hub_instance *i); /* starts waiting jobs */

/* hub_source.c */
void source_want_tick(struct hub_source *s);
void source_bury(struct hub_source *s, struct hub_conn *conn); /* closes it soon */
/* Removes it from the list of instances. */
void source_remove(struct hub_source *s, struct hub_instance *i);

#endif
