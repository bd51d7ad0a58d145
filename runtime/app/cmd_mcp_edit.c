/* cmd_mcp_edit.c - mcp add, remove, import: changes the files that name MCP servers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "mcp/config/mcp_config_edit.h"
#include "runtime/app/app_mcp.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

/* ---- add */

/* "NAME=VALUE" into an object; for a header also "NAME: VALUE", as it is on the wire. */
static enum status add_pair(struct json *o, const char *option, const char *text, bool colon,
                            struct error *err)
{
    size_t n = strcspn(text, colon ? "=:" : "=");
    const char *value = text + n + (text[n] != '\0');
    char *name;

    if (n == 0 || text[n] == '\0')
        return error_set(err, STATUS_USAGE, "--%s: expected NAME=VALUE", option);
    if (text[n] == ':')
        value += strspn(value, " ");
    name = xstrndup(text, n);
    jv_set_string(o, name, value);
    free(name);
    return STATUS_OK;
}

static enum status pairs_of(const struct app *a, enum option_id id, bool colon, const char *key,
                            struct json *entry, struct error *err)
{
    struct json *o = jv_object();
    enum status st = STATUS_OK;

    for (int32_t i = 0; !st && i < option_count(a->options, id); i++)
        st = add_pair(o, option_spec(id)->name, option_text_at(a->options, id, i), colon, err);
    if (!st && jv_size(o) > 0)
        jv_set_adopt(entry, key, jv_ref(o));
    jv_unref(o);
    return st;
}

static enum status check_kind(const struct app *a, struct error *err)
{
    bool url = option_text(a->options, OPT_URL) != NULL;
    bool command = options_n_args(a->options) > 1;

    if (url == command) {
        error_set(err, STATUS_USAGE, "%s",
                  url ? "a server has a command or a URL, not both" : "what is the server?");
        error_hint(err, "`troupe mcp add NAME -- COMMAND ARGS...` or `troupe mcp add NAME --url "
                        "URL`");
        return STATUS_USAGE;
    }
    if (url && option_count(a->options, OPT_SERVER_ENV) > 0)
        return error_set(err, STATUS_USAGE, "--env is for a server with a command");
    if (!url && option_count(a->options, OPT_HEADER) > 0)
        return error_set(err, STATUS_USAGE, "--header is for a server with a URL");
    return STATUS_OK;
}

/* The entry as other programs write it. */
static enum status make_entry(const struct app *a, struct json *entry, struct error *err)
{
    const char *url = option_text(a->options, OPT_URL);
    struct json *args = jv_array();
    enum status st = check_kind(a, err);

    if (!st && url) {
        size_t n = strcspn(url, "?#");

        jv_set_string(entry, "type",
                      n >= 4 && strncmp(url + n - 4, "/sse", 4) == 0 ? "sse" : "http");
        jv_set_string(entry, "url", url);
        st = pairs_of(a, OPT_HEADER, true, "headers", entry, err);
    } else if (!st) {
        jv_set_string(entry, "command", options_arg(a->options, 1));
        for (int32_t i = 2; i < options_n_args(a->options); i++)
            jv_append_adopt(args, jv_string(options_arg(a->options, i)));
        jv_set_adopt(entry, "args", jv_ref(args));
        st = pairs_of(a, OPT_SERVER_ENV, false, "env", entry, err);
    }
    jv_unref(args);
    return st;
}

/* A server that a person adds is one that the person trusts. */
static enum status approve_added(struct app *a, const char *name, const char *file,
                                 struct error *err)
{
    struct mcp_server_spec *s;
    enum status st = app_mcp_open(a, APP_MCP_NAMED, err);

    if (!st)
        st = app_mcp_find(a, name, &s, err);
    if (st)
        return st;
    if (s->problem)
        log_write(a->log, LOG_WARN, "%s cannot be used now: %s", name, s->problem->message);
    if (strcmp(s->file, file) != 0 && s->of_project)
        log_write(a->log, LOG_WARN, "%s defines %s too, and counts more than %s", s->file, name,
                  file);
    return s->of_project ? app_mcp_approve(a, s, err) : STATUS_OK;
}

static int add_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0);
    char file[APP_PATH_MAX];
    struct json *entry = jv_object();
    struct error err = ERROR_INIT;
    enum status st = make_entry(a, entry, &err);

    if (!st)
        st = app_mcp_file(option_text(a->options, OPT_SCOPE_FILE), file, &err);
    if (!st)
        st = mcp_edit_add(a->seams, file, name, entry, option_flag(a->options, OPT_FORCE), &err);
    if (st == STATUS_INVALID)
        error_hint(&err, "--force replaces it");
    if (!st)
        st = approve_added(a, name, file, &err);
    jv_unref(entry);
    if (st)
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO, "added %s to %s; `troupe mcp ping %s` tries it", name, file, name);
    return app_print_done(a, "mcp_add", "server", name);
}

static const enum option_id add_options[] = {OPT_URL,        OPT_HEADER, OPT_SERVER_ENV,
                                             OPT_SCOPE_FILE, OPT_FORCE,  OPT_END};
const struct command_spec cmd_mcp_add = {
    "mcp add",
    "tools",
    "SERVER [-- COMMAND ARG...]",
    "add an MCP server, and approve it",
    "troupe mcp add files -- npx -y @modelcontextprotocol/server-filesystem .\n"
    "troupe mcp add tracker --url https://tracker.example.com/mcp --header 'Authorization=Bearer "
    "${TOKEN}'\n"
    "The file .mcp.json is the one that other programs read, too. Keep secrets out of it: ${NAME} "
    "is a variable\nof the environment when the server starts.",
    add_options,
    1,
    1000,
    add_main};

/* ---- remove */

static int remove_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0);
    char file[APP_PATH_MAX];
    struct error err = ERROR_INIT;
    enum status st = app_mcp_file(option_text(a->options, OPT_SCOPE_FILE), file, &err);

    if (!st)
        st = mcp_edit_remove(a->seams, file, name, &err);
    if (st)
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO, "removed %s from %s", name, file);
    return app_print_done(a, "mcp_remove", "server", name);
}

static const enum option_id remove_options[] = {OPT_SCOPE_FILE, OPT_END};
const struct command_spec cmd_mcp_remove = {
    "mcp remove", "tools",        "SERVER", "remove an MCP server from its file",
    NULL,         remove_options, 1,        1,
    remove_main};

/* ---- import */

static void put_names(const struct json *names, struct str *out)
{
    for (size_t i = 0; i < jv_size(names); i++)
        str_printf(out, "%s%s", i ? ", " : "", jv_get_string(jv_at(names, i), ""));
}

static void print_imported(struct app *a, const char *file, const struct json *added,
                           const struct json *kept)
{
    struct str text = STR_INIT;

    put_names(added, &text);
    log_write(a->log, LOG_INFO, "%zu server%s added to %s%s%s", jv_size(added),
              plural_s((int64_t)jv_size(added)), file, jv_size(added) ? ": " : "", str_cstr(&text));
    str_clear(&text);
    put_names(kept, &text);
    if (jv_size(kept))
        log_write(a->log, LOG_INFO, "names that were there already are left as they are: %s",
                  str_cstr(&text));
    if (jv_size(added) && strcmp(file, ".mcp.json") == 0)
        log_write(a->log, LOG_INFO,
                  "`troupe mcp list` shows them, `troupe mcp approve --all` "
                  "allows them to be started");
    str_deinit(&text);
}

static int import_main(void *app)
{
    struct app *a = app;
    char file[APP_PATH_MAX];
    struct json *added = NULL, *kept = NULL, *doc;
    struct error err = ERROR_INIT;
    int code = EXIT_OK;
    enum status st = app_mcp_file(option_text(a->options, OPT_SCOPE_FILE), file, &err);

    if (!st)
        st = mcp_edit_import(a->seams, file, options_arg(a->options, 0), &added, &kept, &err);
    if (st)
        return app_fail(a, &err);
    print_imported(a, file, added, kept);
    if (a->json) {
        doc = app_document("mcp_import");
        jv_set_adopt(doc, "added", jv_ref(added));
        jv_set_adopt(doc, "kept", jv_ref(kept));
        code = app_print_json(doc);
    }
    jv_unref(added);
    jv_unref(kept);
    return code;
}

const struct command_spec cmd_mcp_import = {
    "mcp import",
    "tools",
    "FILE",
    "add the MCP servers of another program's file",
    "FILE has `mcpServers` (Claude, Cursor and others) or `servers` (VS Code).",
    remove_options,
    1,
    1,
    import_main};
