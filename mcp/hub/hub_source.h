/* hub_source.h - one server behind the hub: started when it is needed, limited, and started again
 * with growing gaps when it ends.
 *
 * A source is a server, or tools of this process. It has one instance that all clients share, or
 * one for each client (`per_client`: servers that keep the state of a client, such as its roots): a
 * session, or a principal and what its client calls itself (clientInfo) where there are none. A
 * job is one exchange for an instance: it waits until the instance runs and has room, is started,
 * and leaves. Nothing of one source delays another.
 *
 * Everything is on the loop's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_HUB_HUB_SOURCE_H
#define TROUPE_MCP_HUB_HUB_SOURCE_H

#include "mcp/exchange/exchange.h"
#include "runtime/base/effect.h"
#include "runtime/base/log.h"
#include "runtime/loop/loop.h"

struct hub_source;
struct hub_instance;

/* What a server turned out to be. Texts are lent until the loop turns. */
struct hub_facts {
    enum mcp_revision revision; /* MCP_REVISION_N: not known */
    const char *transport;      /* "stdio", "http", "sse"; NULL: of this process */
    int32_t pid;                /* 0: none */
    struct json_view server_info;
    struct json_view left_out; /* an array: what its lists have that is not valid JSON; or none */
};
/* An open connection to a server. */
struct hub_link {
    struct mcp_handler handler; /* gets exchanges once `ready` was called */
    void *ctx;
    /* Ends it: exchanges under way finish, as errors, before it returns. No event follows. */
    void (*close)(void *ctx);
    struct hub_facts (*facts)(void *ctx); /* may be NULL */
};
struct hub_link_events {
    void *ctx;
    void (*ready)(void *ctx);
    /* It has ended, or could not begin. `close` is called soon, outside of its callbacks. err:
     * lent.
     */
    void (*down)(void *ctx, const struct error *err);
};
/* How a source is opened. `owner`: the client of the instance; NULL: it is shared. The events may
 * come before it returns. On failure nothing is open. */
struct hub_opener {
    void *ctx;
    enum status (*open)(void *ctx, struct mcp_caller *owner, const struct hub_link_events *events,
                        struct hub_link *out, struct error *err);
    void (*free)(void *ctx); /* may be NULL */
    /* By the server's own name of a tool: is it offered (NULL: all are); what a call does (NULL:
     * `once`; what the server says of itself is not believed). */
    bool (*offers)(void *ctx, const char *tool);
    enum effect (*effect)(void *ctx, const char *tool);
};

/* A zero is the default in brackets. */
struct hub_source_limits {
    int32_t max_in_flight; /* [32] exchanges at a time; of an instance */
    int32_t max_waiting;   /* [256] jobs that wait for one of them */
    int32_t max_instances; /* [64] of per_client; the one unused longest makes room */
    int64_t start_ms;      /* [30000] to become ready */
    int64_t call_ms;       /* [60000] for one exchange, from its start or its last progress */
    int64_t total_ms;   /* [3600000, or call_ms if that is longer] for one, whatever its progress */
    int64_t idle_ms;    /* an instance unused so long is closed; [shared: never; 300000] */
    int64_t gap_ms;     /* [1000] before the second start; doubles up to max_gap_ms */
    int64_t max_gap_ms; /* [60000] */
    int64_t sound_ms;   /* [60000] uptime after which the gap is the first one again */
};

struct hub_source_spec {
    const char *name; /* copied */
    bool per_client;
    struct hub_source_limits limits;
    struct hub_opener opener; /* owned from now on */
    /* An instance has become ready (its lists may differ), or has ended. May be NULL. */
    void (*on_state)(void *ctx, struct hub_source *s, struct hub_instance *i, bool is_ready);
    void *ctx;
};
struct hub_source *hub_source_new(struct loop *l, const struct seams *seams, struct log *log,
                                  const struct hub_source_spec *spec);
/* Closes its instances; jobs that wait are refused. NULL is fine. */
void hub_source_free(struct hub_source *s);
/* Other limits from now on, for requests under way too; an instance is not ended for them. */
void hub_source_set_limits(struct hub_source *s, const struct hub_source_limits *limits);
void *hub_source_opener(const struct hub_source *s); /* the ctx of its opener */
const char *hub_source_name(const struct hub_source *s);
bool hub_source_is_per_client(const struct hub_source *s);
bool hub_source_offers(const struct hub_source *s, const char *tool);
enum effect hub_source_effect(const struct hub_source *s, const char *tool);

/* The instance for this client (the shared one, unless per_client); made if needed, but not
 * started. NULL: too many are in use. caller NULL: the shared one, or one for the hub itself. */
struct hub_instance *hub_source_instance(struct hub_source *s, struct mcp_caller *caller);
/* All instances; fn must not end any. */
void hub_source_each(struct hub_source *s, void (*fn)(struct hub_instance *i));
/* The client has gone: its instance is closed. */
void hub_source_caller_gone(struct hub_source *s, const struct mcp_caller *caller);

enum hub_instance_state {
    HUB_IDLE, /* not running; a job starts it */
    HUB_STARTING,
    HUB_READY,
    HUB_RESTING, /* it ended: jobs are refused until the gap has passed */
};
struct hub_source *hub_instance_source(struct hub_instance *i);
/* Keeps it, and its data, also when its last job leaves. */
struct hub_instance *hub_instance_ref(struct hub_instance *i);
void hub_instance_unref(struct hub_instance *i);
const struct mcp_handler *hub_instance_handler(struct hub_instance *i); /* NULL: not ready */
void **hub_instance_data(struct hub_instance *i); /* the hub's own, with the free function below */
void hub_instance_on_free(struct hub_instance *i, void (*fn)(void *data));

struct hub_counts {
    int64_t starts, ends; /* of instances, since the start of the source */
    int32_t in_flight, waiting, instances;
};
struct hub_counts hub_source_counts(const struct hub_source *s);
/* Of its first instance. */
struct hub_facts hub_source_facts(const struct hub_source *s);
/* "ready", "starting", "stopped", or why it rests. */
void hub_source_state_text(const struct hub_source *s, struct str *out);

/* One exchange for an instance. Part of its owner's object. */
struct hub_job {
    struct mcp_exchange *exchange; /* new; lent until it leaves */
    void (*refused)(void *ctx, struct hub_job *j, const struct error *err); /* never started */
    void *ctx;
    int64_t timed_out_ms; /* it was cancelled after so long without progress, or in all; 0: not */
    /* Of hub_source.c. */
    struct hub_instance *instance;
    struct hub_job *next, *prev;
    int64_t until_us, began_us;
    bool started;
};
/* Starts the exchange, now or later, or calls `refused` (perhaps now): the server cannot be
 * started, rests, or has too many jobs. When call_ms or total_ms have passed, a started exchange is
 * cancelled. */
void hub_job_submit(struct hub_job *j, struct hub_instance *i);
/* Once for each submitted job that was not refused: its exchange has finished; or the job is not
 * wanted any more, and then its exchange is not started if it still waits. */
void hub_job_leave(struct hub_job *j);
void hub_job_progress(struct hub_job *j); /* its time begins again, within total_ms */

#endif
