/* mcp_source.c - see mcp_source.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_source.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/json_salvage.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"

void mcp_source_free(struct mcp_source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_broken; i++) {
        free(s->broken[i].name);
        free(s->broken[i].why);
    }
    free(s->broken);
    jv_unref(s->root);
    yaml_free(s->yaml);
    free(s->path);
    free(s->folder);
    free(s->workspace);
    free(s->bytes);
    free(s);
}

/* ---- folders */

static bool ends_with_folder(const char *path, const char *name)
{
    size_t n = strlen(path), m = strlen(name);

    return n > m && path[n - m - 1] == '/' && strcmp(path + n - m, name) == 0;
}

/* As it is if it does not exist. */
static char *absolute(const char *folder)
{
    char *path = realpath(folder, NULL);

    return path ? path : xstrdup(folder);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == path ? xstrdup("/")
                   : slash       ? xstrndup(path, (size_t)(slash - path))
                                 : xstrdup(".");
    char *whole = absolute(folder);

    free(folder);
    return whole;
}

static struct mcp_source *source_new(const char *path, const char *workspace)
{
    static const char *const inner[] = {".vscode", ".cursor"};
    struct mcp_source *s = xcalloc(1, sizeof(*s));

    s->path = xstrdup(path);
    s->folder = folder_of(path);
    s->workspace = absolute(workspace ? workspace : s->folder);
    for (size_t i = 0; !workspace && i < ARRAY_LEN(inner); i++)
        if (ends_with_folder(s->workspace, inner[i]))
            *strrchr(s->workspace, '/') = '\0';
    if (!*s->workspace) {
        free(s->workspace);
        s->workspace = xstrdup("/");
    }
    return s;
}

/* ---- comments */

static bool may_have_comments(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(name);

    return strcmp(name, "mcp.json") == 0 || strcmp(name, "settings.json") == 0 ||
           (n > 6 && strcmp(name + n - 6, ".jsonc") == 0);
}

/* The end of the string, comment or other byte that begins at i. */
static size_t token_end(const char *bytes, size_t n, size_t i, bool *is_comment)
{
    char next = i + 1 < n ? bytes[i + 1] : '\0';

    *is_comment = bytes[i] == '/' && (next == '/' || next == '*');
    if (bytes[i] == '"') {
        for (i++; i < n && bytes[i] != '"'; i++)
            i += bytes[i] == '\\';
        return i < n ? i + 1 : n;
    }
    if (!*is_comment)
        return i + 1;
    for (i += 2; i < n; i++) {
        if (next == '/' && bytes[i] == '\n')
            return i;
        if (next == '*' && bytes[i] == '*' && i + 1 < n && bytes[i + 1] == '/')
            return i + 2;
    }
    if (next == '*')
        *is_comment = false; /* it has no end: left for the parser to refuse */
    return n;
}

void mcp_source_blank_comments(char *bytes, size_t n)
{
    size_t comma = n; /* a comma with nothing but blanks and comments after it */
    bool is_comment;

    for (size_t i = 0, end; i < n; i = end) {
        end = token_end(bytes, n, i, &is_comment);
        for (size_t k = i; is_comment && k < end; k++)
            if (bytes[k] != '\n' && bytes[k] != '\r')
                bytes[k] = ' ';
        if (is_comment || strchr(" \t\r\n", bytes[i]))
            continue;
        if ((bytes[i] == '}' || bytes[i] == ']') && comma < n)
            bytes[comma] = ' ';
        comma = bytes[i] == ',' ? i : n;
    }
}

/* The first comment; n: none. */
static size_t first_comment(const char *bytes, size_t n)
{
    bool is_comment;

    for (size_t i = 0, end; i < n; i = end) {
        end = token_end(bytes, n, i, &is_comment);
        if (is_comment)
            return i;
    }
    return n;
}

/* ---- opening */

/* The parser's message may show the text near the fault, which may be a secret; near a duplicate
 * key it is the key. */
static void hide_text(struct error *err)
{
    bool of_syntax = err && strncmp(err->message, "not valid JSON", 14) == 0;
    char *near = of_syntax ? strstr(err->message, " near ") : NULL;

    if (near)
        *near = '\0';
}

static enum status json_fault(const struct mcp_source *s, struct error *err)
{
    size_t comment = first_comment(s->bytes, s->n);
    long line, column;

    hide_text(err);
    if (!may_have_comments(s->path) && comment < s->n) {
        utf8_place(s->bytes, comment, &line, &column);
        (void)error_at(err, STATUS_CONFIG, s->path, line, column,
                       "a comment; this file is plain JSON, which has none");
        error_hint(err, "remove it, or name the file mcp.json or *.jsonc");
    }
    return STATUS_CONFIG;
}

static void add_broken(void *ctx, const char *key, size_t n_key, const char *entry, size_t n,
                       const struct error *why)
{
    struct mcp_source *s = ctx;
    struct mcp_broken_entry b = {.why = xstrdup(why->message)};
    struct str name = STR_INIT;

    (void)entry;
    (void)n;
    if (!key) { /* an array does not list servers */
        free(b.why);
        return;
    }
    utf8_clean(key, n_key, &name);
    b.name = str_take(&name);
    utf8_place(s->bytes, (size_t)(key - 1 - s->bytes), &b.line, &b.column);
    s->broken = xrealloc(s->broken, (s->n_broken + 1) * sizeof(*s->broken));
    s->broken[s->n_broken++] = b;
}

/* The lists of servers of all hosts. */
static bool leave_out_broken(struct mcp_source *s)
{
    static const char *const paths[][2] = {{"mcpServers"}, {"mcp", "servers"}, {"servers"}};
    const struct json_salvage to = {.dropped = add_broken, .ctx = s};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        n += json_salvage(s->bytes, s->n, paths[i], paths[i][1] ? 2 : 1, &to);
    return n > 0;
}

static enum status from_json(const char *path, char *adopt_bytes, size_t n, const char *workspace,
                             bool salvages, struct mcp_source **out, struct error *err)
{
    struct mcp_source *s = source_new(path, workspace);
    enum status st;

    s->bytes = adopt_bytes;
    s->n = n;
    if (may_have_comments(path) && n <= JSON_MAX_BYTES)
        mcp_source_blank_comments(s->bytes, n);
    st = jv_parse(s->bytes, n, path, &s->root, err);
    if (st && st != STATUS_NO_MEMORY && salvages && leave_out_broken(s) &&
        !jv_parse(s->bytes, n, path, &s->root, NULL))
        st = STATUS_OK;
    if (st && st != STATUS_NO_MEMORY)
        st = error_as_config(json_fault(s, err), err);
    if (!st && jv_kind(s->root) != JV_OBJECT)
        st = error_at(err, STATUS_CONFIG, path, 1, 1, "expected an object, got %s",
                      jv_kind_name(jv_kind(s->root)));
    if (st)
        mcp_source_free(s);
    else
        *out = s;
    return st;
}

enum status mcp_source_from_json(const char *path, char *adopt_bytes, size_t n,
                                 const char *workspace, struct mcp_source **out, struct error *err)
{
    return from_json(path, adopt_bytes, n, workspace, false, out, err);
}

static enum status open_json(const char *path, const char *workspace, bool salvages,
                             struct mcp_source **out, struct error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    enum status st;

    if (!file_exists(path))
        return error_set(err, STATUS_NOT_FOUND, "%s does not exist", path);
    st = file_read(path, JSON_MAX_BYTES, &bytes, &n, err);
    if (st)
        return error_as_config(st, err);
    return from_json(path, bytes, n, workspace, salvages, out, err);
}

enum status mcp_source_open_json(const char *path, const char *workspace, struct mcp_source **out,
                                 struct error *err)
{
    return open_json(path, workspace, false, out, err);
}

enum status mcp_source_open_servers(const char *path, const char *workspace,
                                    struct mcp_source **out, struct error *err)
{
    return open_json(path, workspace, true, out, err);
}

enum status mcp_source_open_yaml(const char *path, const char *key, const char *workspace,
                                 struct mcp_source **out, struct error *err)
{
    struct mcp_source *s;
    struct yaml *y = NULL;
    const struct yaml_node *section;
    enum status st;

    if (!file_exists(path))
        return error_set(err, STATUS_NOT_FOUND, "%s does not exist", path);
    st = yaml_parse_file(path, &y, err);
    if (st)
        return error_as_config(st, err);
    section = yaml_node_kind(yaml_root(y)) == YAML_MAPPING ? yaml_get(yaml_root(y), key) : NULL;
    if (!section)
        st = error_set(err, STATUS_NOT_FOUND, "%s has no section `%s`", path, key);
    else if (yaml_node_kind(section) != YAML_MAPPING)
        st = yaml_error(err, y, section, "%s must be a mapping", key);
    if (st) {
        yaml_free(y);
        return st;
    }
    s = source_new(path, workspace);
    s->yaml = y;
    s->section = section;
    s->root = yaml_to_json(section);
    *out = s;
    return STATUS_OK;
}

/* ---- nodes */

struct mcp_node mcp_source_top(const struct mcp_source *s)
{
    return (struct mcp_node){.source = s,
                             .value = s->root,
                             .text = s->yaml ? JSON_VIEW_NONE : json_view_of(s->bytes, s->n),
                             .yaml = s->section};
}

struct mcp_node_walk mcp_node_walk_of(const struct mcp_node *container)
{
    struct mcp_node_walk w = {.of = *container};

    if (!container->yaml)
        w.text = json_walk(container->text);
    return w;
}

bool mcp_node_next(struct mcp_node_walk *w, struct mcp_node *out)
{
    struct mcp_node node = {.source = w->of.source};

    if (jv_kind(w->of.value) == JV_OBJECT) {
        w->member =
            w->i == 0 || w->member ? jv_next(w->of.value, w->member, &node.key, &node.value) : NULL;
        if (!w->member)
            return false;
    } else if (jv_kind(w->of.value) == JV_ARRAY) {
        node.value = jv_at(w->of.value, w->i);
        if (!node.value)
            return false;
    } else {
        return false;
    }
    if (w->of.yaml && node.key) {
        (void)yaml_key_at(w->of.yaml, w->i, &node.yaml_key, &node.yaml);
    } else if (w->of.yaml) {
        node.yaml = node.yaml_key = yaml_at(w->of.yaml, w->i);
    } else if (json_walk_next(&w->text)) {
        node.text = w->text.value;
        node.key_text = node.key ? w->text.key : node.text;
    }
    w->i++;
    *out = node;
    return true;
}

bool mcp_node_get(const struct mcp_node *object, const char *key, struct mcp_node *out)
{
    struct mcp_node_walk w = mcp_node_walk_of(object);
    struct mcp_node node;

    if (jv_kind(object->value) != JV_OBJECT || !jv_get(object->value, key))
        return false;
    while (mcp_node_next(&w, &node)) {
        if (strcmp(node.key, key) == 0) {
            *out = node;
            return true;
        }
    }
    return false;
}

void mcp_node_place(const struct mcp_node *node, bool of_key, long *line, long *column)
{
    const struct yaml_node *y = of_key && node->yaml_key ? node->yaml_key : node->yaml;
    const char *at = of_key && node->key_text.at ? node->key_text.at : node->text.at;

    if (y) {
        *line = yaml_line(y);
        *column = yaml_column(y);
    } else {
        utf8_place(node->source->bytes, (size_t)(at - node->source->bytes), line, column);
    }
}
