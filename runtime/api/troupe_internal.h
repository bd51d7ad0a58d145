/* troupe_internal.h - shared by the files of runtime/api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_TROUPE_INTERNAL_H
#define TROUPE_RUNTIME_API_TROUPE_INTERNAL_H

#include "runtime/api/troupe.h"

/* Something that waits on the loop, and is dropped when the troupe is freed before. */
struct troupe_waiting {
    struct troupe_waiting *next;
    void (*drop)(struct troupe_waiting *w);
};

struct troupe {
    const struct seams *seams;
    struct log *log;
    struct store *store; /* opened for writing, or NULL */
    struct store *look;  /* opened for reading alone, or NULL */
    struct store_reader *reader;
    struct model_set *models;
    const struct remote_specs *remote;
    struct http_client *client;     /* of the loop; opened for the first remote model */
    struct remote_servers *servers; /* the same */
    struct troupe_mcp *mcp;         /* troupe_mcp.c; NULL: not opened */
    enum status (*open_mcp)(void *ctx, struct error *err); /* troupe_mcp_offer; may be NULL */
    void *open_mcp_ctx;
    struct loop *loop;
    struct loop_box *replies;       /* of the store */
    struct troupe_run *first;       /* runs under way */
    struct troupe_waiting *waiting; /* runs that are not made yet: troupe_run_new.c */
    struct troupe_observer *observers;
    bool interrupted;
    const volatile int *asked_to_end; /* troupe_options.interrupted */
    bool watching; /* a watch is active: the loop does not end with the last run */
};

#endif
