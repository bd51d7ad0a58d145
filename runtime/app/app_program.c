/* app_program.c - see app_program.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_program.h"

#include <string.h>

#include "runtime/loop/child.h"
#include "runtime/loop/loop.h"

#define ERRORS_MAX     4096
#define GRACE_MS       2000
#define LINE_MAX_BYTES 1000

struct program {
    struct app *app;
    struct loop *loop;
    struct child *child;
    bool quiet, ended, stopping;
    int code, signo;
    struct str line; /* of its output */
    struct str end;  /* how it ended */
};

/* A line may come in pieces; a part of one that is too long is left out. */
static void on_output(void *ctx, bool is_error, const char *bytes, size_t n)
{
    struct program *p = ctx;

    (void)is_error;
    for (size_t i = 0; i < n && !p->quiet; i++) {
        if (bytes[i] != '\n') {
            if (p->line.len < LINE_MAX_BYTES && bytes[i] != '\r')
                str_putc(&p->line, bytes[i]);
            continue;
        }
        log_write(p->app->log, LOG_INFO, "%s", str_cstr(&p->line));
        str_clear(&p->line);
    }
}

static void on_exit_of(void *ctx, int code, int signo)
{
    struct program *p = ctx;

    p->code = code;
    p->signo = signo;
    p->ended = true;
    child_put_end(p->child, &p->end);
    loop_stop(p->loop);
}

static void look_for_signal(void *ctx)
{
    struct program *p = ctx;

    if (!*p->app->interrupted || p->stopping)
        return;
    p->stopping = true;
    child_stop(p->child, GRACE_MS);
}

/* The last line that has text. */
static void last_line(const struct program *p, struct str *out)
{
    size_t n = 0, from;
    const char *text = child_errors(p->child, &n);

    while (n > 0 && strchr(" \r\n", text[n - 1]))
        n--;
    for (from = n; from > 0 && text[from - 1] != '\n';)
        from--;
    str_append(out, text + from, n - from);
}

static enum status outcome(const struct program *p, const char *what, struct error *err)
{
    struct str line = STR_INIT;

    if (p->stopping)
        return error_set(err, STATUS_CANCELLED, "interrupted");
    if (p->code == 0 && p->signo == 0)
        return STATUS_OK;
    last_line(p, &line);
    (void)error_set(err, STATUS_FAILED, "%s: it %s%s%.300s", what, str_cstr(&p->end),
                    line.len ? ": " : "", str_cstr(&line));
    str_deinit(&line);
    return STATUS_FAILED;
}

enum status app_program(struct app *a, const char *const *argv, const char *what, bool quiet,
                        struct error *err)
{
    struct program p = {.app = a, .quiet = quiet, .line = STR_INIT, .end = STR_INIT};
    const struct child_spec spec = {.argv = argv,
                                    .errors_max = ERRORS_MAX,
                                    .on_output = on_output,
                                    .on_exit = on_exit_of,
                                    .ctx = &p};
    struct loop_tick *tick;
    enum status st = troupe_loop(a->troupe, &p.loop, err);

    if (!st)
        st = child_spawn(p.loop, &spec, &p.child, err);
    if (st)
        return st;
    child_end_input(p.child);
    tick = loop_tick_new(p.loop, look_for_signal, &p);
    a->signal->wake = p.loop;
    while (!p.ended)
        loop_run(p.loop);
    a->signal->wake = NULL;
    loop_tick_free(tick);
    st = outcome(&p, what, err);
    child_free(p.child);
    str_deinit(&p.line);
    str_deinit(&p.end);
    return st;
}
