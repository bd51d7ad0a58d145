/* run_trace.c - see run_trace.h.
 *
 * A span's parent is the innermost step around it that is open: the journal has the intent of a
 * step before that of the steps in it, in the process that resumes a run too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/run_trace.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/store/path.h"
#include "runtime/trace/semconv.h"

#define MAX_ATTRIBUTES 16

struct run_trace {
    struct troupe *troupe;
    struct troupe_observer observer;
    struct tracer *tracer;
    bool content;
    struct map *runs; /* uuid -> struct traced */
};

struct traced {
    struct map *open; /* path -> struct open_step */
};

struct open_step {
    int32_t attempt;
    char *kind, *name;
    struct json *args; /* with content */
    int64_t start_us;
};

static void free_step(void *step)
{
    struct open_step *s = step;

    if (!s)
        return;
    jv_unref(s->args);
    free(s->kind);
    free(s->name);
    free(s);
}

static void free_traced(void *traced)
{
    struct traced *d = traced;

    map_free(d->open, free_step);
    free(d);
}

/* ---- attributes */

struct attributes {
    struct trace_attribute a[MAX_ATTRIBUTES];
    int32_t n;
    struct str text[2]; /* of what is made here */
    int32_t n_text;
};

static void put_text(struct attributes *to, const char *key, const char *text)
{
    if (text && to->n < MAX_ATTRIBUTES)
        to->a[to->n++] = (struct trace_attribute){.key = key, .text = text};
}

static void put_int(struct attributes *to, const char *key, int64_t number)
{
    if (to->n < MAX_ATTRIBUTES)
        to->a[to->n++] = (struct trace_attribute){.key = key, .type = TRACE_INT, .number = number};
}

static void put_json(struct attributes *to, const char *key, const struct json *v)
{
    if (!v || to->n_text == (int32_t)ARRAY_LEN(to->text))
        return;
    jv_write(v, 0, &to->text[to->n_text]);
    put_text(to, key, str_cstr(&to->text[to->n_text++]));
}

/* The form of the conventions: [{role, parts: [{type, content}]}]. */
static void put_message(struct attributes *to, const char *key, const char *role,
                        const struct json *content)
{
    struct json *list, *message, *parts, *part;
    char *text;

    if (!content)
        return;
    list = jv_array();
    message = jv_object();
    parts = jv_array();
    part = jv_object();
    text = jv_kind(content) == JV_STRING ? xstrdup(jv_get_string(content, "")) : jv_dump(content);
    jv_set_string(part, "type", "text");
    jv_set_string(part, "content", text);
    jv_append_adopt(parts, part);
    jv_set_string(message, "role", role);
    jv_set_adopt(message, "parts", parts);
    jv_append_adopt(list, message);
    put_json(to, key, list);
    jv_unref(list);
    free(text);
}

static void put_usage(struct attributes *to, int64_t tok_in, int64_t tok_out)
{
    put_int(to, ATTR_INPUT_TOKENS, tok_in);
    put_int(to, ATTR_OUTPUT_TOKENS, tok_out);
}

static void put_call(struct attributes *to, const struct step_call *c)
{
    if (!c)
        return;
    put_text(to, ATTR_PROVIDER, PROVIDER_OF(c->kind));
    put_int(to, ATTR_CACHED_TOKENS, c->cached);
    if (to->n < MAX_ATTRIBUTES)
        to->a[to->n++] = (struct trace_attribute){
            .key = ATTR_FINISH_REASONS, .type = TRACE_LIST, .text = c->finish};
    if (c->cost_nano > 0 && to->n < MAX_ATTRIBUTES)
        to->a[to->n++] = (struct trace_attribute){
            .key = ATTR_COST, .type = TRACE_REAL, .real = (double)c->cost_nano / 1e9};
}

/* ---- spans */

/* The span around `path`: of the innermost open step, else of the run. */
static void find_parent(const struct traced *d, const char *uuid, const char *path, uint8_t out[8])
{
    size_t n = strlen(path);

    while (n > 0) {
        const struct open_step *s;
        struct str key = STR_INIT;

        n--;
        if (!strchr("/[@", path[n]))
            continue;
        s = map_get_n(d->open, path, n);
        if (!s)
            continue;
        str_append(&key, path, n);
        trace_span_of_step(uuid, str_cstr(&key), s->attempt, out);
        str_deinit(&key);
        return;
    }
    trace_span_of_step(uuid, "", 0, out);
}

/* What the conventions call it, and its name. */
static void describe(const struct open_step *s, const struct step_result *r, bool content,
                     struct attributes *to, struct str *name)
{
    const struct json *args = content ? s->args : NULL, *out = content ? r->out : NULL;

    if (strcmp(s->kind, "agent") == 0) {
        str_printf(name, OPERATION_AGENT " %s", s->name);
        put_text(to, ATTR_OPERATION, OPERATION_AGENT);
        put_text(to, ATTR_AGENT_NAME, s->name);
        put_usage(to, r->tok_in, r->tok_out);
        put_message(to, ATTR_INPUT_MESSAGES, "user", jv_get(args, "in"));
        put_message(to, ATTR_OUTPUT_MESSAGES, "assistant", out);
    } else if (strcmp(s->kind, "model") == 0) {
        str_printf(name, OPERATION_CHAT " %s", s->name);
        put_text(to, ATTR_OPERATION, OPERATION_CHAT);
        put_text(to, ATTR_REQUEST_MODEL, s->name);
        put_usage(to, r->tok_in, r->tok_out);
        put_call(to, r->call);
        put_message(to, ATTR_OUTPUT_MESSAGES, "assistant", out);
    } else if (strcmp(s->kind, "tool") == 0) {
        str_printf(name, OPERATION_TOOL " %s", s->name);
        put_text(to, ATTR_OPERATION, OPERATION_TOOL);
        put_text(to, ATTR_TOOL_NAME, s->name);
        put_text(to, ATTR_TOOL_TYPE, "function");
        put_json(to, ATTR_TOOL_ARGUMENTS, args);
        put_json(to, ATTR_TOOL_RESULT, out);
    } else if (strcmp(s->kind, "blueprint") == 0) {
        str_printf(name, OPERATION_WORKFLOW " %s", s->name);
        put_text(to, ATTR_OPERATION, OPERATION_WORKFLOW);
        put_text(to, ATTR_WORKFLOW_NAME, s->name);
    } else {
        str_puts(name, s->kind);
    }
}

/* Here, unless it began in an earlier process. */
static int64_t start_of(const struct open_step *s, const struct step_result *r)
{
    bool earlier = r->began_ms > 0 && r->began_ms * 1000 < s->start_us - 2000;

    return earlier ? r->began_ms * 1000 : s->start_us;
}

static void send_step(struct run_trace *rt, struct troupe_run *run, const struct traced *d,
                      const struct open_step *s, const struct step_result *r)
{
    const char *uuid = troupe_run_uuid(run);
    struct attributes at = {.text = {STR_INIT, STR_INIT}};
    struct str name = STR_INIT;
    struct trace_span span = {
        .context = run_trace_of_step(troupe_run_row(run), r->path, r->attempt),
        .kind = TRACE_INTERNAL,
        .start_us = start_of(s, r),
        .end_us = tracer_now_us(rt->tracer),
        .failed = r->state != STEP_OK,
        .message = rt->content ? r->err : NULL,
        .attribute = at.a};

    find_parent(d, uuid, r->path, span.parent);
    describe(s, r, rt->content, &at, &name);
    if (r->call && strcmp(r->call->kind, "remote") == 0)
        span.kind = TRACE_CLIENT;
    put_text(&at, ATTR_RUN, uuid);
    put_text(&at, ATTR_PATH, r->path);
    put_text(&at, ATTR_KIND, s->kind);
    if (r->attempt > 0)
        put_int(&at, ATTR_ATTEMPT, r->attempt);
    if (span.failed)
        put_text(&at, ATTR_ERROR_TYPE, step_state_name(r->state));
    span.name = str_cstr(&name);
    span.n_attributes = at.n;
    tracer_send(rt->tracer, &span);
    str_deinit(&name);
    str_deinit(&at.text[0]);
    str_deinit(&at.text[1]);
}

static void send_run(struct run_trace *rt, struct troupe_run *run)
{
    const struct troupe_result *r = troupe_run_result(run);
    const char *name = troupe_run_plan(run)->name;
    struct attributes at = {.n = 0};
    struct str whole = STR_INIT;
    struct trace_span span = {.context = run_trace_of_step(troupe_run_row(run), "", 0),
                              .kind = TRACE_INTERNAL,
                              .start_us = troupe_run_created_ms(run) * 1000,
                              .end_us = tracer_now_us(rt->tracer),
                              .failed = r->status != RUN_OK,
                              .message = rt->content ? r->err.message : NULL,
                              .attribute = at.a};

    run_trace_around(troupe_run_row(run), span.parent);
    str_printf(&whole, OPERATION_WORKFLOW " %s", name);
    put_text(&at, ATTR_OPERATION, OPERATION_WORKFLOW);
    put_text(&at, ATTR_WORKFLOW_NAME, name);
    put_text(&at, ATTR_RUN, troupe_run_uuid(run));
    put_usage(&at, r->tok_in, r->tok_out);
    if (span.failed)
        put_text(&at, ATTR_ERROR_TYPE, run_status_word(r->status));
    span.name = str_cstr(&whole);
    span.n_attributes = at.n;
    tracer_send(rt->tracer, &span);
    str_deinit(&whole);
}

/* ---- what runs do */

static void run_began(void *ctx, struct troupe_run *r)
{
    struct run_trace *rt = ctx;
    struct traced *d;

    if (!run_trace_of_step(troupe_run_row(r), "", 0).sampled)
        return;
    d = xcalloc(1, sizeof(*d));
    d->open = map_new();
    map_put(rt->runs, troupe_run_uuid(r), d);
}

static void run_ended(void *ctx, struct troupe_run *r)
{
    struct run_trace *rt = ctx;
    struct traced *d = map_remove(rt->runs, troupe_run_uuid(r));

    if (!d)
        return;
    if (run_status_is_final(troupe_run_result(r)->status))
        send_run(rt, r);
    free_traced(d);
}

static void step_began(void *ctx, struct troupe_run *r, const struct step_intent *i)
{
    struct run_trace *rt = ctx;
    struct traced *d = map_get(rt->runs, troupe_run_uuid(r));
    struct open_step *s = d ? map_get(d->open, i->path) : NULL;

    if (!d || (s && s->attempt == i->attempt)) /* it goes on after an answer */
        return;
    s = xcalloc(1, sizeof(*s));
    s->attempt = i->attempt;
    s->kind = xstrdup(i->kind);
    s->name = xstrdup(i->name ? i->name : "");
    s->args = rt->content && i->args ? jv_ref((struct json *)(uintptr_t)i->args) : NULL;
    s->start_us = tracer_now_us(rt->tracer);
    free_step(map_put(d->open, i->path, s));
}

static void step_ended(void *ctx, struct troupe_run *r, const struct step_result *result)
{
    struct run_trace *rt = ctx;
    struct traced *d;
    struct open_step *s;

    if (result->state == STEP_WAITING || result->state == STEP_STARTED)
        return;
    d = map_get(rt->runs, troupe_run_uuid(r));
    s = d ? map_remove(d->open, result->path) : NULL;
    if (s)
        send_step(rt, r, d, s, result);
    free_step(s);
}

struct run_trace *run_trace_new(struct troupe *t, struct tracer *tracer, bool content)
{
    struct run_trace *rt = xcalloc(1, sizeof(*rt));

    rt->troupe = t;
    rt->tracer = tracer;
    rt->content = content;
    rt->runs = map_new();
    rt->observer = (struct troupe_observer){.traces = true,
                                            .ctx = rt,
                                            .run_began = run_began,
                                            .run_ended = run_ended,
                                            .step_began = step_began,
                                            .step_ended = step_ended};
    troupe_observe(t, &rt->observer);
    return rt;
}

void run_trace_free(struct run_trace *rt)
{
    if (!rt)
        return;
    troupe_unobserve(rt->troupe, &rt->observer);
    map_free(rt->runs, free_traced);
    free(rt);
}
