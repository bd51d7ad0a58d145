/* mcp_input.h - the `inputs` of VS Code's files: questions whose answers are values of a server's
 * configuration, ${input:ID}.
 *
 * Each is asked once in a process: answers are kept here, in memory alone, and survive a reload of
 * the files. A password's answer is for the server only; the caller records neither it nor what
 * contains it. Answers are wiped when they are freed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_INPUT_H
#define TROUPE_MCP_CONFIG_MCP_INPUT_H

#include "mcp/config/mcp_note.h"

struct mcp_input {
    char *file, *id;   /* ids are per file */
    char *description; /* the question; never empty */
    char *otherwise;   /* the default; NULL: none */
    char **option;     /* (n_options) the answers to choose from; none: any text */
    size_t n_options;
    bool password;
    char *answer; /* NULL: not asked yet */
};
struct mcp_inputs {
    struct mcp_input **input; /* (n), each at a fixed address */
    size_t n;
};
void mcp_inputs_deinit(struct mcp_inputs *in);
/* Reads a list `inputs`. An input that is there already keeps its answer. Those that cannot be
 * asked (`type: command`) are noted and left out. */
void mcp_inputs_declare(struct mcp_inputs *in, const struct mcp_node *list,
                        struct mcp_notes *notes);
/* NULL: the file declares no such input. */
struct mcp_input *mcp_inputs_find(const struct mcp_inputs *in, const char *file, const char *id);
/* STATUS_INVALID: not one of the options; the message does not contain the answer. */
MUST_CHECK enum status mcp_input_answer(struct mcp_input *input, const char *answer,
                                        struct error *err);

#endif
