/* serve_metrics.h - what the server counts itself; everything else is asked for when /metrics is.
 *
 * Label sets are bounded: routes are those of route.def, models the first SERVE_MODELS_MAX names,
 * all others "_OTHER".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_SERVE_METRICS_H
#define TROUPE_RUNTIME_SERVE_SERVE_METRICS_H

#include "runtime/api/troupe.h"
#include "runtime/serve/histogram.h"
#include "runtime/serve/serve_internal.h"

#define SERVE_MODELS_MAX 100

/* The requests to one route with one method and code. */
struct http_series {
    enum http_method method;
    int32_t code;
    struct histogram took;
};
struct http_route_series {
    const char *path;           /* the pattern; lent; "" for all requests without a route */
    struct http_series *series; /* (n) */
    int32_t n;
};

struct serve_metrics {
    struct troupe *troupe;
    struct troupe_observer observer;
    struct http_route_series *route; /* (n_routes + 1) by http_route.id */
    int32_t n_routes;
    struct map *models; /* the names that are labels; values are not used */
    /* Labels to struct series. */
    struct map *server_duration, *first_token, *output_token, *tokens, *client_duration, *cost;
    int64_t n_runs; /* under way */
    int64_t runs[RUN_STATUS_N];
};

/* Observes the runs of the troupe. */
struct serve_metrics *serve_metrics_new(struct troupe *t);
/* The next route, whose id is the number of calls so far. */
void serve_metrics_add_route(struct serve_metrics *m, const char *path);
void serve_metrics_free(struct serve_metrics *m); /* after the runs */

/* A request has ended. */
void serve_metrics_http(struct serve_metrics *m, const struct http_ended *e);

/* A request to a model, an agent or a blueprint. */
struct served_call {
    const char *operation, *model;
    enum status status;
    double seconds;
    double first_s;   /* until the first token; 0: not known */
    int64_t n_output; /* tokens */
};
void serve_metrics_served(struct serve_metrics *m, const struct served_call *c);

/* A model call, of a request or in a run. */
struct client_call {
    const char *operation, *model;
    bool failed;
    double seconds;
    int64_t tok_in, tok_out, cost_nano;
};
void serve_metrics_called(struct serve_metrics *m, const struct client_call *c);

#endif
