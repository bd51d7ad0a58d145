/* serve_metrics.c - see serve_metrics.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/serve/serve_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/serve/metrics_bounds.h"
#include "runtime/serve/prometheus_text.h"
#include "runtime/trace/semconv.h"

/* ---- requests */

static struct http_series *series_of(struct http_route_series *r, enum http_method method,
                                     int32_t code)
{
    for (int32_t i = 0; i < r->n; i++)
        if (r->series[i].method == method && r->series[i].code == code)
            return &r->series[i];
    r->series = xrealloc(r->series, ((size_t)r->n + 1) * sizeof(*r->series));
    r->series[r->n] = (struct http_series){.method = method, .code = code};
    return &r->series[r->n++];
}

void serve_metrics_http(struct serve_metrics *m, const struct http_ended *e)
{
    int32_t id = e->route > 0 && e->route <= m->n_routes ? e->route : 0;
    struct http_series *s = series_of(&m->route[id], e->method, e->code ? e->code : 499);

    histogram_add(&s->took, &bounds_http, (double)e->took_us / 1e6);
}

/* ---- models */

static const char *bounded(struct serve_metrics *m, const char *model)
{
    if (map_get(m->models, model))
        return model;
    if (map_size(m->models) >= SERVE_MODELS_MAX)
        return "_OTHER";
    map_put(m->models, model, m);
    return model;
}

static void put_labels(struct serve_metrics *m, const char *operation, const char *model,
                       const char *error, struct str *out)
{
    str_clear(out);
    prometheus_label(out, LABEL_OPERATION, operation);
    prometheus_label(out, LABEL_MODEL, bounded(m, model));
    if (error)
        prometheus_label(out, LABEL_ERROR, error);
}

static void add(struct map *set, const struct str *labels, const struct histogram_bounds *b,
                double value)
{
    histogram_add(&series_find(set, str_cstr(labels))->histogram, b, value);
}

void serve_metrics_served(struct serve_metrics *m, const struct served_call *c)
{
    struct str labels = STR_INIT;

    put_labels(m, c->operation, c->model, c->status ? status_name(c->status) : NULL, &labels);
    add(m->server_duration, &labels, &bounds_call, c->seconds);
    if (!c->status && c->first_s > 0) {
        add(m->first_token, &labels, &bounds_first_token, c->first_s);
        if (c->n_output > 1 && c->seconds >= c->first_s)
            add(m->output_token, &labels, &bounds_output_token,
                (c->seconds - c->first_s) / (double)(c->n_output - 1));
    }
    str_deinit(&labels);
}

static void add_tokens(struct serve_metrics *m, const struct client_call *c, const char *type,
                       int64_t n, struct str *labels)
{
    put_labels(m, c->operation, c->model, NULL, labels);
    prometheus_label(labels, LABEL_TOKENS, type);
    add(m->tokens, labels, &bounds_tokens, (double)n);
}

void serve_metrics_called(struct serve_metrics *m, const struct client_call *c)
{
    struct str labels = STR_INIT;

    put_labels(m, c->operation, c->model, c->failed ? "error" : NULL, &labels);
    add(m->client_duration, &labels, &bounds_call, c->seconds);
    if (!c->failed) {
        add_tokens(m, c, "input", c->tok_in, &labels);
        add_tokens(m, c, "output", c->tok_out, &labels);
    }
    if (c->cost_nano > 0) {
        str_clear(&labels);
        prometheus_label(&labels, LABEL_MODEL, bounded(m, c->model));
        series_find(m->cost, str_cstr(&labels))->histogram.sum += (double)c->cost_nano / 1e9;
    }
    str_deinit(&labels);
}

/* ---- runs */

static void run_began(void *ctx, struct troupe_run *r)
{
    struct serve_metrics *m = ctx;

    (void)r;
    m->n_runs++;
}

static void run_ended(void *ctx, struct troupe_run *r)
{
    struct serve_metrics *m = ctx;
    enum run_status status = troupe_run_result(r)->status;

    m->n_runs--;
    if (status < RUN_STATUS_N)
        m->runs[status]++;
}

static void step_ended(void *ctx, struct troupe_run *r, const struct step_result *s)
{
    (void)r;
    if (s->call)
        serve_metrics_called(ctx, &(struct client_call){.operation = OPERATION_CHAT,
                                                        .model = s->call->model,
                                                        .failed = s->state != STEP_OK,
                                                        .seconds = (double)s->call->done_us / 1e6,
                                                        .tok_in = s->tok_in,
                                                        .tok_out = s->tok_out,
                                                        .cost_nano = s->call->cost_nano});
}

/* ---- life */

static struct map **sets_of(struct serve_metrics *m, int32_t i)
{
    struct map **const all[] = {&m->server_duration, &m->first_token,     &m->output_token,
                                &m->tokens,          &m->client_duration, &m->cost};

    return i < (int32_t)ARRAY_LEN(all) ? all[i] : NULL;
}

void serve_metrics_add_route(struct serve_metrics *m, const char *path)
{
    m->n_routes++;
    m->route = xrealloc(m->route, ((size_t)m->n_routes + 1) * sizeof(*m->route));
    m->route[m->n_routes] = (struct http_route_series){.path = path};
}

struct serve_metrics *serve_metrics_new(struct troupe *t)
{
    struct serve_metrics *m = xcalloc(1, sizeof(*m));

    m->troupe = t;
    m->route = xcalloc(1, sizeof(*m->route));
    m->route[0].path = "";
    m->models = map_new();
    for (int32_t i = 0; sets_of(m, i); i++)
        *sets_of(m, i) = map_new();
    m->observer = (struct troupe_observer){
        .ctx = m, .run_began = run_began, .run_ended = run_ended, .step_ended = step_ended};
    troupe_observe(t, &m->observer);
    return m;
}

void serve_metrics_free(struct serve_metrics *m)
{
    if (!m)
        return;
    troupe_unobserve(m->troupe, &m->observer);
    for (int32_t i = 0; i <= m->n_routes; i++)
        free(m->route[i].series);
    free(m->route);
    map_free(m->models, NULL);
    for (int32_t i = 0; sets_of(m, i); i++)
        map_free(*sets_of(m, i), free);
    free(m);
}
