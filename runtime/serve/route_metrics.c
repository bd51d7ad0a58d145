/* route_metrics.c - /metrics, in the text format of Prometheus: all that metrics.def lists.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "models/remote/remote_model.h"
#include "runtime/api/troupe_mcp.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/serve/metrics_bounds.h"
#include "runtime/serve/process_stats.h"
#include "runtime/serve/prometheus_text.h"
#include "runtime/serve/serve_metrics.h"
#include "runtime/trace/semconv.h"

/* The values of one answer. */
struct scrape {
    struct serve *s;
    struct http_counts http;
    struct store_stats store;
    struct process_stats process;
    struct tracer_counts trace;
    struct str *out;
    const char *name; /* of the family */
};

/* ---- owners that there are several of */

struct engine_scrape {
    const struct scrape *x;
    double (*value)(const struct engine_stats *e);
};

static void put_engine(void *ctx, const struct model *m, struct engine *engine)
{
    const struct engine_scrape *s = ctx;
    struct engine_stats stats;
    struct str labels = STR_INIT;

    engine_stats(engine, &stats);
    prometheus_label(&labels, LABEL_MODEL, m->info.name);
    prometheus_sample(s->x->out, s->x->name, str_cstr(&labels), s->value(&stats));
    str_deinit(&labels);
}

struct server_scrape {
    const struct scrape *x;
    double (*value)(const struct remote_server_state *r);
};

static void put_server(void *ctx, const struct remote_server_state *state)
{
    const struct server_scrape *s = ctx;
    struct str labels = STR_INIT;

    prometheus_label(&labels, LABEL_SERVER, state->origin);
    prometheus_sample(s->x->out, s->x->name, str_cstr(&labels), s->value(state));
    str_deinit(&labels);
}

struct mcp_scrape {
    struct hub_counts counts;
    struct hub_traffic traffic;
};

/* Of each server of the hub. */
static void each_mcp(const struct scrape *x, double (*value)(const struct mcp_scrape *m))
{
    const struct hub *h = troupe_hub(x->s->troupe);

    for (size_t i = 0; h && i < hub_size(h); i++) {
        const struct mcp_scrape m = {.counts = hub_source_counts(hub_at(h, i)),
                                     .traffic = hub_traffic_at(h, i)};
        struct str labels = STR_INIT;

        prometheus_label(&labels, LABEL_MCP_SERVER, hub_source_name(hub_at(h, i)));
        prometheus_sample(x->out, x->name, str_cstr(&labels), value(&m));
        str_deinit(&labels);
    }
}

/* ---- SERIES */

static void put_mcp_calls(const struct scrape *x)
{
    const struct hub *h = troupe_hub(x->s->troupe);

    for (size_t i = 0; h && i < hub_size(h); i++) {
        const struct hub_traffic t = hub_traffic_at(h, i);

        for (int o = 0; o < N_HUB_OUTCOMES; o++) {
            struct str labels = STR_INIT;

            prometheus_label(&labels, LABEL_MCP_SERVER, hub_source_name(hub_at(h, i)));
            prometheus_label(&labels, LABEL_OUTCOME, hub_outcome_name((enum hub_outcome)o));
            prometheus_sample(x->out, x->name, str_cstr(&labels), (double)t.outcomes[o]);
            str_deinit(&labels);
        }
    }
}

static void put_build(const struct scrape *x)
{
    prometheus_sample(x->out, x->name, "version=\"" APP_VERSION "\"", 1);
}

static void put_http(const struct scrape *x)
{
    const struct serve_metrics *m = x->s->metrics;
    struct str labels = STR_INIT;
    char code[16];

    for (int32_t r = 0; r <= m->n_routes; r++)
        for (int32_t i = 0; i < m->route[r].n; i++) {
            const struct http_series *h = &m->route[r].series[i];
            const char *method = http_method_name(h->method);

            str_clear(&labels);
            (void)snprintf(code, sizeof(code), "%d", h->code);
            prometheus_label(&labels, LABEL_METHOD, *method ? method : "_OTHER");
            prometheus_label(&labels, LABEL_ROUTE, m->route[r].path);
            prometheus_label(&labels, LABEL_STATUS, code);
            prometheus_histogram(x->out, x->name, str_cstr(&labels), &bounds_http, &h->took);
        }
    str_deinit(&labels);
}

static void put_set(const struct scrape *x, const struct map *set, const struct histogram_bounds *b)
{
    const char *labels;
    void *series;

    for (size_t i = 0; map_next(set, &i, &labels, &series);)
        prometheus_histogram(x->out, x->name, labels, b, &((struct series *)series)->histogram);
}

static void put_server_duration(const struct scrape *x)
{
    put_set(x, x->s->metrics->server_duration, &bounds_call);
}

static void put_first_token(const struct scrape *x)
{
    put_set(x, x->s->metrics->first_token, &bounds_first_token);
}

static void put_output_token(const struct scrape *x)
{
    put_set(x, x->s->metrics->output_token, &bounds_output_token);
}

static void put_tokens(const struct scrape *x)
{
    put_set(x, x->s->metrics->tokens, &bounds_tokens);
}

static void put_client_duration(const struct scrape *x)
{
    put_set(x, x->s->metrics->client_duration, &bounds_call);
}

static void put_cost(const struct scrape *x)
{
    const char *labels;
    void *series;

    for (size_t i = 0; map_next(x->s->metrics->cost, &i, &labels, &series);)
        prometheus_sample(x->out, x->name, labels, ((struct series *)series)->histogram.sum);
}

static void put_runs(const struct scrape *x)
{
    struct str labels = STR_INIT;

    for (int s = RUN_INTERRUPTED; s < RUN_STATUS_N; s++) {
        str_clear(&labels);
        prometheus_label(&labels, "status", run_status_word((enum run_status)s));
        prometheus_sample(x->out, x->name, str_cstr(&labels), (double)x->s->metrics->runs[s]);
    }
    str_deinit(&labels);
}

/* ---- the table */

/* The values of ENGINE and SERVER, numbered by their lines. */
#define NAME_(line) value_##line
#define NAME(line)  NAME_(line)
#define VALUE(type, metric, help, expression)
#define SERIES(type, metric, help, fn)
#define ENGINE(type, metric, help, expression)                                                     \
    static double NAME(__LINE__)(const struct engine_stats *e)                                     \
    {                                                                                              \
        return (double)(expression);                                                               \
    }
#define SERVER(type, metric, help, expression)                                                     \
    static double NAME(__LINE__)(const struct remote_server_state *r)                              \
    {                                                                                              \
        return (double)(expression);                                                               \
    }
#define MCP(type, metric, help, expression)                                                        \
    static double NAME(__LINE__)(const struct mcp_scrape *m)                                       \
    {                                                                                              \
        return (double)(expression);                                                               \
    }
#include "runtime/serve/metrics.def"
#undef VALUE
#undef SERIES
#undef ENGINE
#undef SERVER
#undef MCP

static void begin_family(struct scrape *x, enum prometheus_type type, const char *name,
                         const char *help)
{
    x->name = name;
    prometheus_family(x->out, type, name, help);
}

static void put_all(struct scrape *x)
{
#define FAMILY(type, metric, help) begin_family(x, PROMETHEUS_##type, metric, help)
#define VALUE(type, metric, help, expression)                                                      \
    FAMILY(type, metric, help);                                                                    \
    prometheus_sample(x->out, metric, "", (double)(expression));
#define SERIES(type, metric, help, fn)                                                             \
    FAMILY(type, metric, help);                                                                    \
    fn(x);
#define ENGINE(type, metric, help, expression)                                                     \
    FAMILY(type, metric, help);                                                                    \
    troupe_each_engine(x->s->troupe, put_engine, &(struct engine_scrape){x, NAME(__LINE__)});
#define SERVER(type, metric, help, expression)                                                     \
    FAMILY(type, metric, help);                                                                    \
    troupe_each_server(x->s->troupe, put_server, &(struct server_scrape){x, NAME(__LINE__)});
#define MCP(type, metric, help, expression)                                                        \
    FAMILY(type, metric, help);                                                                    \
    each_mcp(x, NAME(__LINE__));
#include "runtime/serve/metrics.def"
#undef FAMILY
#undef VALUE
#undef SERIES
#undef ENGINE
#undef SERVER
#undef MCP
}

void route_metrics(struct serve *s, struct http_call *c, const char *const *part)
{
    struct str out = STR_INIT;
    struct scrape x = {.s = s, .http = http_server_counts(s->http), .out = &out};

    (void)part;
    store_pulse(troupe_store(s->troupe), &x.store);
    process_stats(&x.process);
    if (s->o.tracer)
        x.trace = tracer_counts(s->o.tracer);
    put_all(&x);
    http_call_reply(c, &(struct http_reply){.code = str_ok(&out) ? 200 : 507,
                                            .type = PROMETHEUS_TYPE,
                                            .body = str_cstr(&out),
                                            .body_bytes = out.len});
    str_deinit(&out);
}
