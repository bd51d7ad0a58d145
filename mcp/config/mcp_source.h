/* mcp_source.h - a file that names MCP servers: JSON of any host, or a section of troupe.yaml. Its
 * values are read in one way, each with its place.
 *
 * JSON: at most JSON_MAX_BYTES. In a file named mcp.json, settings.json or *.jsonc (VS Code's and
 * Cursor's), comments and a comma after the last member are allowed; in others they are an error
 * that says so. Messages never contain a value of the file: it may be a secret.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MCP_CONFIG_MCP_SOURCE_H
#define TROUPE_MCP_CONFIG_MCP_SOURCE_H

#include "runtime/base/json.h"
#include "runtime/base/json_view.h"
#include "runtime/base/yaml.h"

/* An entry of a JSON file that is not valid by itself: it is not in `root`. */
struct mcp_broken_entry {
    char *name;
    long line, column;
    char *why;
};
struct mcp_source {
    char *path;      /* as it was given */
    char *folder;    /* of the file, absolute; relative paths in it start here */
    char *workspace; /* ${workspaceFolder}: the folder, or the one above .vscode and .cursor */
    char *bytes;     /* JSON: the text, comments as blanks */
    size_t n;
    struct json *root; /* of JSON; of YAML, the section's */
    struct yaml *yaml; /* NULL: JSON */
    const struct yaml_node *section;
    struct mcp_broken_entry *broken; /* (n_broken) */
    size_t n_broken;
};

/* STATUS_NOT_FOUND: no such file. STATUS_CONFIG: the file cannot be read or is not valid, with its
 * place. workspace NULL: from the file's folder. */
MUST_CHECK enum status mcp_source_open_json(const char *path, const char *workspace,
                                            struct mcp_source **out, struct error *err);
/* The section `key` of a YAML file. STATUS_NOT_FOUND also for a file without it. The section is a
 * mapping. */
MUST_CHECK enum status mcp_source_open_yaml(const char *path, const char *key,
                                            const char *workspace, struct mcp_source **out,
                                            struct error *err);
/* Takes over `adopt_bytes`, malloc'd and NUL-terminated; `path` gives the folder and the dialect.
 */
MUST_CHECK enum status mcp_source_from_json(const char *path, char *adopt_bytes, size_t n,
                                            const char *workspace, struct mcp_source **out,
                                            struct error *err);
/* As mcp_source_open_json, for use, not for editing: a server whose entry is not valid JSON (a NUL,
 * half of a surrogate pair) is left out, with its name in `broken`. */
MUST_CHECK enum status mcp_source_open_servers(const char *path, const char *workspace,
                                               struct mcp_source **out, struct error *err);
void mcp_source_free(struct mcp_source *s);

/* A value of the file; lent, valid as long as the source. */
struct mcp_node {
    const struct mcp_source *source;
    const char *key; /* NULL: an item, or the top */
    struct json *value;
    struct json_view text, key_text; /* JSON: parts of source->bytes */
    const struct yaml_node *yaml, *yaml_key;
};
struct mcp_node mcp_source_top(const struct mcp_source *s);
/* false: not there. */
bool mcp_node_get(const struct mcp_node *object, const char *key, struct mcp_node *out);

/* Members of an object or items of an array, in the file's order; none of a scalar. */
struct mcp_node_walk {
    struct mcp_node of;
    struct json_walk text;
    void *member;
    size_t i;
};
struct mcp_node_walk mcp_node_walk_of(const struct mcp_node *container);
bool mcp_node_next(struct mcp_node_walk *w, struct mcp_node *out);

/* Line and column of the value, or of its key; from 1. */
void mcp_node_place(const struct mcp_node *node, bool of_key, long *line, long *column);

/* Comments and commas before a closing bracket become blanks, in place, so that offsets stay. */
void mcp_source_blank_comments(char *bytes, size_t n);

#endif
