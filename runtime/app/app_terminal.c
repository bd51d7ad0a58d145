/* app_terminal.c - see app_terminal.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LOOK_MS 100 /* for a signal */

static bool show_input(bool show, struct termios *before)
{
    struct termios now;

    if (show)
        return tcsetattr(STDIN_FILENO, TCSANOW, before) == 0;
    if (tcgetattr(STDIN_FILENO, before))
        return false;
    now = *before;
    now.c_lflag &= ~(tcflag_t)ECHO;
    return tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
}

static bool read_line(const struct app *a, struct str *out)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char c;

    while (!*a->interrupted) {
        if (poll(&p, 1, LOOK_MS) <= 0)
            continue;
        switch (read(STDIN_FILENO, &c, 1)) {
        case 1:
            if (c == '\n')
                return str_ok(out);
            str_putc(out, c);
            break;
        case 0:
            return false;
        default:
            if (errno != EINTR && errno != EAGAIN)
                return false;
        }
    }
    return false;
}

bool terminal_ask(struct app *a, const char *text, bool secret, struct str *out)
{
    struct termios before;
    bool hidden, answered;

    log_progress_end(a->log);
    log_text(a->log, LOG_INFO, NULL, text, strlen(text));
    hidden = secret && show_input(false, &before);
    answered = read_line(a, out);
    if (hidden) {
        (void)show_input(true, &before);
        dprintf(STDERR_FILENO, "\n");
    }
    return answered;
}
