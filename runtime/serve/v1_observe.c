/* v1_observe.c - metrics and spans of the calls below /v1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/serve/serve_metrics.h"
#include "runtime/serve/serve_note.h"
#include "runtime/serve/v1.h"
#include "runtime/trace/semconv.h"

void v1_span_begin(struct serve *s, const struct trace_context *around, struct v1_span *out)
{
    *out = (struct v1_span){.context = *around};
    if (!trace_context_is_set(around) || !s->o.tracer)
        return;
    memcpy(out->parent, around->span, sizeof(out->parent));
    serve_new_span(s, out->context.span);
    out->start_us = tracer_now_us(s->o.tracer);
}

static const char *operation_of(const struct openai_request *q)
{
    return q->kind == OPENAI_COMPLETIONS ? OPERATION_COMPLETION : OPERATION_CHAT;
}

static void send_span(struct serve *s, const struct v1_span *v, const struct openai_request *q,
                      const struct chat_result *r)
{
    const struct model *m = serve_model_find(s, q->model);
    struct trace_attribute a[10] = {
        {.key = ATTR_PROVIDER, .text = PROVIDER_OF(m ? m->info.kind : "")},
        {.key = ATTR_OPERATION, .text = operation_of(q)},
        {.key = ATTR_REQUEST_MODEL, .text = q->model},
        {.key = ATTR_INPUT_TOKENS, .type = TRACE_INT, .number = r->usage.prompt},
        {.key = ATTR_OUTPUT_TOKENS, .type = TRACE_INT, .number = r->usage.completion},
        {.key = ATTR_CACHED_TOKENS, .type = TRACE_INT, .number = r->usage.cached},
        {.key = ATTR_FINISH_REASONS,
         .type = TRACE_LIST,
         .text = r->status ? "error" : openai_finish(r->finish, r->has_calls)},
    };
    int32_t n = 7;
    struct str name = STR_INIT;
    struct trace_span span = {.context = v->context,
                              .kind = TRACE_INTERNAL,
                              .start_us = v->start_us,
                              .end_us = v->start_us + r->done_us,
                              .failed = r->status != STATUS_OK,
                              .attribute = a};

    if (r->usage.cost_nano > 0)
        a[n++] = (struct trace_attribute){
            .key = ATTR_COST, .type = TRACE_REAL, .real = (double)r->usage.cost_nano / 1e9};
    if (r->status)
        a[n++] = (struct trace_attribute){.key = ATTR_ERROR_TYPE, .text = status_name(r->status)};
    span.n_attributes = n;
    memcpy(span.parent, v->parent, sizeof(span.parent));
    str_printf(&name, "%s %s", operation_of(q), q->model);
    span.name = str_cstr(&name);
    tracer_send(s->o.tracer, &span);
    str_deinit(&name);
}

void v1_observe_chat(struct serve *s, const struct v1_span *span, const struct openai_request *q,
                     const struct chat_result *r)
{
    double seconds = (double)r->done_us / 1e6;

    serve_metrics_served(s->metrics, &(struct served_call){.operation = operation_of(q),
                                                           .model = q->model,
                                                           .status = r->status,
                                                           .seconds = seconds,
                                                           .first_s = (double)r->first_us / 1e6,
                                                           .n_output = r->usage.completion});
    serve_metrics_called(s->metrics, &(struct client_call){.operation = operation_of(q),
                                                           .model = q->model,
                                                           .failed = r->status != STATUS_OK,
                                                           .seconds = seconds,
                                                           .tok_in = r->usage.prompt,
                                                           .tok_out = r->usage.completion,
                                                           .cost_nano = r->usage.cost_nano});
    if (span->start_us)
        send_span(s, span, q, r);
}

static enum status status_of(enum run_status st)
{
    switch (st) {
    case RUN_OK:
        return STATUS_OK;
    case RUN_TIMEOUT:
        return STATUS_TIMEOUT;
    case RUN_BUDGET:
        return STATUS_BUDGET;
    case RUN_REJECTED:
        return STATUS_REJECTED;
    case RUN_WAITING:
        return STATUS_WAITING;
    case RUN_CANCELLED:
    case RUN_INTERRUPTED:
        return STATUS_CANCELLED;
    default:
        return STATUS_FAILED;
    }
}

void v1_observe_run(struct serve *s, const char *offer, bool is_agent, int64_t took_us,
                    const struct troupe_result *r)
{
    serve_metrics_served(
        s->metrics,
        &(struct served_call){.operation = is_agent ? OPERATION_AGENT : OPERATION_WORKFLOW,
                              .model = offer,
                              .status = status_of(r->status),
                              .seconds = (double)took_us / 1e6});
}
