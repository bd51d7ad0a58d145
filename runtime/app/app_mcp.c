/* app_mcp.c - see app_mcp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_mcp.h"

#include <string.h>

#include "runtime/app/app_mcp_key.h"
#include "runtime/base/seams.h"

#define KEY_FILE "mcp-key" /* beside the user's config.yaml */

/* A program that serves keeps its key; others seal nothing that lives longer than they do. */
static enum status read_key(const char *user_yaml, unsigned char key[HUB_KEY_BYTES],
                            struct error *err)
{
    char path[APP_PATH_MAX + sizeof(KEY_FILE)];
    const char *slash = strrchr(user_yaml, '/');
    size_t n = slash ? (size_t)(slash + 1 - user_yaml) : 0;

    memcpy(path, user_yaml, n);
    memcpy(path + n, KEY_FILE, sizeof(KEY_FILE));
    return app_mcp_key(seams_real(), path, key, err);
}

enum status app_mcp_open(struct app *a, bool follow, struct error *err)
{
    char user[APP_PATH_MAX];
    unsigned char key[HUB_KEY_BYTES];
    struct troupe_mcp_options o = {.project = ".", .version = APP_VERSION, .follow = follow};
    enum status st = STATUS_OK;

    if (troupe_hub(a->troupe))
        return STATUS_OK;
    if (!options_user_file(user, sizeof(user), NULL))
        o.user_yaml = user;
    if (follow && o.user_yaml) {
        st = read_key(user, key, err);
        o.key = key;
    }
    if (!st)
        st = troupe_mcp_open(a->troupe, &o, err);
    explicit_bzero(key, sizeof(key));
    return st;
}
