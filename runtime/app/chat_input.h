/* chat_input.h - where the messages of a talk come from: a line editor on a terminal, or the lines
 * of a file, a pipe or standard input.
 *
 * While it waits for a line, the program goes on with its work (struct chat_wait), on the same
 * thread. A line that ends with a backslash goes on in the next one; a line of three quotation
 * marks begins a message of several lines, and another one ends it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_CHAT_INPUT_H
#define TROUPE_RUNTIME_APP_CHAT_INPUT_H

#include "runtime/base/status.h"
#include "runtime/base/str.h"

#define CHAT_MESSAGE_MAX ((size_t)1 << 20) /* bytes */

enum chat_line {
    CHAT_LINE,
    CHAT_DROPPED, /* Ctrl-C: what was typed is gone */
    CHAT_END,     /* Ctrl-D, or the end of the file */
    CHAT_TOO_LONG /* and is gone */
};

struct chat_wait {
    /* Works until fd can be read. False: Ctrl-C, or nothing more is to be read. */
    bool (*until)(void *ctx, int fd);
    void *ctx;
};

struct chat_input;
struct chat_input_ops {
    /* Appends a line, without its end. */
    enum chat_line (*read)(struct chat_input *in, const char *prompt, struct str *out);
    void (*remember)(struct chat_input *in, const char *message); /* for the editor; may be NULL */
    void (*free)(struct chat_input *in);
};
struct chat_input { /* the first member of each kind */
    const struct chat_input_ops *ops;
    struct chat_wait wait;
};

/* Lines of fd, which stays the caller's. Prompts are not shown. */
struct chat_input *chat_input_lines(int fd, const struct chat_wait *wait);
/* A line editor on the terminal of standard input and output. `history`: the messages of earlier
 * talks, oldest first; lent for the call. STATUS_UNSUPPORTED: this terminal cannot be used. */
MUST_CHECK enum status chat_input_editor(const struct chat_wait *wait, const struct str *history,
                                         size_t n_history, struct chat_input **out,
                                         struct error *err);
/* The next message that is not empty, of at most CHAT_MESSAGE_MAX bytes; replaces *out. */
enum chat_line chat_input_message(struct chat_input *in, struct str *out);
void chat_input_free(struct chat_input *in); /* NULL is fine */

#endif
