/* cmd_mcp_login.c - mcp login: a person logs in to an MCP server with a browser; mcp logs: what a
 * server wrote to standard error.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "runtime/app/app_mcp_request.h"

#define LOGIN_MS 310000 /* a little longer than the browser has (mcp_auth.h) */

static enum status log_in(struct app *a, const char *name, struct error *err)
{
    struct mcp_server_spec *s;
    enum status st = app_mcp_open(a, APP_MCP_NAMED, err);

    if (!st)
        st = app_mcp_find(a, name, &s, err);
    if (st)
        return st;
    if (s->transport == MCP_STDIO)
        return error_set(
            err, STATUS_USAGE,
            "%s is a program that is started here; only a server with a URL has a login", name);
    s->settings.start_timeout_ms = LOGIN_MS; /* its first answer comes after the login */
    return troupe_mcp_server(a->troupe, name, err);
}

static int login_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0);
    struct error err = ERROR_INIT;

    a->logs_in = true;
    if (log_in(a, name, &err))
        return app_fail(a, &err);
    log_write(a->log, LOG_INFO, "%s accepts this client", name);
    return app_print_done(a, "mcp_login", "server", name);
}

static const enum option_id login_options[] = {OPT_TRUST_PROJECT, OPT_END};
const struct command_spec cmd_mcp_login = {
    "mcp login",
    "tools",
    "SERVER",
    "log in to an MCP server with a browser",
    "Prints the URL to open, and waits up to five minutes. The token is kept in the state folder, "
    "for its owner alone.",
    login_options,
    1,
    1,
    login_main};

/* ---- logs */

static enum status put_log(const char *server, bool older, struct str *out, struct error *err)
{
    struct str path = STR_INIT;
    char *bytes = NULL;
    size_t n = 0;
    enum status st = app_mcp_log_path(server, older, &path, err);

    if (!st && file_exists(str_cstr(&path)))
        st = file_read(str_cstr(&path), (size_t)4 * APP_MCP_LOG_BYTES, &bytes, &n, err);
    str_append(out, bytes ? bytes : "", n);
    free(bytes);
    str_deinit(&path);
    return st;
}

static int logs_main(void *app)
{
    struct app *a = app;
    const char *name = options_arg(a->options, 0);
    struct mcp_server_spec *s;
    struct str out = STR_INIT;
    struct error err = ERROR_INIT;
    int code;
    enum status st = app_mcp_open(a, APP_MCP_NAMED, &err);

    if (!st)
        st = app_mcp_find(a, name, &s, &err);
    if (!st)
        st = put_log(name, true, &out, &err);
    if (!st)
        st = put_log(name, false, &out, &err);
    if (st) {
        code = app_fail(a, &err);
    } else if (a->json) {
        struct json *doc = app_document("mcp_logs");

        jv_set_string(doc, "server", name);
        jv_set_adopt(doc, "text", jv_string_n(str_cstr(&out), out.len));
        code = app_print_json(doc);
    } else {
        if (out.len == 0)
            log_write(a->log, LOG_INFO, "%s has written nothing", name);
        code = app_print(&out);
    }
    str_deinit(&out);
    return code;
}

const struct command_spec cmd_mcp_logs = {"mcp logs",
                                          "tools",
                                          "SERVER",
                                          "print what an MCP server wrote to standard error",
                                          "Of each server, the last 256 to 512 KiB are kept.",
                                          NULL,
                                          1,
                                          1,
                                          logs_main};
