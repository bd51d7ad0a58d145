/* chat_input_edit.c - the line editor: libedit on the terminal; see chat_input.h.
 *
 * libedit reads a line with a call that returns at its end. It gets each character from read_char,
 * which first does the program's work until there is one. Bytes are decoded here, so that UTF-8
 * works in every locale; libedit writes in the locale of this thread, which is C.UTF-8 during a
 * line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/app/chat_input.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

#define HISTORY_LINES 1000

struct editor {
    struct chat_input in; /* first */
    EditLine *el;
    History *history;
    HistEvent event;
    const char *prompt; /* of the line under way */
    locale_t locale;
    bool stopped; /* Ctrl-C during the line */
};

static struct editor *editor_of(EditLine *el)
{
    void *e = NULL;

    el_get(el, EL_CLIENTDATA, &e);
    return e;
}

static char *show_prompt(EditLine *el)
{
    return (char *)editor_of(el)->prompt;
}

/* One byte of the terminal: 1; 0: the end; -1: Ctrl-C or an error. */
static int read_byte(struct editor *e, unsigned char *out)
{
    ssize_t n;

    if (!e->in.wait.until(e->in.wait.ctx, STDIN_FILENO)) {
        e->stopped = true;
        return -1;
    }
    do
        n = read(STDIN_FILENO, out, 1);
    while (n < 0 && errno == EINTR);
    return n > 0 ? 1 : (int)n;
}

static int read_char(EditLine *el, wchar_t *out)
{
    struct editor *e = editor_of(el);
    unsigned char bytes[4];
    size_t n = 1, want, at = 0;
    int got = read_byte(e, &bytes[0]);

    if (got <= 0)
        return got;
    want = bytes[0] < 0xc2 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    while (n < want && (got = read_byte(e, &bytes[n])) > 0)
        n++;
    if (got < 0)
        return got;
    *out = (wchar_t)utf8_next((const char *)bytes, n, &at);
    return 1;
}

static enum chat_line read_line(struct chat_input *in, const char *prompt, struct str *out)
{
    struct editor *e = (struct editor *)in;
    locale_t before = uselocale(e->locale);
    const char *line;
    int n = 0;

    e->prompt = prompt;
    e->stopped = false;
    el_set(e->el, EL_PREP_TERM, 1); /* else a key just after the prompt is read as in a shell */
    line = el_gets(e->el, &n);
    uselocale(before);
    if (e->stopped || !line || n <= 0) {
        (void)!write(STDOUT_FILENO, e->stopped ? "^C\n" : "\n", e->stopped ? 3 : 1);
        return e->stopped ? CHAT_DROPPED : CHAT_END;
    }
    str_append(out, line, (size_t)n);
    while (out->len > 0 && strchr("\r\n", out->data[out->len - 1]))
        out->data[--out->len] = '\0';
    return CHAT_LINE;
}

static void remember(struct chat_input *in, const char *message)
{
    struct editor *e = (struct editor *)in;

    history(e->history, &e->event, H_ENTER, message);
}

static void editor_free(struct chat_input *in)
{
    struct editor *e = (struct editor *)in;

    if (e->el)
        el_end(e->el);
    if (e->history)
        history_end(e->history);
    if (e->locale)
        freelocale(e->locale);
    free(e);
}

static const struct chat_input_ops ops = {
    .read = read_line, .remember = remember, .free = editor_free};

/* The keys, too, are set up in that locale: which characters can be printed decides what they do.
 */
static bool set_up(struct editor *e)
{
    e->history = history_init();
    e->el = el_init("troupe", stdin, stdout, stderr);
    if (!e->history || !e->el)
        return false;
    history(e->history, &e->event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &e->event, H_SETUNIQUE, 1);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_PROMPT, show_prompt);
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_GETCFN, read_char);
    el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    return true;
}

enum status chat_input_editor(const struct chat_wait *wait, const struct str *history_text,
                              size_t n_history, struct chat_input **out, struct error *err)
{
    struct editor *e = xcalloc(1, sizeof(*e));
    bool ready = false;

    e->in = (struct chat_input){.ops = &ops, .wait = *wait};
    e->prompt = "";
    e->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (e->locale) {
        locale_t before = uselocale(e->locale);

        ready = set_up(e);
        uselocale(before);
    }
    if (!ready) {
        editor_free(&e->in);
        return error_set(err, STATUS_UNSUPPORTED, "this terminal has no line editing");
    }
    for (size_t i = 0; i < n_history; i++)
        remember(&e->in, str_cstr(&history_text[i]));
    *out = &e->in;
    return STATUS_OK;
}
