/* fuzz_trace.c - any text as a `traceparent`, and as header fields for the collector.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/trace_context.h"
#include "runtime/trace/tracer_headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is valid says the same when it is written and read again. */
static void check_context(const char *text)
{
    struct trace_context c, again;
    char written[TRACEPARENT_BYTES + 1];

    if (!trace_context_parse(text, &c))
        return;
    trace_context_write(&c, written);
    if (!trace_context_is_set(&c) || !trace_context_parse(written, &again) ||
        memcmp(c.trace, again.trace, sizeof(c.trace)) != 0 ||
        memcmp(c.span, again.span, sizeof(c.span)) != 0 || c.sampled != again.sampled ||
        strncmp(written + 2, text + 2, TRACEPARENT_BYTES - 4) != 0)
        abort();
}

static void check_headers(const char *text)
{
    struct tracer_headers h;
    struct error err = ERROR_INIT;

    if (tracer_headers_parse(text, &h, &err)) {
        if (err.status != STATUS_CONFIG || !err.message[0])
            abort();
        return;
    }
    if (h.n < 1 || h.n > TRACER_HEADERS_MAX)
        abort();
    for (int32_t i = 0; i < h.n; i++)
        if (strlen(h.field[i].name) > strlen(text) + 12 || strchr(h.field[i].name, '='))
            abort();
    tracer_headers_deinit(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = strndup((const char *)data, n);

    if (!text)
        return 0;
    check_context(text);
    check_headers(text);
    free(text);
    return 0;
}
