/* chat_output.h - what a talk shows: the reply as it comes, tool calls and their results, failures.
 *
 * Replies go to standard output; on a terminal without control characters. Calls and failures go to
 * standard error. With --json all of it goes to standard output, one object a line:
 * {"type": "text" or "reasoning", "text"}, {"type": "call", "path", "name", "arguments"},
 * {"type": "call_result", "path", "result"}, {"type": "answer", "text", "cut"?},
 * {"type": "failure", "message"}.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_CHAT_OUTPUT_H
#define TROUPE_RUNTIME_APP_CHAT_OUTPUT_H

#include "models/chat/reply_stream.h"
#include "runtime/app/app.h"

struct model;

struct chat_output {
    struct app *app;
    bool terminal; /* standard output is one */
    bool colors;
    bool unwritten;             /* standard output failed: nothing more is tried */
    const struct model *model;  /* of the talk; lent */
    struct reply_stream *split; /* of the reply under way, of a model whose text has its calls */
    struct str shown;           /* content of the replies to the last message */
    bool began;                 /* a model has answered the last message, or tries to */
    enum reply_part part;       /* of the text shown last */
    char last;                  /* its last byte; 0: none on this line */
};

void chat_output_init(struct chat_output *o, struct app *a);
void chat_output_deinit(struct chat_output *o);
/* The next text is of another reply. */
void chat_output_begin(struct chat_output *o);
/* A piece of the reply, as the model writes it. */
void chat_output_text(struct chat_output *o, const char *text, size_t n);
/* The reply is complete, or was cut short. */
void chat_output_end(struct chat_output *o, bool cut);
void chat_output_call(struct chat_output *o, const char *path, const char *name,
                      const struct json *arguments);
void chat_output_result(struct chat_output *o, const char *path, const struct json *result);
/* All of the answer to the message is there; `cut`: the person stopped it. Nothing if no reply has
 * begun: an earlier process had given it. */
void chat_output_answer(struct chat_output *o, bool cut);
void chat_output_failure(struct chat_output *o, const char *message);
/* A note for the person, on standard error. */
void chat_output_note(struct chat_output *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
