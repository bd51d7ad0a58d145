/* completion.h - completion of a command line. The shell scripts call `troupe completion words` at
 * each TAB; the candidates come from the tables of commands and options.
 *
 * A METAVAR selects the candidates: lower-case words are offered as they are, FILE and BLUEPRINT
 * offer files, DIR folders, COMMAND and OPTION entries of the tables. The caller supplies all other
 * names (RUN, ENV, M, ...). "A|B" offers both, "A,..." a list with commas.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_CONFIG_COMPLETION_H
#define TROUPE_RUNTIME_CONFIG_COMPLETION_H

#include "runtime/base/str.h"
#include "runtime/config/options.h"

struct completion {
    const struct command_spec *const *commands;
    int32_t n_commands;
    const char *const *words; /* after the program's name; the last one is being typed */
    int32_t n_words;
    /* Offers the names of `kind` ("RUN") with completion_offer. */
    void (*names)(struct completion *c, const char *kind);
    void *owner;
    struct str
        *out; /* a line per word: WORD TAB description; then ":files" or ":folders" if they fit */

    /* Found on the line, for names(); NULL: not found. */
    const struct command_spec *command;
    const char *env, *store;
    /* The prefix of the words to offer, and the text before it. */
    const char *typed, *head;
    size_t head_n;
    bool files, folders;
};

void completion_run(struct completion *c);
/* For names(): writes the word if it begins with the typed prefix. `about` may be NULL. */
void completion_offer(struct completion *c, const char *word, const char *about);
/* The script for "bash", "zsh" or "fish"; NULL for another shell. */
const char *completion_script(const char *shell);

#endif
