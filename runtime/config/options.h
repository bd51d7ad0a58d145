/* options.h - command-line options. One table defines flags, environment, files, help, completion
 * and man page.
 *
 * The sources of a value, in order of precedence: flag, TROUPE_<OPTION>, ./troupe.yaml,
 * $XDG_CONFIG_HOME/troupe/config.yaml, the table's default. Type and range are checked on reading;
 * errors name the source: "--lr", "TROUPE_LR" or FILE:LINE:COLUMN.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_CONFIG_OPTIONS_H
#define TROUPE_RUNTIME_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"

enum option_type {
    OPTION_FLAG,
    OPTION_INT,
    OPTION_NUMBER,
    OPTION_NUMBERS, /* "0" or "0,1": each within the range; option_one rejects a list */
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_CHOICE,
    OPTION_DURATION, /* milliseconds */
    OPTION_BYTES,
    OPTION_SEED, /* unsigned, 64 bits */
};

#define OPTION_IN_FILE 1 /* may also come from the environment and from files */
#define OPTION_REPEATS 2

enum option_id {
#define O(id, name, type, otherwise, metavar, min, max, flags, help) OPT_##id,
#define D(command, id, otherwise, metavar, help)
#define F 0
#define R 0
#include "runtime/config/options.def"
#undef F
#undef R
#undef D
#undef O
    OPT_N
};
#define OPT_END OPT_N /* ends a command's list of options */

struct option_spec {
    const char *name;
    enum option_type type;
    const char *otherwise, *metavar;
    double min, max;
    unsigned flags;
    const char *help;
};
const struct option_spec *option_spec(enum option_id id);

struct command_spec;
/* The option with the default, METAVAR and help that options.def sets for this command. */
struct option_spec option_for(const struct command_spec *c, enum option_id id);

/* A command of the program. */
struct command_spec {
    const char *name;              /* "models list": up to two words */
    const char *group;             /* "work", "look", "learn", ... */
    const char *args;              /* "BLUEPRINT", "[RUN]", ""; also used for completion */
    const char *summary;           /* one line */
    const char *details;           /* paragraphs for --help and the man page, or NULL */
    const enum option_id *options; /* ends with OPT_END; the general ones are implied */
    int32_t min_args, max_args;
    int (*main)(void *app);
};

struct options; /* the values of one invocation */

/* Parses argv. STATUS_USAGE suggests the nearest command or option. *command is NULL when argv
 * names none. For help, version, completion, --help and `config set`, a fault in the environment or
 * in a file is not an error. */
MUST_CHECK enum status options_parse(int argc, char **argv,
                                     const struct command_spec *const *commands, int32_t n_commands,
                                     struct options **out, const struct command_spec **command,
                                     struct error *err);
/* Does the option take this text? The error names the option. */
MUST_CHECK enum status option_check(enum option_id id, const char *text, struct error *err);
/* The command that the words name nearly, or a word that begins commands: "train sft" for "trian",
 * "sft". False: none. `second` may be NULL. */
bool command_nearest(const char *first, const char *second,
                     const struct command_spec *const *commands, int32_t n, char out[64]);
void options_free(struct options *o);
int32_t options_n_args(const struct options *o);
const char *options_arg(const struct options *o, int32_t i); /* NULL past the end */

bool option_is_set(const struct options *o, enum option_id id); /* not by the default */
bool option_flag(const struct options *o, enum option_id id);
int64_t option_int(const struct options *o, enum option_id id); /* INT, BYTES, DURATION */
uint64_t option_seed(const struct options *o, enum option_id id);
double option_number(const struct options *o, enum option_id id); /* NUMBERS: the first */
/* NUMBERS: stores up to max values, returns the number of values given. */
int32_t option_numbers(const struct options *o, enum option_id id, double *out, int32_t max);
/* STATUS_USAGE when NUMBERS holds more than one value. */
MUST_CHECK enum status option_one(const struct options *o, enum option_id id, struct error *err);
const char *option_text(const struct options *o, enum option_id id); /* NULL: not set, no default */
int32_t option_count(const struct options *o, enum option_id id);    /* of a repeated option */
const char *option_text_at(const struct options *o, enum option_id id, int32_t i);
const char *option_origin(const struct options *o,
                          enum option_id id); /* "flag", "TROUPE_X", file, "default" */

/* The path of the user's configuration file; the file may not exist. STATUS_NOT_FOUND: the user
 * has no home folder (home.h). */
MUST_CHECK enum status options_user_file(char *out, size_t n, struct error *err);

/* ---- help */
struct str;
void help_overview(const struct command_spec *const *commands, int32_t n, struct str *out);
void help_command(const struct command_spec *c, struct str *out);
/* The commands that begin with `word` ("env"); false if none does. */
bool help_group(const char *word, const struct command_spec *const *commands, int32_t n,
                struct str *out);
/* The manual page, as roff. */
void help_man(const struct command_spec *const *commands, int32_t n, const char *version,
              struct str *out);

#endif
