/* run_trace.h - spans of the runs that a troupe drives.
 *
 * The run (`invoke_workflow NAME`), and below it each step of its journal: agents (`invoke_agent
 * NAME`), model calls (`chat MODEL`), tool calls (`execute_tool NAME`) and the other kinds of
 * steps. A span is sent when it ends; that of the run when the run ends for good, in whichever
 * process, and begins when the run was created. Ids: base/trace_context.h. Texts of inputs,
 * outputs, calls and errors are sent only with `content`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_RUN_TRACE_H
#define TROUPE_RUNTIME_API_RUN_TRACE_H

#include "runtime/api/troupe.h"
#include "runtime/trace/tracer.h"

struct run_trace;

/* From now on all runs of t are traced. The tracer is lent. */
struct run_trace *run_trace_new(struct troupe *t, struct tracer *tracer, bool content);
/* After the last run. NULL is allowed. */
void run_trace_free(struct run_trace *rt);

#endif
