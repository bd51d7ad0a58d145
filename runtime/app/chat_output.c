/* chat_output.c - see chat_output.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/chat_output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/model.h"
#include "runtime/app/table.h"
#include "runtime/base/utf8.h"

#define SHORT 100 /* columns of a call or a result */
#define DIM   "\033[2m"
#define PLAIN "\033[0m"

void chat_output_init(struct chat_output *o, struct app *a)
{
    const char *term = getenv("TERM");

    *o = (struct chat_output){.app = a};
    o->terminal = !a->json && isatty(STDOUT_FILENO);
    o->colors = o->terminal && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
    o->shown = STR_INIT;
}

void chat_output_deinit(struct chat_output *o)
{
    reply_stream_free(o->split);
    str_deinit(&o->shown);
}

static void write_all(struct chat_output *o, const struct str *s)
{
    if (!o->unwritten && s->len > 0)
        o->unwritten = app_print(s) != EXIT_OK;
}

static void put_event(struct chat_output *o, struct json *adopt_event)
{
    if (o->unwritten)
        jv_unref(adopt_event);
    else
        o->unwritten = app_print_json(adopt_event) != EXIT_OK;
}

static struct json *event(const char *type)
{
    struct json *e = jv_object();

    jv_set_string(e, "type", type);
    return e;
}

/* A model must not control the terminal. */
static void put_clean(const char *text, size_t n, struct str *out)
{
    for (size_t i = 0; i < n;) {
        size_t from = i;
        uint32_t c = utf8_next(text, n, &i);

        if (c == '\n' || c == '\t' || (c >= 0x20 && (c < 0x7f || c >= 0xa0)))
            str_append(out, text + from, i - from);
    }
}

/* So that what follows begins a line. */
static void end_line(struct chat_output *o)
{
    struct str s = STR_INIT;

    if (o->last && o->last != '\n' && !o->app->json)
        str_putc(&s, '\n');
    o->last = 0;
    write_all(o, &s);
    str_deinit(&s);
}

static void give(void *ctx, enum reply_part part, const char *text, size_t n)
{
    struct chat_output *o = ctx;
    struct str s = STR_INIT;

    if (part == REPLY_CONTENT)
        str_append(&o->shown, text, n);
    if (o->app->json) {
        struct json *e = event(part == REPLY_CONTENT ? "text" : "reasoning");

        jv_set_adopt(e, "text", jv_string_n(text, n));
        put_event(o, e);
        return;
    }
    if (part == REPLY_REASONING && !o->terminal)
        return;
    if (part != o->part)
        end_line(o);
    o->part = part;
    if (o->colors && part == REPLY_REASONING)
        str_puts(&s, DIM);
    if (o->terminal)
        put_clean(text, n, &s);
    else
        str_append(&s, text, n);
    if (o->colors && part == REPLY_REASONING)
        str_puts(&s, PLAIN);
    if (n > 0)
        o->last = text[n - 1];
    write_all(o, &s);
    str_deinit(&s);
}

void chat_output_begin(struct chat_output *o)
{
    const struct model_info *m = &o->model->info;
    struct reply_stream_spec spec = {
        .format = tool_calls_format_of(m->chat_template ? m->chat_template : ""),
        .give = give,
        .ctx = o};

    reply_stream_free(o->split);
    o->split = m->takes_ids ? reply_stream_new(&spec) : NULL;
    o->part = REPLY_CONTENT;
    o->began = true;
}

void chat_output_text(struct chat_output *o, const char *text, size_t n)
{
    if (o->split)
        reply_stream_push(o->split, text, n);
    else
        give(o, REPLY_CONTENT, text, n);
}

void chat_output_end(struct chat_output *o, bool cut)
{
    struct parsed_reply reply = {.content = NULL};
    struct error ignored = ERROR_INIT;

    if (!o->split)
        return;
    if (!reply_stream_end(o->split, cut, &reply, &ignored))
        parsed_reply_deinit(&reply);
    reply_stream_free(o->split);
    o->split = NULL;
}

static void put_short(const struct json *v, struct str *out)
{
    char *text = jv_dump(v);

    format_one_line(text, SHORT, out);
    free(text);
}

void chat_output_call(struct chat_output *o, const char *path, const char *name,
                      const struct json *arguments)
{
    struct str line = STR_INIT;

    end_line(o);
    if (o->app->json) {
        struct json *e = event("call");

        jv_set_string(e, "path", path);
        jv_set_string(e, "name", name);
        jv_set_adopt(e, "arguments", arguments ? jv_deep_copy(arguments) : jv_object());
        put_event(o, e);
        return;
    }
    put_short(arguments, &line);
    chat_output_note(o, "  calls %s %s", name, str_cstr(&line));
    str_deinit(&line);
}

void chat_output_result(struct chat_output *o, const char *path, const struct json *result)
{
    struct str line = STR_INIT;

    if (o->app->json) {
        struct json *e = event("call_result");

        jv_set_string(e, "path", path);
        jv_set_adopt(e, "result", result ? jv_deep_copy(result) : jv_null());
        put_event(o, e);
        return;
    }
    put_short(result, &line);
    chat_output_note(o, "  -> %s", str_cstr(&line));
    str_deinit(&line);
}

void chat_output_answer(struct chat_output *o, bool cut)
{
    end_line(o);
    if (!o->began)
        return;
    o->began = false;
    if (o->app->json) {
        struct json *e = event("answer");

        jv_set_adopt(e, "text", jv_string_n(str_cstr(&o->shown), o->shown.len));
        if (cut)
            jv_set_bool(e, "cut", true);
        put_event(o, e);
    } else if (cut) {
        chat_output_note(o, "(stopped)");
    }
    str_clear(&o->shown);
}

void chat_output_failure(struct chat_output *o, const char *message)
{
    struct error err = ERROR_INIT;

    end_line(o);
    if (o->app->json) {
        struct json *e = event("failure");

        jv_set_string(e, "message", message);
        put_event(o, e);
    }
    (void)error_set(&err, STATUS_FAILED, "%s", message);
    app_print_error(o->app, NULL, &err);
    str_clear(&o->shown);
}

void chat_output_note(struct chat_output *o, const char *fmt, ...)
{
    struct str s = STR_INIT;
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    str_putc(&s, '\n');
    end_line(o);
    if (log_shows(o->app->log, LOG_INFO))
        log_text(o->app->log, LOG_INFO, NULL, str_cstr(&s), s.len);
    str_deinit(&s);
}
