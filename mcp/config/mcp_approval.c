/* mcp_approval.c - see mcp_approval.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_approval.h"

#include <string.h>

#include "runtime/base/private_file.h"

static struct private_file file_at(const char *path)
{
    return (struct private_file){.path = path,
                                 .what = "the list of approved MCP servers",
                                 .lost = "servers of projects then ask for approval again"};
}

enum status mcp_approval_path(struct str *out, struct error *err)
{
    return private_file_path("mcp-approved.json", out, err);
}

enum status mcp_approval_has(const char *path, const struct mcp_server_spec *s, bool *out,
                             struct error *err)
{
    const struct private_file f = file_at(path);
    struct json *doc = NULL;
    char hash[65];
    enum status st;

    if (!s->of_project) {
        *out = true;
        return STATUS_OK;
    }
    st = private_file_load(&f, &doc, err);
    if (st)
        return st;
    sha256_hex(&s->target_hash, hash);
    *out = strcmp(jv_get_string(jv_get(jv_get(jv_get(doc, "folders"), s->folder), s->name), ""),
                  hash) == 0;
    jv_unref(doc);
    return STATUS_OK;
}

static struct json *member(struct json *object, const char *key)
{
    if (jv_kind(jv_get(object, key)) != JV_OBJECT)
        jv_set_adopt(object, key, jv_object());
    return jv_get(object, key);
}

struct edit {
    const struct mcp_server_spec *server;
};

static void edit_add(void *ctx, struct json *doc)
{
    const struct mcp_server_spec *s = ((struct edit *)ctx)->server;
    char hash[65];

    sha256_hex(&s->target_hash, hash);
    jv_set_string(member(member(doc, "folders"), s->folder), s->name, hash);
}

enum status mcp_approval_add(const char *path, const struct seams *seams,
                             const struct mcp_server_spec *s, struct error *err)
{
    const struct private_file f = file_at(path);
    struct edit e = {s};

    return private_file_change(&f, seams, edit_add, &e, err);
}
