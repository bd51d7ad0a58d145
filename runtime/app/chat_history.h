/* chat_history.h - the messages that a person has typed, for the line editor of later talks.
 *
 * The file chat_history in the user's state folder has one JSON string a line; only its owner can
 * read it. Each message is appended at once, so that talks at the same time keep all. A file that
 * has grown long is cut when it is opened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_CHAT_HISTORY_H
#define TROUPE_RUNTIME_APP_CHAT_HISTORY_H

#include "runtime/base/seams.h"
#include "runtime/base/str.h"

#define CHAT_HISTORY_KEPT 1000 /* messages */

struct chat_history {
    int fd;           /* -1: nothing is kept */
    struct str *text; /* (n) oldest first */
    size_t n;
};

/* On failure it is empty, and chat_history_add does nothing. */
MUST_CHECK enum status chat_history_open(struct chat_history *h, const struct seams *seams,
                                         struct error *err);
void chat_history_add(struct chat_history *h, const char *message);
void chat_history_close(struct chat_history *h);

#endif
