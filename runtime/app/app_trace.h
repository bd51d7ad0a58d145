/* app_trace.h - traces of this invocation, if --otlp-url or OTEL_EXPORTER_OTLP_ENDPOINT names a
 * collector.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_TRACE_H
#define TROUPE_RUNTIME_APP_APP_TRACE_H

#include "runtime/app/app.h"

struct app_trace;

/* From now on all runs of a->troupe are traced; nothing if no collector is named or it is open.
 * After a fork, since it makes the loop. STATUS_USAGE: the URL or the reference is not valid. */
MUST_CHECK enum status app_trace_open(struct app *a, struct error *err);
struct tracer *app_tracer(const struct app *a); /* NULL: nothing is traced */
/* Sends what is left, for at most APP_TRACE_MS. After all runs, before the troupe is freed. */
void app_trace_close(struct app *a);
#define APP_TRACE_MS 3000

#endif
