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

static void put_hash(const struct mcp_server_spec *s, char hex[65])
{
    sha256_hex(s->of_project ? &s->target_hash : &s->hash, hex);
}

static const char *folder_of(const struct mcp_server_spec *s)
{
    return s->of_project ? s->folder : s->changed_in;
}

enum status mcp_approval_has(const char *path, const struct mcp_server_spec *s, bool *out,
                             struct error *err)
{
    const struct private_file f = file_at(path);
    struct json *doc = NULL;
    char hash[65];
    enum status st;

    if (!mcp_server_spec_needs_approval(s)) {
        *out = true;
        return STATUS_OK;
    }
    st = private_file_load(&f, &doc, err);
    if (st)
        return st;
    put_hash(s, hash);
    *out = strcmp(jv_get_string(jv_get(jv_get(jv_get(doc, "folders"), folder_of(s)), s->name), ""),
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

    put_hash(s, hash);
    jv_set_string(member(member(doc, "folders"), folder_of(s)), s->name, hash);
}

enum status mcp_approval_add(const char *path, const struct seams *seams,
                             const struct mcp_server_spec *s, struct error *err)
{
    const struct private_file f = file_at(path);
    struct edit e = {s};

    return private_file_change(&f, seams, edit_add, &e, err);
}

void mcp_approval_put_missing(const struct mcp_server_spec *s, bool with_place, struct str *out)
{
    if (with_place)
        str_printf(out, "%s:%ld: ", s->changed_by ? s->changed_by : s->file,
                   s->changed_by ? s->changed_line : s->line);
    if (s->changed_by)
        str_printf(out, "this project's changes of your server %s are not approved", s->name);
    else
        str_printf(out, "server %s of this project is not approved", s->name);
}
