/* link_stdio.c - a server as a process: one message a line on its standard input and output.
 *
 * Lines may come in any pieces. One that is too long is dropped as it comes; its beginning says
 * whose answer it was, if it says so. Everything about processes is in this file.
 *
 * What nobody has asked for is limited: UNASKED_MAX messages in WINDOW_MS. A server that writes
 * more is not read until the window is over, so that it waits when its pipe is full: one that
 * floods costs the other servers of the loop a few percent of its time, and itself the delay of
 * its answers. At most one read's bytes wait here meanwhile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/client/client.h"
#include "mcp/client/client_link.h"
#include "mcp/rpc/rpc.h"
#include "runtime/base/memory.h"
#include "runtime/loop/child.h"

#define ERROR_LINE_BYTES 4096
#define HEAD_BYTES       200 /* of a line that is too long, for rpc_peek_id */
#define TERM_MS          2000
#define WINDOW_MS        10
#define UNASKED_MAX      256
#define UNASKED_BYTES    4096 /* so many bytes count as one message more */

struct link_stdio {
    struct client_link link;
    const struct mcp_client_spec *spec;
    struct child *child;
    struct loop_tick *tick; /* writes `out` */
    struct str out;         /* what was sent in this turn of the loop: one write for all */
    struct str line, error_line;
    struct str rest; /* of a read, not looked at yet: the process is paused */
    struct loop_timer *pause;
    int64_t window_us; /* when the window began */
    size_t n_unasked;  /* in the window */
    bool is_skipping;  /* the rest of a line that was too long */
    bool is_deaf;      /* it has closed its input */
    bool is_stopping;
    bool has_ended;
};

static struct link_stdio *of(struct client_link *l)
{
    return CONTAINER_OF(l, struct link_stdio, link);
}

/* ---- lines */

static void too_long(struct link_stdio *s)
{
    int64_t id = rpc_peek_id(str_cstr(&s->line), s->line.len);
    struct error err = ERROR_INIT;

    (void)error_set(&err, STATUS_LIMIT, "a message of %s has more than %zu bytes", s->spec->name,
                    s->spec->limits.message_bytes);
    str_clear(&s->line);
    s->is_skipping = true;
    s->link.events.ended(s->link.events.ctx, id, &(struct client_link_end){.err = &err});
}

/* What does not answer a request: of n bytes. */
static void count_unasked(struct link_stdio *s, size_t n)
{
    int64_t now = seams_mono_us(seams_real()); /* a process has real time */

    if (now - s->window_us >= WINDOW_MS * 1000) {
        s->window_us = now;
        s->n_unasked = 0;
    }
    s->n_unasked += 1 + n / UNASKED_BYTES;
}

static void give_line(struct link_stdio *s, const char *bytes, size_t n)
{
    while (n > 0 && (bytes[n - 1] == '\r' || bytes[n - 1] == ' '))
        n--;
    if (n == 0 || (!s->is_stopping && !s->link.events.message(s->link.events.ctx, 0, bytes, n)))
        count_unasked(s, n);
}

static void keep(struct link_stdio *s, const char *bytes, size_t n)
{
    if (s->is_skipping) {
        count_unasked(s, n);
        return;
    }
    str_append(&s->line, bytes, n);
    if (str_ok(&s->line))
        return;
    if (s->line.len < HEAD_BYTES) {
        s->line.failed = false;
        str_append(&s->line, bytes, n < HEAD_BYTES ? n : HEAD_BYTES);
    }
    too_long(s);
}

/* Returns how many bytes it has taken: all, unless the window is used up. */
static size_t take(struct link_stdio *s, const char *bytes, size_t all)
{
    size_t n = all;

    while (n > 0 && !s->is_stopping) {
        const char *end = memchr(bytes, '\n', n);
        size_t len = end ? (size_t)(end - bytes) : n;

        if (s->n_unasked >= UNASKED_MAX) {
            count_unasked(s, 0); /* the window may be over */
            if (s->n_unasked >= UNASKED_MAX)
                return all - n;
        }
        if (!end) {
            keep(s, bytes, len);
            return all;
        }
        if (s->is_skipping) {
            s->is_skipping = false;
        } else if (s->line.len == 0 && len <= s->spec->limits.message_bytes) {
            give_line(s, bytes, len);
        } else {
            keep(s, bytes, len);
            if (!s->is_skipping)
                give_line(s, str_cstr(&s->line), s->line.len);
            s->is_skipping = false;
            str_clear(&s->line);
        }
        bytes = end + 1;
        n -= len + 1;
    }
    return all;
}

static void window_over(void *ctx);

/* The rest waits for the next window; the process is not read. */
static void hold(struct link_stdio *s, const char *bytes, size_t n)
{
    struct str rest;

    str_init(&rest, n);
    str_append(&rest, bytes, n);
    str_deinit(&s->rest); /* bytes may be of it */
    s->rest = rest;
    child_pause(s->child);
    s->pause = loop_timer_new(s->spec->loop, WINDOW_MS, window_over, s);
}

static void window_over(void *ctx)
{
    struct link_stdio *s = ctx;
    size_t n;

    loop_timer_free(s->pause);
    s->pause = NULL;
    n = take(s, str_cstr(&s->rest), s->rest.len);
    if (n < s->rest.len) {
        hold(s, str_cstr(&s->rest) + n, s->rest.len - n);
        return;
    }
    str_clear(&s->rest);
    child_resume(s->child);
}

static void take_errors(struct link_stdio *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n' || s->error_line.len + 1 >= ERROR_LINE_BYTES) {
            if (s->error_line.len > 0)
                s->link.events.line(s->link.events.ctx, str_cstr(&s->error_line),
                                    s->error_line.len);
            str_clear(&s->error_line);
        }
        if (bytes[i] != '\n' && bytes[i] != '\r')
            str_putc(&s->error_line, bytes[i]);
    }
}

static void on_output(void *ctx, bool is_error, const char *bytes, size_t n)
{
    struct link_stdio *s = ctx;

    size_t taken = n;

    if (is_error)
        take_errors(s, bytes, n);
    else
        taken = take(s, bytes, n);
    if (taken < n)
        hold(s, bytes + taken, n - taken);
}

/* ---- what is sent */

static void flush(void *ctx)
{
    struct link_stdio *s = ctx;

    if (s->out.len > 0 && !s->has_ended)
        s->is_deaf = !child_write(s->child, str_cstr(&s->out), s->out.len);
    str_clear(&s->out);
}

/* One line: a line break between the tokens of a message that came from elsewhere is a blank. */
static enum status send(struct client_link *l, const struct client_send *m, struct error *err)
{
    struct link_stdio *s = of(l);
    size_t before = s->out.len, waits = child_unwritten(s->child) + before;

    if (s->has_ended || s->is_deaf || waits > CHILD_INPUT_MAX || m->n >= CHILD_INPUT_MAX - waits)
        return error_set(err, STATUS_IO, "the process of %s reads no more of its input",
                         s->spec->name);
    str_expect(&s->out, m->n + 1);
    json_view_put_line(&s->out, json_view_of(m->text, m->n));
    str_putc(&s->out, '\n');
    if (str_ok(&s->out))
        return STATUS_OK;
    s->out.len = before; /* nothing of it */
    s->out.failed = false;
    return error_set(err, STATUS_NO_MEMORY, "no memory for a message to %s", s->spec->name);
}

/* ---- the process */

static void on_exit_(void *ctx, int code, int signo)
{
    struct link_stdio *s = ctx;
    struct error err = ERROR_INIT;
    struct str text = STR_INIT;

    (void)code;
    (void)signo;
    s->has_ended = true;
    if (s->error_line.len > 0)
        s->link.events.line(s->link.events.ctx, str_cstr(&s->error_line), s->error_line.len);
    str_clear(&s->error_line);
    child_put_end(s->child, &text);
    (void)error_set(&err, STATUS_IO, "the process of %s %s", s->spec->name, str_cstr(&text));
    str_deinit(&text);
    s->link.events.down(s->link.events.ctx, &s->link, &err);
}

/* The program may have been named with a reference, whose value is in no message. */
static void hide_program(const struct mcp_client_spec *spec, struct error *err)
{
    const char *at = spec->program ? strstr(err->message, spec->argv[0]) : NULL;
    struct str text = STR_INIT;

    if (!at)
        return;
    str_append(&text, err->message, (size_t)(at - err->message));
    str_puts(&text, spec->program);
    str_puts(&text, at + strlen(spec->argv[0]));
    (void)error_set(err, err->status, "%s", str_cstr(&text));
    str_deinit(&text);
}

static enum status start(struct client_link *l, struct error *err)
{
    struct link_stdio *s = of(l);
    const struct child_spec spec = {.argv = s->spec->argv,
                                    .env = s->spec->env,
                                    .folder = s->spec->folder,
                                    .supervisor = s->spec->supervisor,
                                    .on_output = on_output,
                                    .on_exit = on_exit_,
                                    .ctx = s};

    enum status st = child_spawn(s->spec->loop, &spec, &s->child, err);

    if (st)
        hide_program(s->spec, err);
    return st;
}

static int32_t pid(const struct client_link *l)
{
    const struct link_stdio *s =
        CONTAINER_OF((struct client_link *)(uintptr_t)l, struct link_stdio, link);

    return s->has_ended ? 0 : child_pid(s->child);
}

static void stop(struct client_link *l)
{
    struct link_stdio *s = of(l);

    flush(s);
    s->is_stopping = true;
    if (!s->has_ended)
        child_shut_down(s->child, s->spec->limits.stop_ms, TERM_MS);
}

static void free_(struct client_link *l)
{
    struct link_stdio *s = of(l);

    loop_tick_free(s->tick);
    loop_timer_free(s->pause);
    str_deinit(&s->rest);
    child_free(s->child);
    str_deinit(&s->out);
    str_deinit(&s->line);
    str_deinit(&s->error_line);
    free(s);
}

struct client_link *link_stdio_new(const struct mcp_client_spec *spec,
                                   const struct client_link_events *events)
{
    static const struct client_link_ops ops = {
        .start = start, .send = send, .pid = pid, .stop = stop, .free = free_};
    struct link_stdio *s = xcalloc(1, sizeof(*s));

    s->link = (struct client_link){.ops = &ops, .events = *events};
    s->spec = spec;
    s->tick = loop_tick_new(spec->loop, flush, s);
    str_init(&s->out, CHILD_INPUT_MAX);
    str_init(&s->line, spec->limits.message_bytes);
    str_init(&s->error_line, ERROR_LINE_BYTES);
    return &s->link;
}
