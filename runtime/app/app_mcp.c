/* app_mcp.c - see app_mcp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_mcp.h"

#include "runtime/base/seams.h"

enum status app_mcp_open(struct app *a, bool follow, struct error *err)
{
    char user[APP_PATH_MAX];
    struct troupe_mcp_options o = {.project = ".", .version = APP_VERSION, .follow = follow};

    if (troupe_hub(a->troupe))
        return STATUS_OK;
    if (!options_user_file(user, sizeof(user), NULL))
        o.user_yaml = user;
    return troupe_mcp_open(a->troupe, &o, err);
}
