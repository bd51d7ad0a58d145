/* app_ask.c - see app_ask.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/troupe_wait.h"
#include "runtime/app/wait_text.h"
#include "runtime/base/time_text.h"
#include "runtime/loop/loop.h"

#define LOOK_MS    250   /* how often to look for an answer from elsewhere */
#define MAX_ANSWER 65536 /* bytes of a line */

bool app_can_ask(const struct app *a)
{
    return !a->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

enum input { INPUT_NONE, INPUT_LINE, INPUT_END };

/* Reads a line typed within LOOK_MS, without its end. */
static enum input read_line(struct str *line)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char bytes[512];
    ssize_t n;

    if (poll(&p, 1, LOOK_MS) <= 0)
        return INPUT_NONE;
    n = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? INPUT_NONE : INPUT_END;
    if (n == 0)
        return INPUT_END; /* Ctrl-D on an empty line */
    str_append(line, bytes, (size_t)n);
    if (!str_ok(line))
        return INPUT_END;
    if (line->len == 0 || str_cstr(line)[line->len - 1] != '\n')
        return INPUT_NONE;
    line->data[--line->len] = '\0';
    return INPUT_LINE;
}

/* Is the question still open and before its deadline? */
static bool is_still_open(struct app *a, const char *uuid, const char *path)
{
    struct json *waits = NULL;
    struct error ignored = ERROR_INIT;
    bool open = false;
    int64_t ms;

    if (troupe_waits(a->troupe, uuid, &waits, &ignored))
        return true; /* resuming the run will report the error */
    for (size_t i = 0; i < jv_size(waits); i++) {
        const struct json *w = jv_at(waits, i);

        if (strcmp(jv_get_string(jv_get(w, "path"), ""), path) == 0)
            open = !time_from_rfc3339(jv_get_string(jv_get(w, "deadline"), ""), &ms) ||
                   ms > seams_wall_ms(a->seams);
    }
    jv_unref(waits);
    return open;
}

static void print_question(struct app *a, const struct json *w)
{
    struct str text = STR_INIT;

    wait_put_text(w, NULL, false, seams_wall_ms(a->seams), &text);
    str_puts(&text, "  Ctrl-D leaves the question open\n> ");
    log_text(a->log, LOG_INFO, NULL, str_cstr(&text), text.len);
    str_deinit(&text);
}

/* True: the line is an answer. */
static bool give(struct app *a, const char *uuid, const char *path, const struct str *line)
{
    struct error err = ERROR_INIT;

    if (!troupe_answer(a->troupe, uuid, path, str_cstr(line), &err))
        return true;
    app_print_error(a, uuid, &err);
    dprintf(STDERR_FILENO, "> ");
    return false;
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

/* Servers whose calls are open may have something to say. */
static void turn(struct app *a)
{
    struct loop *loop;
    struct loop_timer *t;

    if (troupe_loop(a->troupe, &loop, NULL))
        return;
    t = loop_timer_new(loop, 1, stop, loop);
    loop_run(loop);
    loop_timer_free(t);
}

static bool ask(struct app *a, const char *uuid, const struct json *w)
{
    const char *path = jv_get_string(jv_get(w, "path"), "");
    bool is_message = strcmp(jv_get_string(jv_get(w, "kind"), ""), "message") == 0;
    struct str line; /* an empty one ends a talk, and does not answer other questions */
    bool answered = false, open = true, left = false;

    str_init(&line, MAX_ANSWER);
    print_question(a, w);
    while (open && !answered && !left) {
        enum input got = *a->interrupted ? INPUT_END : read_line(&line);

        if (got == INPUT_LINE && (line.len > 0 || is_message))
            answered = give(a, uuid, path, &line);
        else if (got == INPUT_LINE)
            dprintf(STDERR_FILENO, "> ");
        if (got == INPUT_LINE)
            str_clear(&line);
        left = got == INPUT_END;
        if (got == INPUT_NONE) {
            turn(a);
            open = is_still_open(a, uuid, path);
        }
    }
    if (left || !open)
        dprintf(STDERR_FILENO, "\n");
    str_deinit(&line);
    return answered || !open;
}

bool app_ask(struct app *a, const char *uuid)
{
    struct json *waits = NULL;
    struct error err = ERROR_INIT;
    bool goes_on = false;

    if (troupe_waits(a->troupe, uuid, &waits, &err))
        log_write(a->log, LOG_WARN, "cannot read the open questions of the run: %s", err.message);
    if (jv_size(waits) > 0)
        goes_on = ask(a, uuid, jv_at(waits, 0));
    jv_unref(waits);
    return goes_on;
}
