/* options_internal.h - the values in struct options.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_CONFIG_OPTIONS_INTERNAL_H
#define TROUPE_RUNTIME_CONFIG_OPTIONS_INTERNAL_H

#include "runtime/base/yaml.h"
#include "runtime/config/options.h"

/* The options of every command; ends with OPT_END. */
extern const enum option_id options_general[];
/* list: ends with OPT_END; or NULL, an empty one. */
bool options_list_has(const enum option_id *list, enum option_id id);

struct option_value {
    char **text; /* (n) */
    int32_t n;
    char *origin; /* NULL: the default */
    int64_t i;
    uint64_t u;
    double d;
};

/* A configuration file that was read. */
struct config_file {
    struct yaml *yaml; /* NULL: it does not exist, or is empty */
    char *folder;      /* absolute */
};
#define CONFIG_FILES 2 /* ./troupe.yaml, the user's */

struct options {
    const struct command_spec *command; /* its defaults apply; NULL: no command given */
    struct option_value value[OPT_N];
    const char **arg;
    int32_t n_args;
    struct config_file file[CONFIG_FILES];
};

/* Checks a text and adds it to an option; `where` is its source in errors. */
MUST_CHECK enum status option_take(struct options *o, enum option_id id, const char *text,
                                   const char *where, struct error *err);
/* Set the options that are not set yet, from the environment and the files. */
MUST_CHECK enum status options_read_environment(struct options *o, struct error *err);
MUST_CHECK enum status options_read_files(struct options *o, struct error *err);
MUST_CHECK enum status options_defaults(struct options *o, struct error *err);

#endif
