/* mcp_launch.c - see mcp_launch.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_launch.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "mcp/config/mcp_expand.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"

#define ENV_FILE_MAX ((size_t)256 << 10)

/* All that a server gets of our environment: what programs need to run, and nothing that may be a
 * secret. Others are named in `env`: {NAME: ${env:NAME}}. */
static const char *const kept[] = {
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "TZ",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
};

static void free_list(char **list)
{
    for (char **p = list; list && *p; p++) {
        explicit_bzero(*p, strlen(*p));
        free(*p);
    }
    free(list);
}

void mcp_launch_deinit(struct mcp_launch *l)
{
    free_list(l->argv);
    free_list(l->env);
    free_list(l->roots);
    free(l->cwd);
    if (l->url)
        explicit_bzero(l->url, strlen(l->url));
    free(l->url);
    mcp_pairs_free(l->headers, l->n_headers);
    *l = (struct mcp_launch){0};
}

static struct mcp_scope scope_of(const struct mcp_server_spec *s, const struct mcp_inputs *inputs)
{
    return (struct mcp_scope){.own = s->own,
                              .file = s->file,
                              .folder = s->folder,
                              .workspace = s->workspace,
                              .inputs = inputs};
}

/* ---- values */

static enum status resolve(const char *text, const struct mcp_scope *scope, char **out,
                           struct error *err)
{
    struct str made = STR_INIT;
    enum status st = mcp_expand(text, scope, &made, err);

    if (!st)
        *out = str_take(&made);
    str_deinit(&made);
    return st;
}

/* A path, absolute: from `folder` on. */
static enum status resolve_path(const char *text, const struct mcp_scope *scope, const char *folder,
                                char **out, struct error *err)
{
    struct str made = STR_INIT;
    char *path = NULL;
    enum status st = resolve(text, scope, &path, err);

    if (st)
        return st;
    if (path[0] == '/') {
        *out = path;
        return STATUS_OK;
    }
    str_printf(&made, "%s/%s", folder, path);
    free(path);
    *out = str_take(&made);
    return STATUS_OK;
}

/* ---- the environment */

struct environment {
    char **entry; /* (n + 1) "NAME=VALUE" */
    size_t n;
};

/* Replaces the variable's earlier value. value NULL: removes it. */
static void put(struct environment *e, const char *name, const char *value)
{
    size_t n = strlen(name), i = 0;
    struct str text = STR_INIT;

    while (i < e->n && !(strncmp(e->entry[i], name, n) == 0 && e->entry[i][n] == '='))
        i++;
    if (i < e->n) {
        explicit_bzero(e->entry[i], strlen(e->entry[i]));
        free(e->entry[i]);
        e->entry[i] = e->entry[--e->n];
        e->entry[e->n] = NULL;
    }
    if (!value)
        return;
    str_printf(&text, "%s=%s", name, value);
    e->entry = xrealloc(e->entry, (e->n + 2) * sizeof(char *));
    e->entry[e->n++] = str_take(&text);
    e->entry[e->n] = NULL;
}

/* One line of an env file: NAME=VALUE, with or without `export` and quotes; comments and blank
 * lines are left out. false: it is none of these. */
static bool take_line(struct environment *e, char *line)
{
    char *equals, *name = line, *value, *end;
    size_t n;

    while (isblank((unsigned char)*name))
        name++;
    if (!*name || *name == '#')
        return true;
    if (strncmp(name, "export ", 7) == 0)
        name += 7;
    equals = strchr(name, '=');
    if (!equals || equals == name)
        return false;
    for (end = equals; end > name && isblank((unsigned char)end[-1]);)
        end--;
    *equals = *end = '\0';
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    for (value = equals + 1; isblank((unsigned char)*value);)
        value++;
    for (n = strlen(value); n > 0 && isspace((unsigned char)value[n - 1]);)
        value[--n] = '\0';
    if (n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
        value[n - 1] = '\0';
        value++;
    }
    put(e, name, value);
    return true;
}

static enum status take_env_file(struct environment *e, const char *path, struct error *err)
{
    char *bytes = NULL, *line, *rest;
    size_t n = 0;
    long number = 0;
    enum status st = file_read(path, ENV_FILE_MAX, &bytes, &n, err);

    if (st) {
        error_note(err, "envFile");
        return error_as_config(st, err);
    }
    for (rest = bytes; !st && (line = strsep(&rest, "\n"));) {
        number++;
        if (!take_line(e, line)) /* without the line, which may be a secret */
            st = error_at(err, STATUS_CONFIG, path, number, 0, "expected NAME=VALUE");
    }
    explicit_bzero(bytes, n);
    free(bytes);
    return st;
}

static enum status resolve_env(const struct mcp_server_spec *s, const struct mcp_scope *scope,
                               struct mcp_launch *l, struct error *err)
{
    struct environment e = {xcalloc(1, sizeof(char *)), 0};
    enum status st = STATUS_OK;
    char *path = NULL;

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (getenv(kept[i]))
            put(&e, kept[i], getenv(kept[i]));
    if (s->env_file)
        st = resolve_path(s->env_file, scope, s->folder, &path, err);
    if (path)
        st = take_env_file(&e, path, err);
    free(path);
    for (size_t i = 0; !st && i < s->n_env; i++) {
        char *value = NULL;

        if (s->env[i].value)
            st = resolve(s->env[i].value, scope, &value, err);
        if (!st)
            put(&e, s->env[i].name, value);
        if (value)
            explicit_bzero(value, strlen(value));
        free(value);
    }
    l->env = e.entry;
    return st;
}

/* ---- the rest */

static enum status resolve_stdio(const struct mcp_server_spec *s, const struct mcp_scope *scope,
                                 struct mcp_launch *l, struct error *err)
{
    enum status st;
    struct str program = STR_INIT;

    l->argv = xcalloc(s->args.n + 2, sizeof(char *));
    st = resolve(s->command, scope, &l->argv[0], err);
    for (size_t i = 0; !st && i < s->args.n; i++)
        st = resolve(s->args.text[i], scope, &l->argv[i + 1], err);
    if (!st)
        st = resolve_path(s->cwd ? s->cwd : s->workspace, scope, s->workspace, &l->cwd, err);
    if (!st && !*l->argv[0])
        st = error_set(err, STATUS_CONFIG, "the command is empty");
    if (!st && l->argv[0][0] != '/' && strchr(l->argv[0], '/')) { /* where the file is, not cwd */
        str_printf(&program, "%s/%s", s->workspace, l->argv[0]);
        free(l->argv[0]);
        l->argv[0] = str_take(&program);
    }
    return st ? st : resolve_env(s, scope, l, err);
}

/* RFC 9110, 5.5; a line break would begin another field. */
static bool is_field_value(const char *value)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < ' ' && *c != '\t')
            return false;
    return !strchr(value, 127);
}

static enum status resolve_http(const struct mcp_server_spec *s, const struct mcp_scope *scope,
                                struct mcp_launch *l, struct error *err)
{
    enum status st = resolve(s->url, scope, &l->url, err);

    if (!st && strncmp(l->url, "https://", 8) != 0 && strncmp(l->url, "http://", 7) != 0)
        st = error_set(err, STATUS_CONFIG, "url: a URL begins with https:// or http://");
    for (size_t i = 0; !st && i < s->n_headers; i++) {
        char *value = NULL;

        st = resolve(s->headers[i].value, scope, &value, err);
        if (!st)
            mcp_pairs_add(&l->headers, &l->n_headers, s->headers[i].name, value);
        if (!st && !is_field_value(value))
            st = error_set(err, STATUS_CONFIG,
                           "header %s: its value has a line break or another control character",
                           s->headers[i].name);
        if (value)
            explicit_bzero(value, strlen(value));
        free(value);
    }
    return st;
}

enum status mcp_launch_resolve(const struct mcp_server_spec *s, const struct mcp_inputs *inputs,
                               struct mcp_launch *out, struct error *err)
{
    struct mcp_scope scope = scope_of(s, inputs);
    struct mcp_launch l = {0};
    struct error why = ERROR_INIT;
    enum status st;

    if (s->problem) {
        if (err)
            *err = *s->problem;
        return s->problem->status;
    }
    st = s->transport == MCP_STDIO ? resolve_stdio(s, &scope, &l, &why)
                                   : resolve_http(s, &scope, &l, &why);
    l.roots = xcalloc(s->settings.roots.n + 1, sizeof(char *));
    for (size_t i = 0; !st && i < s->settings.roots.n; i++)
        st = resolve_path(s->settings.roots.text[i], &scope, s->workspace, &l.roots[i], &why);
    if (!st) {
        *out = l;
        return STATUS_OK;
    }
    mcp_launch_deinit(&l);
    if (err && why.where[0])
        *err = why;
    else
        (void)error_at(err, st, s->file, s->line, s->column, "%s", why.message);
    error_note(err, "server %s", s->name);
    if (why.hint[0])
        error_hint(err, "%s", why.hint);
    return st;
}

/* ---- inputs */

static struct mcp_input *open_in_pairs(const struct mcp_pair *pairs, size_t n,
                                       const struct mcp_scope *scope)
{
    struct mcp_input *found = NULL;

    for (size_t i = 0; !found && i < n; i++)
        if (pairs[i].value)
            found = mcp_expand_open_input(pairs[i].value, scope);
    return found;
}

struct mcp_input *mcp_launch_open_input(const struct mcp_server_spec *s,
                                        const struct mcp_inputs *inputs)
{
    struct mcp_scope scope = scope_of(s, inputs);
    const char *const single[] = {s->command, s->env_file, s->cwd, s->url};
    const struct mcp_texts *const lists[] = {&s->args, &s->settings.roots};
    struct mcp_input *found = NULL;

    for (size_t i = 0; !found && i < ARRAY_LEN(single); i++)
        if (single[i])
            found = mcp_expand_open_input(single[i], &scope);
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (size_t i = 0; !found && i < lists[k]->n; i++)
            found = mcp_expand_open_input(lists[k]->text[i], &scope);
    if (!found)
        found = open_in_pairs(s->env, s->n_env, &scope);
    return found ? found : open_in_pairs(s->headers, s->n_headers, &scope);
}

enum status mcp_launch_ask(const struct mcp_server_spec *s, const struct mcp_inputs *inputs,
                           mcp_ask_fn ask, void *ctx, struct error *err)
{
    struct mcp_input *input;
    enum status st = STATUS_OK;

    while (!st && (input = mcp_launch_open_input(s, inputs))) {
        struct str answer = STR_INIT;

        st = ask(ctx, input, &answer, err);
        if (!st)
            st = mcp_input_answer(input, str_cstr(&answer), err);
        if (answer.data)
            explicit_bzero(answer.data, answer.len);
        str_deinit(&answer);
    }
    return st;
}
