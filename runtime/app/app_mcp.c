/* app_mcp.c - see app_mcp.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/app_mcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mcp/config/mcp_approval.h"
#include "mcp/config/mcp_launch.h"
#include "runtime/app/app_ask.h"
#include "runtime/app/app_mcp_key.h"
#include "runtime/app/app_terminal.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

/* ---- approval */

/* A file of the working folder may not say that the files of the working folder are trusted. */
static enum status trusts_project(const struct app *a, bool *out, struct error *err)
{
    const char *origin = option_origin(a->options, OPT_TRUST_PROJECT);

    *out = option_flag(a->options, OPT_TRUST_PROJECT);
    if (!*out || strcmp(origin, "flag") == 0 || strncmp(origin, "TROUPE_", 7) == 0)
        return STATUS_OK;
    error_set(err, STATUS_CONFIG, "%s: trust-project cannot be set in a file", origin);
    error_hint(err, "give --trust-project or TROUPE_TRUST_PROJECT=true, or `troupe mcp approve`");
    return STATUS_CONFIG;
}

bool app_mcp_is_approved(struct app *a, const struct mcp_server_spec *s)
{
    struct str path = STR_INIT;
    struct error err = ERROR_INIT;
    bool approved = false;
    enum status st = trusts_project(a, &approved, &err);

    if (!st && !approved)
        st = mcp_approval_path(&path, &err);
    if (!st && !approved)
        st = mcp_approval_has(str_cstr(&path), s, &approved, &err);
    if (st)
        log_write(a->log, LOG_WARN, "%s", err.message);
    str_deinit(&path);
    return !st && approved;
}

enum status app_mcp_approve(struct app *a, const struct mcp_server_spec *s, struct error *err)
{
    struct str path = STR_INIT;
    enum status st = mcp_approval_path(&path, err);

    if (!st)
        st = mcp_approval_add(str_cstr(&path), a->seams, s, err);
    str_deinit(&path);
    return st;
}

void app_mcp_put_target(const struct mcp_server_spec *s, struct str *out)
{
    if (s->command)
        str_puts(out, s->command);
    for (size_t i = 0; s->command && i < s->args.n; i++)
        str_printf(out, " %s", s->args.text[i]);
    if (s->url)
        str_puts(out, s->url);
}

/* Also when another server of the same file was approved. */
static bool ask_approval(struct app *a, const struct mcp_server_spec *s)
{
    struct str text = STR_INIT, answer = STR_INIT;
    struct error err = ERROR_INIT;
    bool yes;

    mcp_approval_put_missing(s, true, &text);
    str_puts(&text, ":\n  ");
    app_mcp_put_target(s, &text);
    str_puts(&text, "\nStart it, now and from now on? [y/N] ");
    yes = terminal_ask(a, str_cstr(&text), false, &answer) &&
          (strcmp(str_cstr(&answer), "y") == 0 || strcmp(str_cstr(&answer), "yes") == 0);
    if (yes && app_mcp_approve(a, s, &err)) {
        log_write(a->log, LOG_WARN, "%s", err.message);
        yes = false;
    }
    str_deinit(&text);
    str_deinit(&answer);
    return yes;
}

static enum status ask_input(void *ctx, const struct mcp_input *input, struct str *answer,
                             struct error *err)
{
    struct app *a = ctx;
    struct str text = STR_INIT;
    bool answered;

    str_puts(&text, input->description);
    for (size_t i = 0; i < input->n_options; i++)
        str_printf(&text, "%s%s", i ? ", " : " (", input->option[i]);
    str_puts(&text, input->n_options ? "): " : ": ");
    answered = terminal_ask(a, str_cstr(&text), input->password, answer);
    str_deinit(&text);
    if (answered && answer->len == 0 && input->otherwise)
        str_puts(answer, input->otherwise);
    return answered ? STATUS_OK : error_set(err, STATUS_CANCELLED, "not answered");
}

/* The questions of its file; without an answer its start fails with an error that says so. */
static void ask_inputs(struct app *a, const struct mcp_server_spec *s)
{
    struct error err = ERROR_INIT;

    if (mcp_launch_ask(s, &a->mcp_inputs, ask_input, a, &err))
        log_write(a->log, LOG_WARN, "server %s: %s", s->name, err.message);
}

static bool may_start(void *ctx, const struct mcp_server_spec *s, bool is_needed)
{
    struct app *a = ctx;
    bool asks = is_needed && app_can_ask(a);

    if (app_mcp_is_approved(a, s) || (asks && ask_approval(a, s))) {
        if (asks)
            ask_inputs(a, s);
        return true;
    }
    if (a->serves_mcp) {
        struct str text = STR_INIT;

        mcp_approval_put_missing(s, true, &text);
        log_write(a->log, LOG_WARN, "%s, so it is left out; `troupe mcp approve %s` approves it",
                  str_cstr(&text), s->name);
        str_deinit(&text);
    }
    return false;
}

/* ---- opening */

static bool print_url(void *ctx, const char *server, const char *url)
{
    struct app *a = ctx;
    struct str text = STR_INIT;

    if (!a->logs_in)
        return false;
    str_printf(&text, "to log in to %s, open this URL in a browser on this machine:\n%s\n", server,
               url);
    log_text(a->log, LOG_INFO, NULL, str_cstr(&text), text.len);
    str_deinit(&text);
    return true;
}

enum status app_mcp_open(struct app *a, enum app_mcp_use use, struct error *err)
{
    char user[APP_PATH_MAX];
    struct troupe_mcp_options o = {.project = ".",
                                   .version = APP_VERSION,
                                   .inputs = &a->mcp_inputs,
                                   .follow = use == APP_MCP_ALL,
                                   .may_start = may_start,
                                   .open_url = a->logs_in ? print_url : NULL,
                                   .stderr_line = app_mcp_log_line,
                                   .ctx = a};
    unsigned char key[HUB_KEY_BYTES];
    bool trusted;
    enum status st = trusts_project(a, &trusted, err);

    if (st || troupe_hub(a->troupe))
        return st;
    a->serves_mcp = use == APP_MCP_ALL;
    if (!options_user_file(user, sizeof(user), NULL))
        o.user_yaml = user;
    if (a->serves_mcp && o.user_yaml) { /* others seal nothing that lives longer than they do */
        st = app_mcp_key(seams_real(), user, key, err);
        o.key = key;
    }
    if (!st)
        st = troupe_mcp_open(a->troupe, &o, err);
    explicit_bzero(key, sizeof(key));
    return st;
}

static enum status open_named(void *ctx, struct error *err)
{
    return app_mcp_open(ctx, APP_MCP_NAMED, err);
}

void app_mcp_offer(struct app *a)
{
    troupe_mcp_offer(a->troupe, open_named, a);
}

/* ---- files */

enum status app_mcp_file(const char *scope, char out[APP_PATH_MAX], struct error *err)
{
    char *slash;
    enum status st;

    if (strcmp(scope, "project") == 0) {
        memcpy(out, ".mcp.json", sizeof(".mcp.json"));
        return STATUS_OK;
    }
    st = options_user_file(out, APP_PATH_MAX - 16, err);
    slash = st ? NULL : strrchr(out, '/');
    if (slash) {
        *slash = '\0';
        st = dir_make(out, err);
        *slash = '/';
        memcpy(slash + 1, "mcp.json", sizeof("mcp.json"));
    }
    return st;
}

enum status app_mcp_find(struct app *a, const char *name, struct mcp_server_spec **out,
                         struct error *err)
{
    const struct mcp_config *c = troupe_mcp_config(a->troupe);
    size_t n = mcp_config_size(c);
    const char **names, *near;

    *out = mcp_config_find(c, name);
    if (*out)
        return STATUS_OK;
    names = xcalloc(n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = mcp_config_at(c, i)->name;
    near = nearest_word(name, names, n);
    free(names);
    error_set(err, STATUS_USAGE, "there is no MCP server \"%s\"", name);
    error_hint(err, "%s%s%s`troupe mcp list` lists all servers", near ? "did you mean " : "",
               near ? near : "", near ? "? " : "");
    return STATUS_USAGE;
}
