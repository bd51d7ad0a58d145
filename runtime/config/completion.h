/* completion.h - what can follow on a command line: the shells' scripts ask `troupe completion
 * words` at each TAB, and this answers from the tables of commands and options.
 *
 * METAVARs say what is offered: words in small letters as they are, FILE and BLUEPRINT files, DIR
 * folders, COMMAND and OPTION from the tables, and the other names (RUN, ENV, M, ...) from the
 * caller, who knows them. "A|B" offers both, "A,..." a list with commas.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_CONFIG_COMPLETION_H
#define TROUPE_RUNTIME_CONFIG_COMPLETION_H

#include "runtime/base/str.h"
#include "runtime/config/options.h"

struct completion {
    const struct command_spec *const *commands;
    int32_t n_commands;
    const char *const *words; /* behind the program's name; the last one is being typed */
    int32_t n_words;
    /* Offers the names of `kind` ("RUN") with completion_offer. */
    void (*names)(struct completion *c, const char *kind);
    void *owner;
    struct str
        *out; /* a line a word: WORD TAB what it is; then ":files" or ":folders" if those fit */

    /* Found on the line, for names(); NULL where it is not there. */
    const struct command_spec *command;
    const char *env, *store;
    /* What an offered word must begin with, and what stands before it. */
    const char *typed, *head;
    size_t head_n;
    bool files, folders;
};

void completion_run(struct completion *c);
/* From names(): written when it begins with what was typed. `about` may be NULL. */
void completion_offer(struct completion *c, const char *word, const char *about);
/* The script for "bash", "zsh" or "fish"; NULL for another shell. */
const char *completion_script(const char *shell);

#endif
