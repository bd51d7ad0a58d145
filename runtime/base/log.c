/* log.c - log messages and a progress line.
 *
 * Each line is one write, so that lines of several processes on one terminal do
 * not mix. Control characters are replaced, in JSON escaped: a message may quote a model
 * or a peer, and must not control the terminal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/str.h"
#include "runtime/base/time_text.h"
#include "runtime/base/unicode.h"

#define LINE_MAX_BYTES    ((size_t)16 << 10)
#define REDRAW_US         50000    /* an eye sees no more than 20 a second */
#define PLAIN_PROGRESS_US 10000000 /* where nothing can be redrawn */
#define ERASE_LINE        "\r\033[K"

struct log {
    int fd;
    enum log_level level;
    enum log_format format;
    bool progress;
    bool terminal; /* fd can redraw a line */

    pthread_mutex_t lock; /* for all below */
    struct str live;      /* the progress line; empty: none */
    bool drawn;           /* it is on the terminal now */
    bool shown_ever;      /* shown_us means something */
    int64_t shown_us;
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static bool can_redraw(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

struct log *log_new(int fd, enum log_level level, bool progress)
{
    struct log *l = xcalloc(1, sizeof(*l));

    l->fd = fd;
    l->level = level;
    l->progress = progress;
    l->terminal = can_redraw(fd);
    str_init(&l->live, LINE_MAX_BYTES);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void log_free(struct log *l)
{
    if (!l)
        return;
    log_progress_end(l);
    pthread_mutex_destroy(&l->lock);
    str_deinit(&l->live);
    free(l);
}

void log_set_format(struct log *l, enum log_format format)
{
    l->format = format;
    if (format == LOG_JSON)
        l->terminal = false; /* nothing is redrawn */
}

bool log_shows(const struct log *l, enum log_level level)
{
    return l && level <= l->level;
}

/* Errors are ignored: work goes on without a log. */
static void log_send(const struct log *l, const struct str *s)
{
    const char *p = str_cstr(s);
    size_t left = s->len;

    while (left > 0) {
        ssize_t done = write(l->fd, p, left);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        p += done;
        left -= (size_t)done;
    }
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Appends text without control characters. Line ends stay where `lines` says so: an error may end
 * in a source line and a caret. */
static void put_clean(struct str *out, bool lines, const char *text, size_t n)
{
    size_t i = 0;

    while (i < n) {
        uint32_t c = utf8_next(text, n, &i);
        bool control = is_control(c);

        if (!control || (c == '\n' && lines))
            utf8_put(out, c);
        else
            str_putc(out, c == '\t' || c == '\n' ? ' ' : '?');
    }
}

static void PRINTF_LIKE(2, 0) format_message(struct str *out, const char *fmt, va_list ap)
{
    str_init(out, LINE_MAX_BYTES);
    str_vprintf(out, fmt, ap);
    if (str_ok(out))
        return;
    str_clear(out);
    str_puts(out, "(a message too long to show)");
}

/* ---- lines in JSON */

/* With the control characters that JSON leaves as they are escaped too. */
static void put_json(struct str *out, const char *text, size_t n)
{
    size_t i = 0;

    str_putc(out, '"');
    while (i < n) {
        uint32_t c = utf8_next(text, n, &i);

        if (c == '\n')
            str_puts(out, "\\n");
        else if (is_control(c))
            str_printf(out, "\\u%04x", (unsigned)c);
        else if (c == '"' || c == '\\')
            str_printf(out, "\\%c", (char)c);
        else
            utf8_put(out, c);
    }
    str_putc(out, '"');
}

static void put_time(struct str *out)
{
    int64_t ms = seams_wall_ms(seams_real()); /* the reader's time, not the run's */

    time_put_rfc3339(out, ms - ms % 1000);
    out->len--; /* the Z */
    str_printf(out, ".%03dZ", (int)(ms % 1000));
}

static void put_json_line(struct str *out, enum log_level level, const struct log_field *field,
                          int32_t n_fields, const struct str *message)
{
    str_puts(out, "{\"time\": \"");
    put_time(out);
    str_printf(out, "\", \"level\": \"%s\", \"message\": ", level_names[level]);
    put_json(out, str_cstr(message), message->len);
    for (int32_t i = 0; i < n_fields; i++) {
        str_printf(out, ", \"%s\": ", field[i].name);
        if (field[i].text)
            put_json(out, field[i].text, strlen(field[i].text));
        else
            str_put_i64(out, field[i].number);
    }
    str_puts(out, "}\n");
}

static size_t terminal_columns(int fd)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        return size.ws_col;
    return 80;
}

/* The live line, cut so that it never wraps: a wrapped line cannot be erased. */
static void draw_live(struct log *l, struct str *out)
{
    size_t room = terminal_columns(l->fd) - 1;
    size_t i = 0;

    str_puts(out, ERASE_LINE);
    while (i < l->live.len) {
        size_t from = i;
        size_t width;

        (void)utf8_next(l->live.data, l->live.len, &i);
        width = utf8_width(l->live.data + from, i - from);
        if (width > room)
            break;
        room -= width;
        str_append(out, l->live.data + from, i - from);
    }
    l->drawn = true;
}

static void write_line(struct log *l, enum log_level level, const struct log_field *field,
                       int32_t n_fields, const struct str *message)
{
    static const char *const before[] = {"error: ", "warning: ", "", "debug: "};
    struct str out;

    str_init(&out, 8 * LINE_MAX_BYTES);
    pthread_mutex_lock(&l->lock);
    if (l->format == LOG_JSON) {
        put_json_line(&out, level, field, n_fields, message);
    } else {
        if (l->drawn)
            str_puts(&out, ERASE_LINE);
        str_puts(&out, before[level]);
        put_clean(&out, true, str_cstr(message), message->len);
        str_putc(&out, '\n');
        if (l->drawn)
            draw_live(l, &out);
    }
    log_send(l, &out);
    pthread_mutex_unlock(&l->lock);
    str_deinit(&out);
}

static void PRINTF_LIKE(5, 0)
    write_message(struct log *l, enum log_level level, const struct log_field *field,
                  int32_t n_fields, const char *fmt, va_list ap)
{
    struct str message;

    if (!log_shows(l, level) || (unsigned)level >= ARRAY_LEN(level_names))
        return;
    format_message(&message, fmt, ap);
    write_line(l, level, field, n_fields, &message);
    str_deinit(&message);
}

void log_write(struct log *l, enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_message(l, level, NULL, 0, fmt, ap);
    va_end(ap);
}

void log_write_fields(struct log *l, enum log_level level, const struct log_field *field,
                      int32_t n_fields, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_message(l, level, field, n_fields, fmt, ap);
    va_end(ap);
}

void log_write_run(struct log *l, enum log_level level, const char *run, const char *path,
                   const char *fmt, ...)
{
    const struct log_field field[] = {{.name = "run", .text = run}, {.name = "path", .text = path}};
    va_list ap;

    va_start(ap, fmt);
    write_message(l, level, field, path ? 2 : 1, fmt, ap);
    va_end(ap);
}

/* Without its last line end, which is that of the line. */
static void put_text_json(struct str *out, enum log_level level, const char *run, const char *text,
                          size_t n)
{
    struct str message = STR_INIT;

    str_append(&message, text, n > 0 && text[n - 1] == '\n' ? n - 1 : n);
    put_json_line(out, level, &(struct log_field){.name = "run", .text = run}, run != NULL,
                  &message);
    str_deinit(&message);
}

void log_text(struct log *l, enum log_level level, const char *run, const char *text, size_t n)
{
    struct str out = STR_INIT;

    log_progress_end(l);
    if (!l)
        return;
    if (l->format == LOG_JSON)
        put_text_json(&out, level, run, text, n);
    else
        put_clean(&out, true, text, n);
    pthread_mutex_lock(&l->lock);
    log_send(l, &out);
    pthread_mutex_unlock(&l->lock);
    str_deinit(&out);
}

static void PRINTF_LIKE(4, 0) progress(struct log *l, const struct log_field *field,
                                       int32_t n_fields, const char *fmt, va_list ap)
{
    int64_t now_us = seams_mono_us(seams_real()); /* the reader's time, not the run's */
    struct str out, message;

    if (!l || !l->progress)
        return;
    format_message(&message, fmt, ap);
    str_init(&out, 8 * LINE_MAX_BYTES);
    pthread_mutex_lock(&l->lock);
    str_clear(&l->live);
    put_clean(&l->live, false, str_cstr(&message), message.len);
    if (!l->shown_ever || now_us - l->shown_us >= (l->terminal ? REDRAW_US : PLAIN_PROGRESS_US)) {
        if (l->terminal) {
            draw_live(l, &out);
        } else if (l->format == LOG_JSON) {
            put_json_line(&out, LOG_INFO, field, n_fields, &l->live);
        } else {
            str_append(&out, str_cstr(&l->live), l->live.len);
            str_putc(&out, '\n');
        }
        log_send(l, &out);
        l->shown_ever = true;
        l->shown_us = now_us;
    }
    pthread_mutex_unlock(&l->lock);
    str_deinit(&message);
    str_deinit(&out);
}

void log_progress(struct log *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    progress(l, NULL, 0, fmt, ap);
    va_end(ap);
}

void log_progress_run(struct log *l, const char *run, const char *path, const char *fmt, ...)
{
    const struct log_field field[] = {{.name = "run", .text = run}, {.name = "path", .text = path}};
    va_list ap;

    va_start(ap, fmt);
    progress(l, field, 2, fmt, ap);
    va_end(ap);
}

void log_progress_begin(struct log *l)
{
    if (!l || l->terminal)
        return;
    pthread_mutex_lock(&l->lock);
    l->shown_ever = true;
    l->shown_us = seams_mono_us(seams_real());
    pthread_mutex_unlock(&l->lock);
}

void log_progress_end(struct log *l)
{
    struct str out;

    if (!l)
        return;
    str_init(&out, LINE_MAX_BYTES);
    pthread_mutex_lock(&l->lock);
    if (l->drawn)
        str_puts(&out, ERASE_LINE);
    log_send(l, &out);
    str_clear(&l->live);
    l->drawn = false;
    l->shown_ever = false;
    pthread_mutex_unlock(&l->lock);
    str_deinit(&out);
}
