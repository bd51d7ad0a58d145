/* options_files.c - options from the environment and from configuration files.
 *
 * Order of precedence: flags, the environment, ./troupe.yaml, the user's file. A value that is
 * already set is kept.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/home.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/yaml.h"
#include "runtime/config/options_internal.h"

enum status options_read_environment(struct options *o, struct error *err)
{
    for (int id = 0; id < OPT_N; id++) {
        const struct option_spec *s = option_spec((enum option_id)id);
        char name[64] = "TROUPE_";
        size_t n = 7;

        if (!(s->flags & OPTION_IN_FILE) || o->value[id].origin)
            continue;
        for (const char *c = s->name; *c && n + 1 < sizeof(name); c++)
            name[n++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        name[n] = 0;
        const char *text = getenv(name);
        if (!text || !*text)
            continue;
        enum status st = option_take(o, (enum option_id)id, text, name, err);
        if (st)
            return st;
        o->value[id].origin = xstrdup(name);
    }
    return STATUS_OK;
}

static int option_by_key(const char *key)
{
    for (int id = 0; id < OPT_N; id++) {
        const char *a = option_spec((enum option_id)id)->name, *b = key;
        while (*a && (*a == *b || (*a == '-' && *b == '_'))) {
            a++;
            b++;
        }
        if (!*a && !*b)
            return id;
    }
    return -1;
}

/* One key of a file: a scalar, or a list for an option that repeats. */
static enum status take_node(struct options *o, int id, const struct yaml *y,
                             const struct yaml_node *value, struct error *err)
{
    const struct option_spec *s = option_spec((enum option_id)id);
    char where[300];
    bool list = yaml_node_kind(value) == YAML_SEQUENCE && (s->flags & OPTION_REPEATS);
    size_t n = list ? yaml_size(value) : 1;

    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = list ? yaml_at(value, i) : value;
        if (yaml_node_kind(item) != YAML_SCALAR)
            return yaml_error(err, y, item, "%s takes a single value", s->name);
        snprintf(where, sizeof(where), "%s:%d:%d", yaml_name(y), yaml_line(item),
                 yaml_column(item));
        enum status st = option_take(o, (enum option_id)id, yaml_text_of(item), where, err);
        if (st)
            return st;
    }
    o->value[id].origin = xstrdup(yaml_name(y));
    return STATUS_OK;
}

static enum status read_file(struct options *o, const char *path, struct error *err)
{
    struct yaml *y = NULL;
    const char *allowed[OPT_N];
    size_t n_allowed = 0;
    enum status st;

    if (!file_exists(path))
        return STATUS_OK;
    st = yaml_parse_file(path, &y, err);
    if (st)
        goto out;
    const struct yaml_node *root = yaml_root(y);
    if (!root || (yaml_node_kind(root) == YAML_SCALAR && !*yaml_text_of(root)))
        goto out; /* an empty file, or comments alone */
    if (yaml_node_kind(root) != YAML_MAPPING) {
        st = yaml_error(err, y, root, "a configuration file must be a mapping of options");
        goto out;
    }
    for (int id = 0; id < OPT_N; id++)
        if (option_spec((enum option_id)id)->flags & OPTION_IN_FILE)
            allowed[n_allowed++] = option_spec((enum option_id)id)->name;
    for (size_t i = 0; !st && i < yaml_size(root); i++) {
        const struct yaml_node *key, *value;
        int id = option_by_key(yaml_key_at(root, i, &key, &value));
        if (id < 0 || !(option_spec((enum option_id)id)->flags & OPTION_IN_FILE))
            st = yaml_check_keys(y, root, allowed, n_allowed, err);
        else if (!o->value[id].origin)
            st = take_node(o, id, y, value, err);
    }
out:
    yaml_free(y);
    return error_as_config(st, err);
}

enum status options_user_file(char *out, size_t n, struct error *err)
{
    const char *xdg = getenv("XDG_CONFIG_HOME");
    char home[1024];
    enum status st = STATUS_OK;

    if (xdg && *xdg)
        snprintf(out, n, "%s/troupe/config.yaml", xdg);
    else if ((st = home_folder(home, sizeof(home), err)) == STATUS_OK)
        snprintf(out, n, "%s/.config/troupe/config.yaml", home);
    return st;
}

enum status options_read_files(struct options *o, struct error *err)
{
    char user[1200];
    struct error no_home = ERROR_INIT;
    enum status st = read_file(o, "troupe.yaml", err);

    if (st)
        return st;
    if (options_user_file(user, sizeof(user), &no_home))
        return STATUS_OK; /* the user has no home folder */
    return read_file(o, user, err);
}
