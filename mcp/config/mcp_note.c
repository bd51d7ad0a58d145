/* mcp_note.c - see mcp_note.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_note.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/memory.h"

void mcp_notes_deinit(struct mcp_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) {
        free(notes->note[i].where);
        free(notes->note[i].text);
    }
    free(notes->note);
    *notes = (struct mcp_notes){0};
}

static void add(struct mcp_notes *notes, enum mcp_note_level level, char *adopt_where,
                char *adopt_text)
{
    notes->errors += level == MCP_CONFIG_ERROR;
    if (notes->n == MCP_NOTES_MAX) {
        notes->dropped++;
        free(adopt_where);
        free(adopt_text);
        return;
    }
    notes->note = xrealloc(notes->note, (notes->n + 1) * sizeof(*notes->note));
    notes->note[notes->n++] = (struct mcp_note){level, adopt_where, adopt_text};
}

void mcp_note_at(struct mcp_notes *notes, enum mcp_note_level level, const struct mcp_node *at,
                 bool of_key, const char *fmt, ...)
{
    struct str where = STR_INIT, text = STR_INIT;
    long line, column;
    va_list ap;

    if (notes->n == MCP_NOTES_MAX) { /* without looking for the place */
        add(notes, level, NULL, NULL);
        return;
    }
    mcp_node_place(at, of_key, &line, &column);
    str_printf(&where, "%s:%ld:%ld", at->source->path, line, column);
    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    add(notes, level, str_take(&where), str_take(&text));
}

void mcp_note_error(struct mcp_notes *notes, const struct error *err)
{
    struct str text = STR_INIT;

    str_puts(&text, err->message);
    if (err->hint[0])
        str_printf(&text, "; %s", err->hint);
    add(notes, MCP_CONFIG_ERROR, xstrdup(err->where), str_take(&text));
}

enum status mcp_fault(struct error *err, const struct mcp_node *at, const char *fmt, ...)
{
    char text[sizeof(err->message)];
    long line, column;
    va_list ap;

    if (!err)
        return STATUS_CONFIG;
    mcp_node_place(at, false, &line, &column);
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return error_at(err, STATUS_CONFIG, at->source->path, line, column, "%s", text);
}
