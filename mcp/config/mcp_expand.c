/* mcp_expand.c - see mcp_expand.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_expand.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/home.h"
#include "runtime/base/memory.h"
#include "runtime/config/secret.h"

/* The next part of a text: bytes as they are, or a reference. */
struct part {
    const char *text; /* what is between the braces, or the bytes */
    size_t n;
    bool is_reference, has_no_end;
};

static bool next_part(const char **at, bool own, struct part *out)
{
    const char *p = *at, *end;

    if (!*p)
        return false;
    if (p[0] == '$' && p[1] == '{') {
        end = strchr(p, '}');
        *out = (struct part){.text = p + 2,
                             .n = end ? (size_t)(end - p) - 2 : strlen(p + 2),
                             .is_reference = true,
                             .has_no_end = !end};
        *at = end ? end + 1 : p + strlen(p);
        return true;
    }
    if (own && p[0] == '$' && p[1] == '$') {
        *out = (struct part){.text = p, .n = 1};
        *at = p + 2;
        return true;
    }
    end = p + 1;
    while (*end && *end != '$')
        end++;
    *out = (struct part){.text = p, .n = (size_t)(end - p)};
    *at = end;
    return true;
}

static bool is_variable(const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    return n > 0 && !isdigit((unsigned char)name[0]);
}

/* The text after "${KIND:", or NULL. */
static const char *after(const char *reference, const char *kind)
{
    size_t n = strlen(kind);

    return strncmp(reference, kind, n) == 0 ? reference + n : NULL;
}

/* `${env:NAME}` or `${NAME}`, with or without a default. STATUS_NOT_FOUND: it has another form. */
static enum status put_variable(const char *reference, const struct mcp_scope *scope,
                                struct str *out, struct error *err)
{
    const char *text = after(reference, "env:");
    const char *name = text ? text : reference, *otherwise = strstr(name, ":-"), *value;
    char *variable = xstrndup(name, otherwise ? (size_t)(otherwise - name) : strlen(name));
    enum status st = STATUS_OK;

    if (!is_variable(variable, strlen(variable))) {
        free(variable);
        return STATUS_NOT_FOUND;
    }
    value = getenv(variable);
    if (value && !*value && (scope->own || otherwise))
        value = NULL;
    if (!value && otherwise)
        value = otherwise + 2;
    if (!value) {
        st = error_set(err, STATUS_CONFIG, "${%s}: the environment variable %s is not set",
                       reference, variable);
        error_hint(err, "set %s before the program starts, or write ${%s:-DEFAULT}", variable,
                   reference);
    } else {
        str_puts(out, value);
    }
    free(variable);
    return st;
}

static enum status put_input(const char *id, const struct mcp_scope *scope, bool checks,
                             struct str *out, struct error *err)
{
    const struct mcp_input *input = mcp_inputs_find(scope->inputs, scope->file, id);

    if (!input)
        return error_set(err, STATUS_CONFIG,
                         "${input:%.80s}: the file has no input of this id in `inputs`", id);
    if (checks)
        return STATUS_OK;
    if (!input->answer)
        return error_set(
            err, STATUS_WAITING,
            "input %.80s has not been answered: on a terminal a command that names the "
            "server asks; elsewhere use ${env:NAME}",
            id);
    str_puts(out, input->answer);
    return STATUS_OK;
}

static enum status put_home(struct str *out, struct error *err)
{
    char home[4096];
    enum status st = home_folder(home, sizeof(home), err);

    if (!st)
        str_puts(out, home);
    return st;
}

static enum status put_reference(const char *reference, const struct mcp_scope *scope, bool checks,
                                 struct str *out, struct error *err)
{
    const char *id = after(reference, "input:"), *slash;
    struct str whole = STR_INIT;
    enum status st;

    if (id)
        return put_input(id, scope, checks, out, err);
    if (strcmp(reference, "userHome") == 0)
        return put_home(out, err);
    if (strcmp(reference, "workspaceFolder") == 0) {
        str_puts(out, scope->workspace);
        return STATUS_OK;
    }
    if (strcmp(reference, "workspaceFolderBasename") == 0) {
        slash = strrchr(scope->workspace, '/');
        str_puts(out, slash ? slash + 1 : scope->workspace);
        return STATUS_OK;
    }
    if (strcmp(reference, "pathSeparator") == 0 || strcmp(reference, "/") == 0) {
        str_putc(out, '/');
        return STATUS_OK;
    }
    if (scope->own && after(reference, "file:")) {
        str_printf(&whole, "${%s}", reference);
        st = checks ? STATUS_OK : secret_resolve(str_cstr(&whole), scope->folder, out, err);
        str_deinit(&whole);
        return st;
    }
    st = put_variable(reference, scope, out, err);
    if (st == STATUS_NOT_FOUND)
        st = error_set(
            err, STATUS_CONFIG,
            "${%.80s} is not a reference that is known; expected ${VAR}, "
            "${VAR:-DEFAULT}, ${env:VAR}, ${input:ID}, ${workspaceFolder}%s",
            reference,
            scope->own ? ", ${userHome}, ${file:PATH}, or $${ for the text ${" : " or ${userHome}");
    return st;
}

static enum status expand(const char *text, const struct mcp_scope *scope, bool checks,
                          struct str *out, struct error *err)
{
    struct str made = STR_INIT;
    struct part part;
    enum status st = STATUS_OK;

    while (!st && next_part(&text, scope->own, &part)) {
        char *reference;

        if (!part.is_reference) {
            str_append(&made, part.text, part.n);
            continue;
        }
        if (part.has_no_end) {
            st = error_set(err, STATUS_CONFIG, "`${` without a closing `}`");
            break;
        }
        reference = xstrndup(part.text, part.n);
        st = put_reference(reference, scope, checks, &made, err);
        free(reference);
    }
    if (!st && !str_ok(&made))
        st = error_set(err, STATUS_NO_MEMORY, "no memory for a value");
    if (!st && out)
        str_append(out, str_cstr(&made), made.len);
    if (made.data)
        explicit_bzero(made.data, made.len);
    str_deinit(&made);
    return st;
}

enum status mcp_expand_check(const char *text, const struct mcp_scope *scope, struct error *err)
{
    return expand(text, scope, true, NULL, err);
}

enum status mcp_expand(const char *text, const struct mcp_scope *scope, struct str *out,
                       struct error *err)
{
    return expand(text, scope, false, out, err);
}

struct mcp_input *mcp_expand_open_input(const char *text, const struct mcp_scope *scope)
{
    struct part part;

    while (next_part(&text, scope->own, &part)) {
        struct mcp_input *input = NULL;

        if (part.is_reference && part.n > 6 && memcmp(part.text, "input:", 6) == 0) {
            char *id = xstrndup(part.text + 6, part.n - 6);

            input = mcp_inputs_find(scope->inputs, scope->file, id);
            free(id);
        }
        if (input && !input->answer)
            return input;
    }
    return NULL;
}

bool mcp_expand_has_reference(const char *text)
{
    return strstr(text, "${") != NULL;
}
