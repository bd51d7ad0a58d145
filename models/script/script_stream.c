/* script_stream.c - see script_stream.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/script/script_stream.h"

#include <string.h>

#include "runtime/base/unicode.h"

/* The end of the character that contains byte `at`, or `at` where one begins. */
static size_t boundary(const char *text, size_t n, size_t at)
{
    size_t to = 0;

    while (to < at && to < n)
        (void)utf8_next(text, n, &to);
    return to;
}

void script_stream_piece(struct model_call *c, int32_t i)
{
    const size_t n = c->on_text && c->text ? strlen(c->text) : 0;
    const size_t piece = n / SCRIPT_PIECES + 1;
    size_t from = boundary(c->text, n, (size_t)i * piece),
           to = boundary(c->text, n, (size_t)(i + 1) * piece);

    if (to > from)
        c->on_text(c, c->text + from, to - from);
}
