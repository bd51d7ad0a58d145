/* app_args.h - what a command was told, written down so that it can be told again.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_ARGS_H
#define TROUPE_RUNTIME_APP_APP_ARGS_H

#include "runtime/app/app.h"

/* FILE: {"version", "command", "args": ["--lr=0.0002", ...]} of all options of the command that
 * were set anywhere, but for those in `without` (ends with OPT_END). Folders and files as absolute
 * paths. */
MUST_CHECK enum status app_args_write(const struct app *a, const enum option_id *without,
                                      const char *file, struct error *err);
/* Reads them as if they had just been given, together with the flags of `a`, which go before what
 * the file says. Of the options in `here` (ends with OPT_END) the file is not asked. The options
 * are the caller's; what environment and configuration files say is looked at where neither says
 * something. */
MUST_CHECK enum status app_args_read(const struct app *a, const char *file,
                                     const enum option_id *here, struct options **out,
                                     const struct command_spec **command, struct error *err);

#endif
