/* mcp_config.c - see mcp_config.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/config/mcp_config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mcp/config/mcp_expand.h"
#include "mcp/config/mcp_spec_read.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"

enum file_id { PROJECT_JSON, PROJECT_YAML, USER_YAML, USER_JSON, N_FILES };
#define SECTION_KEY "mcp"

/* What stat says of a file; all zero: there is none. */
struct stamp {
    char *path;
    int64_t inode, size, sec, nsec;
};

struct mcp_config {
    char *path[N_FILES]; /* NULL: none */
    char *workspace;
    struct mcp_inputs *inputs;
    struct mcp_source *source[N_FILES];
    struct mcp_server_spec **server; /* (n), by name */
    size_t n;
    struct map *by_name;
    struct mcp_notes notes;
    struct error broken; /* the first file that could not be read */
    struct stamp *stamp; /* (n_stamps) */
    size_t n_stamps;
};

void mcp_config_free(struct mcp_config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        mcp_server_spec_unref(c->server[i]);
    for (size_t i = 0; i < N_FILES; i++) {
        mcp_source_free(c->source[i]);
        free(c->path[i]);
    }
    for (size_t i = 0; i < c->n_stamps; i++)
        free(c->stamp[i].path);
    free(c->stamp);
    free(c->server);
    free(c->workspace);
    map_free(c->by_name, NULL);
    mcp_notes_deinit(&c->notes);
    free(c);
}

/* ---- stamps */

/* The time of the change of the inode: a file that could not be read and then gets other rights, or
 * that keeps its old time (cp -p), counts as changed too. */
static void take_stamp(struct stamp *s)
{
    struct stat info;

    s->inode = s->size = s->sec = s->nsec = 0;
    if (stat(s->path, &info))
        return;
    s->inode = (int64_t)info.st_ino;
    s->size = (int64_t)info.st_size;
    s->sec = (int64_t)info.st_ctim.tv_sec;
    s->nsec = (int64_t)info.st_ctim.tv_nsec;
}

static void watch(struct mcp_config *c, const char *path)
{
    c->stamp = xrealloc(c->stamp, (c->n_stamps + 1) * sizeof(*c->stamp));
    c->stamp[c->n_stamps] = (struct stamp){.path = xstrdup(path)};
    take_stamp(&c->stamp[c->n_stamps++]);
}

/* Of a server that reads an env file whose name is known without asking. */
static void watch_env_file(struct mcp_config *c, const struct mcp_server_spec *s)
{
    struct str path = STR_INIT;

    if (!s->env_file || mcp_expand_has_reference(s->env_file))
        return;
    if (s->env_file[0] != '/')
        str_printf(&path, "%s/", s->folder);
    str_puts(&path, s->env_file);
    watch(c, str_cstr(&path));
    str_deinit(&path);
}

bool mcp_config_is_stale(const struct mcp_config *c)
{
    for (size_t i = 0; i < c->n_stamps; i++) {
        const struct stamp *a = &c->stamp[i];
        struct stamp b = *a;

        take_stamp(&b);
        if (a->inode != b.inode || a->size != b.size || a->sec != b.sec || a->nsec != b.nsec)
            return true;
    }
    return false;
}

/* ---- servers of a file */

static void adopt_server(struct mcp_config *c, struct mcp_server_spec *s, bool of_project)
{
    s->of_project = of_project;
    c->server = xrealloc(c->server, (c->n + 1) * sizeof(struct mcp_server_spec *));
    c->server[c->n++] = s;
    (void)map_put(c->by_name, s->name, s);
}

static void add_server(struct mcp_config *c, const struct mcp_node *entry, bool of_project)
{
    const struct mcp_server_spec *first = map_get(c->by_name, entry->key);

    if (first)
        mcp_note_at(&c->notes, MCP_CONFIG_NOTE, entry, true,
                    "server %.60s is not used from here: %s:%ld defines it too, and counts more",
                    entry->key, first->file, first->line);
    else
        adopt_server(c, mcp_spec_read(entry, c->inputs, &c->notes), of_project);
}

/* It takes its place like one with another mistake. */
static void add_broken(struct mcp_config *c, const struct mcp_source *source,
                       const struct mcp_broken_entry *b, bool of_project)
{
    struct error why = ERROR_INIT;
    struct mcp_server_spec *s;

    error_at(&why, STATUS_CONFIG, source->path, b->line, b->column,
             "server %.60s is left out: its entry is not valid JSON: %s", b->name, b->why);
    if (map_get(c->by_name, b->name) || c->n == MCP_SERVERS_MAX) {
        mcp_note_error(&c->notes, &why);
        return;
    }
    s = mcp_server_spec_new(b->name, source);
    s->line = b->line;
    s->column = b->column;
    mcp_server_spec_set_problem(s, &why);
    adopt_server(c, s, of_project);
}

static void add_servers(struct mcp_config *c, const struct mcp_node *list, bool of_project)
{
    struct mcp_node_walk w = mcp_node_walk_of(list);
    struct mcp_node entry;

    if (jv_kind(list->value) != JV_OBJECT) {
        mcp_note_at(&c->notes, MCP_CONFIG_ERROR, list, false, "expected servers by name, got %s",
                    jv_kind_name(jv_kind(list->value)));
        return;
    }
    while (mcp_node_next(&w, &entry)) {
        if (c->n == MCP_SERVERS_MAX) {
            mcp_note_at(&c->notes, MCP_CONFIG_ERROR, &entry, true,
                        "more than %d servers; the others are left out", MCP_SERVERS_MAX);
            return;
        }
        if (!entry.yaml || mcp_spec_has_target(&entry))
            add_server(c, &entry, of_project);
    }
}

/* `mcpServers`, `servers`, or VS Code's settings with `mcp: {servers}`. */
static void add_json(struct mcp_config *c, const struct mcp_source *source, bool of_project)
{
    struct mcp_node top = mcp_source_top(source), list, inputs, inner;
    bool found = mcp_node_get(&top, "mcpServers", &list);

    if (!found && mcp_node_get(&top, "mcp", &inner) && mcp_node_get(&inner, "servers", &list)) {
        top = inner;
        found = true;
    }
    found = found || mcp_node_get(&top, "servers", &list);
    if (!found) {
        mcp_note_at(&c->notes, MCP_CONFIG_WARNING, &top, false,
                    "the file has neither `mcpServers` nor `servers`");
        return;
    }
    if (mcp_node_get(&top, "inputs", &inputs))
        mcp_inputs_declare(c->inputs, &inputs, &c->notes);
    add_servers(c, &list, of_project);
    for (size_t i = 0; i < source->n_broken; i++)
        add_broken(c, source, &source->broken[i], of_project);
}

static bool yaml_servers(const struct mcp_source *source, struct mcp_node *out)
{
    struct mcp_node top;

    if (!source || !source->yaml)
        return false;
    top = mcp_source_top(source);
    return mcp_node_get(&top, "servers", out);
}

static void check_section(struct mcp_config *c, const struct mcp_source *source)
{
    static const char *const keys[] = {
#define K(key, help) key,
#include "mcp/config/mcp_section_keys.def"
#undef K
    };
    struct error why = ERROR_INIT;

    if (yaml_check_keys(source->yaml, source->section, keys, ARRAY_LEN(keys), &why))
        mcp_note_error(&c->notes, &why);
}

/* A file of the working folder changes a server of the user. */
static void note_changed(struct mcp_server_spec *s, const struct mcp_node *entry)
{
    long column;

    if (s->changed_by)
        return;
    s->changed_by = xstrdup(entry->source->path);
    s->changed_in = xstrdup(entry->source->folder);
    mcp_node_place(entry, true, &s->changed_line, &column);
}

/* Entries that have only settings, of the file that counts least first, so that the other wins. */
static void add_settings(struct mcp_config *c)
{
    static const enum file_id order[] = {USER_YAML, PROJECT_YAML};
    struct mcp_node list, entry;

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct mcp_node_walk w;

        if (!yaml_servers(c->source[order[i]], &list) || jv_kind(list.value) != JV_OBJECT)
            continue;
        w = mcp_node_walk_of(&list);
        while (mcp_node_next(&w, &entry)) {
            struct mcp_server_spec *s = map_get(c->by_name, entry.key);

            if (mcp_spec_has_target(&entry))
                continue;
            if (s) {
                mcp_spec_read_settings(&entry, s, &c->notes);
                if (order[i] == PROJECT_YAML && !s->of_project)
                    note_changed(s, &entry);
            } else {
                mcp_note_at(&c->notes, MCP_CONFIG_WARNING, &entry, true,
                            "settings for server %.60s, which no file defines (it has neither "
                            "`command` nor `url`)",
                            entry.key);
            }
        }
    }
}

/* ---- all files */

static int by_name(const void *a, const void *b)
{
    const struct mcp_server_spec *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void note_problems(struct mcp_config *c)
{
    for (size_t i = 0; i < c->n; i++) {
        mcp_server_spec_hash(c->server[i]);
        watch_env_file(c, c->server[i]);
        if (c->server[i]->problem)
            mcp_note_error(&c->notes, c->server[i]->problem);
    }
}

static void open_file(struct mcp_config *c, enum file_id id)
{
    bool is_yaml = id == PROJECT_YAML || id == USER_YAML;
    bool of_user = id == USER_YAML || id == USER_JSON;
    const char *workspace = of_user ? c->workspace : NULL;
    struct error why = ERROR_INIT;
    enum status st;

    if (!c->path[id])
        return;
    watch(c, c->path[id]); /* before it is read: a write in between is seen again */
    st = is_yaml ? mcp_source_open_yaml(c->path[id], SECTION_KEY, workspace, &c->source[id], &why)
                 : mcp_source_open_servers(c->path[id], workspace, &c->source[id], &why);
    if (!st || st == STATUS_NOT_FOUND)
        return;
    mcp_note_error(&c->notes, &why);
    if (!c->broken.status)
        c->broken = why;
}

static void load(struct mcp_config *c)
{
    c->by_name = map_new();
    for (int id = 0; id < N_FILES; id++) {
        bool of_project = id == PROJECT_JSON || id == PROJECT_YAML;
        struct mcp_node list;

        open_file(c, (enum file_id)id);
        if (c->source[id] && !c->source[id]->yaml)
            add_json(c, c->source[id], of_project);
        if (c->source[id] && c->source[id]->yaml)
            check_section(c, c->source[id]);
        if (yaml_servers(c->source[id], &list))
            add_servers(c, &list, of_project);
    }
    add_settings(c);
    note_problems(c);
    if (c->n > 1)
        qsort(c->server, c->n, sizeof(struct mcp_server_spec *), by_name);
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct mcp_config *mcp_config_load(const struct mcp_config_options *o)
{
    struct mcp_config *c = xcalloc(1, sizeof(*c));

    c->path[PROJECT_JSON] = copy(o->project_json);
    c->path[PROJECT_YAML] = copy(o->project_yaml);
    c->path[USER_YAML] = copy(o->user_yaml);
    c->path[USER_JSON] = copy(o->user_json);
    c->workspace = copy(o->workspace);
    c->inputs = o->inputs;
    load(c);
    return c;
}

struct mcp_config *mcp_config_load_folder(const char *project, const char *user_yaml,
                                          struct mcp_inputs *inputs)
{
    struct mcp_config_options o = {.user_yaml = user_yaml, .workspace = project, .inputs = inputs};
    const char *slash = user_yaml ? strrchr(user_yaml, '/') : NULL;
    struct str json = STR_INIT, yaml = STR_INIT, user = STR_INIT;
    struct mcp_config *c;

    if (strcmp(project, ".") != 0) { /* messages then name the files as people do */
        str_printf(&json, "%s/", project);
        str_printf(&yaml, "%s/", project);
    }
    str_puts(&json, ".mcp.json");
    str_puts(&yaml, "troupe.yaml");
    if (slash)
        str_append(&user, user_yaml, (size_t)(slash - user_yaml) + 1);
    str_puts(&user, "mcp.json");
    o.project_json = str_cstr(&json);
    o.project_yaml = str_cstr(&yaml);
    o.user_json = user_yaml ? str_cstr(&user) : NULL;
    c = mcp_config_load(&o);
    str_deinit(&json);
    str_deinit(&yaml);
    str_deinit(&user);
    return c;
}

enum status mcp_config_load_file(const char *path, struct mcp_inputs *inputs,
                                 struct mcp_config **out, struct error *err)
{
    struct mcp_config_options o = {.project_json = path, .inputs = inputs};
    struct mcp_config *c = mcp_config_load(&o);
    enum status st = STATUS_OK;

    if (c->broken.status) {
        if (err)
            *err = c->broken;
        st = c->broken.status;
    } else if (!c->source[PROJECT_JSON]) {
        st = error_set(err, STATUS_NOT_FOUND, "%s does not exist", path);
    }
    if (st)
        mcp_config_free(c);
    else
        *out = c;
    return st;
}

size_t mcp_config_size(const struct mcp_config *c)
{
    return c->n;
}

struct mcp_server_spec *mcp_config_at(const struct mcp_config *c, size_t i)
{
    return c->server[i];
}

struct mcp_server_spec *mcp_config_find(const struct mcp_config *c, const char *name)
{
    return map_get(c->by_name, name);
}

const struct mcp_notes *mcp_config_notes(const struct mcp_config *c)
{
    return &c->notes;
}

bool mcp_config_section(const struct mcp_config *c, size_t i, const struct yaml **yaml,
                        const struct yaml_node **section)
{
    static const enum file_id order[] = {PROJECT_YAML, USER_YAML};

    for (size_t k = 0; k < ARRAY_LEN(order); k++) {
        const struct mcp_source *s = c->source[order[k]];

        if (s && i-- == 0) {
            *yaml = s->yaml;
            *section = s->section;
            return true;
        }
    }
    return false;
}

/* ---- changes */

enum status mcp_config_reload(struct mcp_config *old, struct mcp_config **out, struct error *err)
{
    struct mcp_config_options o = {.project_json = old->path[PROJECT_JSON],
                                   .project_yaml = old->path[PROJECT_YAML],
                                   .user_yaml = old->path[USER_YAML],
                                   .user_json = old->path[USER_JSON],
                                   .workspace = old->workspace,
                                   .inputs = old->inputs};
    struct mcp_config *c;
    enum status st;

    for (size_t i = 0; i < old->n_stamps; i++) /* before they are read: as in open_file */
        take_stamp(&old->stamp[i]);
    c = mcp_config_load(&o);
    st = c->broken.status;
    if (!st) {
        *out = c;
        return STATUS_OK;
    }
    if (err)
        *err = c->broken;
    mcp_config_free(c);
    return st;
}

enum mcp_change mcp_config_change(const struct mcp_config *old, const struct mcp_config *now,
                                  const char *name)
{
    const struct mcp_server_spec *a = mcp_config_find(old, name), *b = mcp_config_find(now, name);

    if (!b)
        return MCP_REMOVED;
    if (!a)
        return MCP_ADDED;
    if (memcmp(&a->start_hash, &b->start_hash, sizeof(a->start_hash)) != 0)
        return MCP_RESTART;
    return memcmp(&a->hash, &b->hash, sizeof(a->hash)) != 0 ? MCP_SETTINGS : MCP_SAME;
}
