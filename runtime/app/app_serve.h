/* app_serve.h - what the section `serve:` offers, for the commands that serve it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_SERVE_H
#define TROUPE_RUNTIME_APP_APP_SERVE_H

#include "runtime/app/app.h"
#include "runtime/serve/serve_config.h"

/* Of all files; on failure *c is for serve_config_deinit, too. */
MUST_CHECK enum status app_serve_config(struct app *a, struct serve_config *c, struct error *err);
/* Offers are checked at the start, so the MCP servers of their tools must be there by then; all
 * other servers start in the background. */
MUST_CHECK enum status app_serve_warm(struct app *a, const struct serve_config *c,
                                      struct error *err);

#endif
