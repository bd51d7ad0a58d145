/* app_args.h - the options of a command as a file, so that it can be run again with the same ones.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_ARGS_H
#define TROUPE_RUNTIME_APP_APP_ARGS_H

#include "runtime/app/app.h"

/* Writes {"version", "command", "args": ["--lr=0.0002", ...]}: all options of the command that were
 * set anywhere, except those in `without` (ends with OPT_END). Paths are made absolute. */
MUST_CHECK enum status app_args_write(const struct app *a, const enum option_id *without,
                                      const char *file, struct error *err);
/* Reads them as if they had been given on the command line. The flags of `a` override the file, and
 * the file does not count for the options in `here` (ends with OPT_END). An option that neither
 * sets comes from the environment and the configuration files. The options are the caller's. */
MUST_CHECK enum status app_args_read(const struct app *a, const char *file,
                                     const enum option_id *here, struct options **out,
                                     const struct command_spec **command, struct error *err);

#endif
