/* chat_input.c - lines into messages; see chat_input.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/chat_input.h"

#include <string.h>

#define FENCE "\"\"\""

static enum chat_line read_line(struct chat_input *in, const char *prompt, struct str *line)
{
    enum chat_line got;

    str_clear(line);
    got = in->ops->read(in, prompt, line);
    return got == CHAT_LINE && !str_ok(line) ? CHAT_TOO_LONG : got;
}

/* All up to the second fence. */
static enum chat_line read_block(struct chat_input *in, struct str *line, struct str *out)
{
    bool first = true;
    enum chat_line got;

    for (;;) {
        got = read_line(in, ". ", line);
        if (got == CHAT_LINE && strcmp(str_cstr(line), FENCE) == 0)
            return CHAT_LINE;
        if (got != CHAT_LINE)
            return got;
        str_printf(out, "%s%s", first ? "" : "\n", str_cstr(line));
        first = false;
    }
}

/* Lines that end with a backslash, and the one that ends them. */
static enum chat_line read_lines(struct chat_input *in, struct str *line, struct str *out)
{
    enum chat_line got = CHAT_LINE;

    while (got == CHAT_LINE) {
        bool more = line->len > 0 && str_cstr(line)[line->len - 1] == '\\';

        str_append(out, str_cstr(line), line->len - (more ? 1 : 0));
        if (!more)
            return CHAT_LINE;
        str_putc(out, '\n');
        got = read_line(in, ". ", line);
    }
    return got;
}

static bool is_blank(const struct str *s)
{
    return str_cstr(s)[strspn(str_cstr(s), " \t\r\n")] == '\0';
}

enum chat_line chat_input_message(struct chat_input *in, struct str *out)
{
    struct str line;
    enum chat_line got;

    str_init(&line, CHAT_MESSAGE_MAX);
    do {
        str_clear(out);
        got = read_line(in, "> ", &line);
        if (got == CHAT_LINE)
            got = strcmp(str_cstr(&line), FENCE) == 0 ? read_block(in, &line, out)
                                                      : read_lines(in, &line, out);
        if (got == CHAT_LINE && (!str_ok(out) || out->len > CHAT_MESSAGE_MAX))
            got = CHAT_TOO_LONG;
    } while (got == CHAT_LINE && is_blank(out));
    str_deinit(&line);
    if (got == CHAT_LINE && in->ops->remember)
        in->ops->remember(in, str_cstr(out));
    return got;
}

void chat_input_free(struct chat_input *in)
{
    if (in)
        in->ops->free(in);
}
