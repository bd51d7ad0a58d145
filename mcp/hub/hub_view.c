/* hub_view.c - see hub_view.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_view.h"

#include <stdlib.h>
#include <string.h>

#include "mcp/hub/uri_form.h"
#include "runtime/base/glob.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/text.h"

#define NO_BUDGET (-1)

struct patterns {
    char **text;            /* (n) */
    char **form[URI_FORMS]; /* (n) the same as patterns of URIs */
    size_t n;
    bool given;
};
struct hub_view {
    char *name;
    struct patterns servers, allow, deny, hide, always;
    struct map *rename;   /* full name to new name, malloc'd */
    struct map *renamed;  /* new name to full name, malloc'd */
    struct map *describe; /* full name to text, malloc'd */
    bool bare;
    int64_t budget; /* NO_BUDGET: that of all */
};
struct hub_views {
    struct hub_view **view; /* (n) */
    size_t n;
    struct hub_view *all; /* its budget is that of views without one */
};

/* ---- reading */

static void patterns_deinit(struct patterns *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->text[i]);
        for (int f = 0; f < URI_FORMS; f++)
            free(p->form[f][i]);
    }
    free(p->text);
    for (int f = 0; f < URI_FORMS; f++)
        free(p->form[f]);
}

static void view_free(struct hub_view *v)
{
    if (!v)
        return;
    patterns_deinit(&v->servers);
    patterns_deinit(&v->allow);
    patterns_deinit(&v->deny);
    patterns_deinit(&v->hide);
    patterns_deinit(&v->always);
    map_free(v->rename, free);
    map_free(v->renamed, free);
    map_free(v->describe, free);
    free(v->name);
    free(v);
}

static struct hub_view *view_new(const char *name)
{
    struct hub_view *v = xcalloc(1, sizeof(*v));

    v->name = xstrdup(name);
    v->budget = NO_BUDGET;
    v->rename = map_new();
    v->renamed = map_new();
    v->describe = map_new();
    return v;
}

/* A pattern troupe://SERVER/URI is one of the server's URI behind its prefix. */
static char *form_of(enum uri_form form, const char *pattern)
{
    const char *slash = hub_uri_inner(pattern), *inner = slash ? slash : pattern;
    struct str out = STR_INIT;

    str_append(&out, pattern, (size_t)(inner - pattern));
    uri_put_form(form, inner, true, &out);
    return str_take(&out);
}

static void add_pattern(struct patterns *p, const char *text)
{
    p->text = xrealloc(p->text, (p->n + 1) * sizeof(char *));
    p->text[p->n] = xstrdup(text);
    for (int f = 0; f < URI_FORMS; f++) {
        p->form[f] = xrealloc(p->form[f], (p->n + 1) * sizeof(char *));
        p->form[f][p->n] = form_of((enum uri_form)f, text);
    }
    p->n++;
}

static enum status read_patterns(const struct yaml *y, const struct yaml_node *view,
                                 const char *key, struct patterns *out, struct error *err)
{
    const struct yaml_node *list = yaml_get(view, key);

    if (!list)
        return STATUS_OK;
    if (yaml_node_kind(list) != YAML_SEQUENCE)
        return yaml_error(err, y, list, "`%s` is a list of names or patterns", key);
    out->given = true;
    for (size_t i = 0; i < yaml_size(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);

        if (yaml_node_kind(item) != YAML_SCALAR || !*yaml_text_of(item))
            return yaml_error(err, y, item, "expected a name or a pattern");
        add_pattern(out, yaml_text_of(item));
    }
    return STATUS_OK;
}

static enum status add_rename(struct hub_view *v, const struct yaml *y, const char *from,
                              const struct yaml_node *to, struct error *err)
{
    const char *name = yaml_text_of(to), *other;

    if (!hub_names_fits(name))
        return yaml_error(err, y, to, "a name has 1 to %d letters, digits, \"_\" and \"-\"",
                          HUB_NAME_MAX);
    if (hub_names_is_reserved(name))
        return yaml_error(err, y, to, "%s is a tool of the hub itself", name);
    if (strstr(name, "__"))
        return yaml_error(err, y, to, "a new name must not have \"__\", which names a server");
    other = map_get(v->renamed, name);
    if (other)
        return yaml_error(err, y, to, "%s gets this name too", other);
    (void)map_put(v->rename, from, xstrdup(name));
    (void)map_put(v->renamed, name, xstrdup(from));
    return STATUS_OK;
}

/* `rename` and `describe`: exact names with texts. */
static enum status read_texts(struct hub_view *v, const struct yaml *y,
                              const struct yaml_node *view, const char *key, struct error *err)
{
    const struct yaml_node *list = yaml_get(view, key);
    enum status st = STATUS_OK;

    if (!list)
        return STATUS_OK;
    if (yaml_node_kind(list) != YAML_MAPPING)
        return yaml_error(err, y, list, "`%s` is a mapping of names to texts", key);
    for (size_t i = 0; !st && i < yaml_size(list); i++) {
        const struct yaml_node *name, *text;
        const char *full = yaml_key_at(list, i, &name, &text);

        if (yaml_node_kind(text) != YAML_SCALAR)
            return yaml_error(err, y, text, "expected a text");
        if (!glob_is_plain(full))
            return yaml_error(err, y, name, "`%s` takes names, no patterns", key);
        if (strcmp(key, "rename") == 0)
            st = add_rename(v, y, full, text, err);
        else
            (void)map_put(v->describe, full, xstrdup(yaml_text_of(text)));
    }
    return st;
}

static enum status read_names(struct hub_view *v, const struct yaml *y,
                              const struct yaml_node *view, struct error *err)
{
    const struct yaml_node *names = yaml_get(view, "names");

    if (!names)
        return STATUS_OK;
    if (yaml_node_kind(names) != YAML_SCALAR ||
        (strcmp(yaml_text_of(names), "bare") != 0 && strcmp(yaml_text_of(names), "prefixed") != 0))
        return yaml_error(err, y, names, "expected bare or prefixed");
    v->bare = strcmp(yaml_text_of(names), "bare") == 0;
    if (v->bare && (v->servers.n != 1 || !glob_is_plain(v->servers.text[0])))
        return yaml_error(err, y, names,
                          "bare names are for a view of one server: name it, as in "
                          "`servers: [NAME]`");
    return STATUS_OK;
}

static enum status read_budget(const struct yaml *y, const struct yaml_node *tokens, int64_t *out,
                               struct error *err)
{
    int64_t n;

    if (yaml_node_kind(tokens) != YAML_SCALAR || !text_to_i64(yaml_text_of(tokens), &n) || n < 0)
        return yaml_error(err, y, tokens, "`tool_budget` is a number of tokens; 0 means no limit");
    *out = n;
    return STATUS_OK;
}

static enum status read_view(const struct yaml *y, const char *name, const struct yaml_node *node,
                             struct hub_view **out, struct error *err)
{
    static const char *const keys[] = {"servers",  "allow", "deny",   "rename",     "hide",
                                       "describe", "names", "always", "tool_budget"};
    const struct yaml_node *budget;
    struct hub_view *v;
    enum status st;

    if (yaml_node_kind(node) != YAML_MAPPING)
        return yaml_error(err, y, node, "a view is a mapping");
    st = yaml_check_keys(y, node, keys, ARRAY_LEN(keys), err);
    if (st)
        return st;
    v = view_new(name);
    st = read_patterns(y, node, "servers", &v->servers, err);
    if (!st)
        st = read_patterns(y, node, "allow", &v->allow, err);
    if (!st)
        st = read_patterns(y, node, "deny", &v->deny, err);
    if (!st)
        st = read_patterns(y, node, "hide", &v->hide, err);
    if (!st)
        st = read_patterns(y, node, "always", &v->always, err);
    budget = yaml_get(node, "tool_budget");
    if (!st && budget)
        st = read_budget(y, budget, &v->budget, err);
    if (!st)
        st = read_texts(v, y, node, "rename", err);
    if (!st)
        st = read_texts(v, y, node, "describe", err);
    if (!st)
        st = read_names(v, y, node, err);
    if (st)
        view_free(v);
    else
        *out = v;
    return st;
}

/* ---- the views */

struct hub_views *hub_views_new(void)
{
    struct hub_views *v = xcalloc(1, sizeof(*v));

    v->all = view_new("all");
    return v;
}

void hub_views_free(struct hub_views *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++)
        view_free(v->view[i]);
    free(v->view);
    view_free(v->all);
    free(v);
}

enum status hub_views_add(struct hub_views *v, const struct yaml *y, const struct yaml_node *views,
                          struct error *err)
{
    size_t had = v->n;
    enum status st = STATUS_OK;

    if (yaml_node_kind(views) != YAML_MAPPING)
        return yaml_error(err, y, views, "`views` is a mapping of names");
    for (size_t i = 0; !st && i < yaml_size(views); i++) {
        const struct yaml_node *key, *node;
        const char *name = yaml_key_at(views, i, &key, &node);
        struct hub_view *view = NULL;

        if (!hub_names_fits(name))
            st = yaml_error(err, y, key,
                            "the name of a view has 1 to %d letters, digits, \"_\" "
                            "and \"-\"",
                            HUB_NAME_MAX);
        else
            st = read_view(y, name, node, &view, err);
        if (st || hub_views_find(v, name)) {
            view_free(view);
            continue;
        }
        v->view = xrealloc(v->view, (v->n + 1) * sizeof(struct hub_view *));
        v->view[v->n++] = view;
    }
    while (st && v->n > had)
        view_free(v->view[--v->n]);
    return st;
}

enum status hub_views_set_budget(struct hub_views *v, const struct yaml *y,
                                 const struct yaml_node *tokens, struct error *err)
{
    int64_t n;
    enum status st = read_budget(y, tokens, &n, err);

    if (!st && v->all->budget == NO_BUDGET)
        v->all->budget = n;
    return st;
}

int64_t hub_view_budget(const struct hub_view *v, const struct hub_views *all)
{
    int64_t n = v->budget != NO_BUDGET ? v->budget : all->all->budget;

    return n == NO_BUDGET ? 0 : n;
}

const struct hub_view *hub_views_find(const struct hub_views *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->view[i]->name, name) == 0)
            return v->view[i];
    return NULL;
}

const char *hub_views_nearest(const struct hub_views *v, const char *name)
{
    const char **names = xcalloc(v->n + 1, sizeof(char *)), *near;

    for (size_t i = 0; i < v->n; i++)
        names[i] = v->view[i]->name;
    near = nearest_word(name, names, v->n);
    free(names);
    return near;
}

size_t hub_views_size(const struct hub_views *v)
{
    return v->n;
}

const struct hub_view *hub_views_at(const struct hub_views *v, size_t i)
{
    return v->view[i];
}

const struct hub_view *hub_views_all(const struct hub_views *v)
{
    return v->all;
}

const char *hub_view_name(const struct hub_view *v)
{
    return v->name;
}

bool hub_view_is_bare(const struct hub_view *v)
{
    return v->bare;
}

/* ---- rules */

static bool matches(const struct patterns *p, const char *full, const char *bare)
{
    for (size_t i = 0; i < p->n; i++)
        if (glob_match(p->text[i], full) || (bare && glob_match(p->text[i], bare)))
            return true;
    return false;
}

bool hub_view_has_server(const struct hub_view *v, const char *server)
{
    return !v->servers.given || matches(&v->servers, server, NULL);
}

/* The text for a name; in a bare view, by either name. */
static const char *text_of(const struct map *m, const char *full, const char *bare)
{
    const char *text = map_get(m, full);

    return text || !bare ? text : map_get(m, bare);
}

/* In a bare view, a new name that another tool has by itself is not given. */
static const char *new_name(const struct hub_view *v, const struct hub_names *names,
                            enum hub_kind kind, const char *server, const char *full,
                            const char *bare)
{
    const char *name = text_of(v->rename, full, bare);

    return name && v->bare && hub_names_find_bare(names, kind, server, name) ? NULL : name;
}

bool hub_view_see(const struct hub_view *v, const struct hub_names *names, enum hub_kind kind,
                  const char *server, const char *upstream, struct hub_seen *out)
{
    const char *full = hub_names_of(names, kind, server, upstream), *bare = NULL, *name;

    if (v->bare)
        bare = hub_names_bare(names, kind, server, upstream);
    if (!full || !hub_view_has_server(v, server) || matches(&v->deny, full, bare) ||
        (v->allow.given && !matches(&v->allow, full, bare)))
        return false;
    name = new_name(v, names, kind, server, full, bare);
    *out = (struct hub_seen){.name = name   ? name
                                     : bare ? bare
                                            : full,
                             .description = text_of(v->describe, full, bare),
                             .listed = !matches(&v->hide, full, bare)};
    return true;
}

bool hub_view_is_always(const struct hub_view *v, const struct hub_names *names, const char *server,
                        const char *upstream)
{
    const char *full = hub_names_of(names, HUB_TOOL, server, upstream);

    return full && matches(&v->always, full,
                           v->bare ? hub_names_bare(names, HUB_TOOL, server, upstream) : NULL);
}

static bool form_matches(const struct patterns *p, int form, const char *full, const char *bare)
{
    for (size_t i = 0; i < p->n; i++) {
        if (glob_match(p->form[form][i], full) || (bare && glob_match(p->form[form][i], bare)))
            return true;
    }
    return false;
}

/* What is denied stays so with a slash at its end, which is how a dot segment ends. */
static bool is_denied(const struct hub_view *v, int form, struct str *full, struct str *bare)
{
    bool denied = form_matches(&v->deny, form, str_cstr(full), v->bare ? str_cstr(bare) : NULL);

    if (denied || form != URI_PLAIN || full->data[full->len - 1] != '/')
        return denied;
    full->data[--full->len] = '\0';
    if (bare->len > 0)
        bare->data[--bare->len] = '\0';
    return form_matches(&v->deny, form, str_cstr(full), v->bare ? str_cstr(bare) : NULL);
}

bool hub_view_sees_uri(const struct hub_view *v, const char *server, const char *uri)
{
    struct str full = STR_INIT, bare = STR_INIT;
    bool sees = hub_view_has_server(v, server);

    hub_uri_put(server, uri, &full);
    sees = sees && str_ok(&full) && !matches(&v->deny, str_cstr(&full), v->bare ? uri : NULL);
    for (int f = 0; sees && f < URI_FORMS; f++) {
        str_clear(&full);
        str_clear(&bare);
        uri_put_form((enum uri_form)f, uri, false, &bare);
        hub_uri_put(server, str_cstr(&bare), &full);
        sees = str_ok(&bare) && str_ok(&full) &&
               (!v->allow.given ||
                form_matches(&v->allow, f, str_cstr(&full), v->bare ? str_cstr(&bare) : NULL)) &&
               !is_denied(v, f, &full, &bare);
    }
    str_deinit(&full);
    str_deinit(&bare);
    return sees;
}

/* Whose name it is before the rules; the caller asks hub_view_see whether it is visible by it. */
static bool owner_of(const struct hub_view *v, const struct hub_names *names, enum hub_kind kind,
                     const char *const *servers, size_t n_servers, const char *name,
                     const char **server, const char **upstream)
{
    if (!v->bare)
        return hub_names_find(names, kind, name, server, upstream);
    for (size_t i = 0; i < n_servers; i++) {
        if (!hub_view_has_server(v, servers[i]))
            continue;
        *upstream = hub_names_find_bare(names, kind, servers[i], name);
        *server = servers[i];
        if (*upstream)
            return true;
    }
    return hub_names_find(names, kind, name, server, upstream);
}

const char *hub_view_renamed(const struct hub_view *v, const char *name)
{
    return map_get(v->renamed, name);
}

bool hub_view_find(const struct hub_view *v, const struct hub_names *names, enum hub_kind kind,
                   const char *const *servers, size_t n_servers, const char *name,
                   const char **server, const char **upstream)
{
    const char *given = hub_view_renamed(v, name), *from = given ? given : name;
    struct hub_seen seen;

    /* First as a new name, then as itself: the one that shows this name is the one. */
    for (int pass = given ? 0 : 1; pass < 2; pass++, from = name) {
        const char *s, *u;

        if (owner_of(v, names, kind, servers, n_servers, from, &s, &u) &&
            hub_view_see(v, names, kind, s, u, &seen) && strcmp(seen.name, name) == 0) {
            *server = s;
            *upstream = u;
            return true;
        }
    }
    return false;
}
