/* chat_input_lines.c - the lines of a descriptor; see chat_input.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/app/chat_input.h"
#include "runtime/base/memory.h"

struct lines {
    struct chat_input in; /* first */
    int fd;
    char bytes[4096]; /* read, and not given yet: from `at`, `n` of them */
    size_t at, n;
    bool ended;
};

/* False: nothing more comes, or Ctrl-C (errno is EINTR). */
static bool fill(struct lines *l)
{
    ssize_t n;

    if (l->ended || !l->in.wait.until(l->in.wait.ctx, l->fd)) {
        errno = l->ended ? 0 : EINTR;
        return false;
    }
    do
        n = read(l->fd, l->bytes, sizeof(l->bytes));
    while (n < 0 && errno == EINTR);
    l->ended = n <= 0;
    l->at = 0;
    l->n = n > 0 ? (size_t)n : 0;
    if (n == 0)
        errno = 0;
    return n > 0;
}

static enum chat_line read_line(struct chat_input *in, const char *prompt, struct str *out)
{
    struct lines *l = (struct lines *)in;

    (void)prompt;
    for (;;) {
        const char *from = l->bytes + l->at, *end = memchr(from, '\n', l->n);
        size_t n = end ? (size_t)(end - from) : l->n;

        str_append(out, from, n);
        l->at += n + (end ? 1 : 0);
        l->n -= n + (end ? 1 : 0);
        if (end)
            return CHAT_LINE;
        if (!fill(l) && errno == EINTR)
            return CHAT_DROPPED;
        if (l->n == 0) /* the last line may have no end */
            return out->len > 0 ? CHAT_LINE : CHAT_END;
    }
}

static void lines_free(struct chat_input *in)
{
    free(in);
}

static const struct chat_input_ops ops = {.read = read_line, .free = lines_free};

struct chat_input *chat_input_lines(int fd, const struct chat_wait *wait)
{
    struct lines *l = xcalloc(1, sizeof(*l));

    l->in = (struct chat_input){.ops = &ops, .wait = *wait};
    l->fd = fd;
    return &l->in;
}
