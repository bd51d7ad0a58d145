/* options_files.c - options from the environment and from configuration files.
 *
 * Order of precedence: flags, the environment, ./troupe.yaml, the user's file. A value that is
 * already set is kept.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/home.h"
#include "runtime/base/memory.h"
#include "runtime/base/seams.h"
#include "runtime/base/yaml.h"
#include "runtime/config/options_internal.h"
#include "runtime/config/sections.h"

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

static const char *const section_key[SECTION_N] = {
#define S(id, key, help) [SECTION_##id] = key,
#include "runtime/config/sections.def"
#undef S
};

static bool is_section(const char *key)
{
    for (size_t i = 0; i < SECTION_N; i++)
        if (strcmp(section_key[i], key) == 0)
            return true;
    return false;
}

/* The keys of a file: options that files may set, and sections. */
static enum status unknown_key(const struct yaml *y, const struct yaml_node *root,
                               struct error *err)
{
    const char *allowed[OPT_N + SECTION_N];
    size_t n = 0;

    for (int id = 0; id < OPT_N; id++)
        if (option_spec((enum option_id)id)->flags & OPTION_IN_FILE)
            allowed[n++] = option_spec((enum option_id)id)->name;
    for (size_t i = 0; i < SECTION_N; i++)
        allowed[n++] = section_key[i];
    return yaml_check_keys(y, root, allowed, n, err);
}

static enum status take_root(struct options *o, const struct yaml *y, const struct yaml_node *root,
                             struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < yaml_size(root); i++) {
        const struct yaml_node *key, *value;
        const char *name = yaml_key_at(root, i, &key, &value);
        int id = option_by_key(name);

        if (is_section(name))
            st = yaml_node_kind(value) == YAML_MAPPING
                     ? STATUS_OK
                     : yaml_error(err, y, value, "%s must be a mapping", name);
        else if (id < 0 || !(option_spec((enum option_id)id)->flags & OPTION_IN_FILE))
            st = unknown_key(y, root, err);
        else if (!o->value[id].origin)
            st = take_node(o, id, y, value, err);
    }
    return st;
}

static enum status read_file(struct options *o, struct config_file *f, const char *path,
                             struct error *err)
{
    const struct yaml_node *root;
    char *slash;
    enum status st;

    if (!file_exists(path))
        return STATUS_OK;
    st = yaml_parse_file(path, &f->yaml, err);
    if (st)
        return error_as_config(st, err);
    root = yaml_root(f->yaml);
    if (!root || (yaml_node_kind(root) == YAML_SCALAR && !*yaml_text_of(root))) {
        yaml_free(f->yaml); /* an empty file, or comments alone */
        f->yaml = NULL;
        return STATUS_OK;
    }
    if (yaml_node_kind(root) != YAML_MAPPING)
        return yaml_error(err, f->yaml, root, "a configuration file must be a mapping of options");
    f->folder = realpath(path, NULL);
    slash = f->folder ? strrchr(f->folder, '/') : NULL;
    if (slash)
        slash[slash == f->folder] = 0;
    return error_as_config(take_root(o, f->yaml, root, err), err);
}

bool options_section(const struct options *o, enum section_id id, int32_t i, struct section *out)
{
    for (size_t k = 0; k < CONFIG_FILES; k++) {
        const struct config_file *f = &o->file[k];
        const struct yaml_node *node =
            f->yaml ? yaml_get(yaml_root(f->yaml), section_key[id]) : NULL;

        if (node && i-- == 0) {
            *out = (struct section){f->yaml, node, f->folder ? f->folder : "."};
            return true;
        }
    }
    return false;
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
    enum status st = read_file(o, &o->file[0], "troupe.yaml", err);

    if (st)
        return st;
    if (options_user_file(user, sizeof(user), &no_home))
        return STATUS_OK; /* the user has no home folder */
    return read_file(o, &o->file[1], user, err);
}
