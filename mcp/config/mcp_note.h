/* mcp_note.h - what was found while reading configuration files: notes, warnings, errors.
 *
 * One bad file or server does not stop the others, so faults are collected. A note names its place
 * and never a value of the file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_NOTE_H
#define TROUPE_MCP_CONFIG_MCP_NOTE_H

#include <stddef.h>

#include "mcp/config/mcp_source.h"

enum mcp_note_level {
    MCP_CONFIG_NOTE,
    MCP_CONFIG_WARNING,
    MCP_CONFIG_ERROR, /* a file was not read, or a server cannot be used */
};
struct mcp_note {
    enum mcp_note_level level;
    char *where; /* FILE:LINE:COLUMN, FILE, or "" */
    char *text;
};
/* After MCP_NOTES_MAX, more are counted but not kept. */
#define MCP_NOTES_MAX 200
struct mcp_notes {
    struct mcp_note *note; /* (n) */
    size_t n, dropped, errors;
};
void mcp_notes_deinit(struct mcp_notes *notes);
/* At a value, or at its key. */
void mcp_note_at(struct mcp_notes *notes, enum mcp_note_level level, const struct mcp_node *at,
                 bool of_key, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* An error as a note; takes its place from it. */
void mcp_note_error(struct mcp_notes *notes, const struct error *err);
/* STATUS_CONFIG at a value. */
enum status mcp_fault(struct error *err, const struct mcp_node *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
