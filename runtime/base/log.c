/* log.c - log messages and a progress line.
 *
 * Each line is one write, so that lines of several processes on one terminal do
 * not mix. Control characters are removed: a message may quote a model or a peer,
 * and must not control the terminal.
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
#include "runtime/base/unicode.h"

#define LINE_MAX_BYTES    ((size_t)16 << 10)
#define REDRAW_US         50000    /* an eye sees no more than 20 a second */
#define PLAIN_PROGRESS_US 10000000 /* where nothing can be redrawn */
#define ERASE_LINE        "\r\033[K"

struct log {
    int fd;
    enum log_level level;
    bool progress;
    bool terminal; /* fd can redraw a line */

    pthread_mutex_t lock; /* for all below */
    struct str live;      /* the progress line; empty: none */
    bool drawn;           /* it is on the terminal now */
    bool shown_ever;      /* shown_us means something */
    int64_t shown_us;
};

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

/* Appends text without control characters. Line ends stay where `lines` says so: an error may end
 * in a source line and a caret. */
static void put_clean(struct str *out, bool lines, const char *text, size_t n)
{
    size_t i = 0;

    while (i < n) {
        uint32_t c = utf8_next(text, n, &i);
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);

        if (!control || (c == '\n' && lines))
            utf8_put(out, c);
        else
            str_putc(out, c == '\t' || c == '\n' ? ' ' : '?');
    }
}

static void PRINTF_LIKE(3, 0) put_message(struct str *out, bool lines, const char *fmt, va_list ap)
{
    struct str text;

    str_init(&text, LINE_MAX_BYTES);
    str_vprintf(&text, fmt, ap);
    if (!str_ok(&text)) {
        str_clear(&text);
        str_puts(&text, "(a message too long to show)");
    }
    put_clean(out, lines, text.data, text.len);
    str_deinit(&text);
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

void log_write(struct log *l, enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"error: ", "warning: ", "", "debug: "};
    struct str out;
    va_list ap;

    if (!l || level > l->level || (unsigned)level >= ARRAY_LEN(names))
        return;
    str_init(&out, 8 * LINE_MAX_BYTES);
    pthread_mutex_lock(&l->lock);
    if (l->drawn)
        str_puts(&out, ERASE_LINE);
    str_puts(&out, names[level]);
    va_start(ap, fmt);
    put_message(&out, true, fmt, ap);
    va_end(ap);
    str_putc(&out, '\n');
    if (l->drawn)
        draw_live(l, &out);
    log_send(l, &out);
    pthread_mutex_unlock(&l->lock);
    str_deinit(&out);
}

void log_text(struct log *l, const char *text, size_t n)
{
    struct str out = STR_INIT;

    log_progress_end(l);
    if (!l)
        return;
    put_clean(&out, true, text, n);
    pthread_mutex_lock(&l->lock);
    log_send(l, &out);
    pthread_mutex_unlock(&l->lock);
    str_deinit(&out);
}

void log_progress(struct log *l, const char *fmt, ...)
{
    int64_t now_us = seams_mono_us(seams_real()); /* the reader's time, not the run's */
    struct str out;
    va_list ap;

    if (!l || !l->progress)
        return;
    str_init(&out, 8 * LINE_MAX_BYTES);
    pthread_mutex_lock(&l->lock);
    str_clear(&l->live);
    va_start(ap, fmt);
    put_message(&l->live, false, fmt, ap);
    va_end(ap);
    if (!l->shown_ever || now_us - l->shown_us >= (l->terminal ? REDRAW_US : PLAIN_PROGRESS_US)) {
        if (l->terminal) {
            draw_live(l, &out);
        } else {
            str_append(&out, str_cstr(&l->live), l->live.len);
            str_putc(&out, '\n');
        }
        log_send(l, &out);
        l->shown_ever = true;
        l->shown_us = now_us;
    }
    pthread_mutex_unlock(&l->lock);
    str_deinit(&out);
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
