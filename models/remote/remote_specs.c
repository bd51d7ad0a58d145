/* remote_specs.c - see remote_specs.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/remote/remote_specs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

#define NAME_MAX_BYTES 64

struct remote_specs {
    struct map *by_name; /* struct remote_spec *; keeps the order */
};

struct remote_specs *remote_specs_new(void)
{
    struct remote_specs *s = xcalloc(1, sizeof(*s));

    s->by_name = map_new();
    return s;
}

static void free_spec(void *p)
{
    remote_spec_deinit(p);
    free(p);
}

void remote_specs_free(struct remote_specs *s)
{
    if (!s)
        return;
    map_free(s->by_name, free_spec);
    free(s);
}

static enum status check_name(const struct yaml *y, const struct yaml_node *at, const char *name,
                              struct error *err)
{
    size_t n = strlen(name);

    if (strcmp(name, "embedded") == 0 || strcmp(name, "new") == 0)
        return yaml_error(err, y, at, "\"%s\" is the name of another model", name);
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            n = 0;
    if (n == 0 || n > NAME_MAX_BYTES || strspn(name, ".") == n)
        return yaml_error(err, y, at,
                          "the name of a model is 1 to %d letters, digits, \"-\", \"_\" and \".\"",
                          NAME_MAX_BYTES);
    return STATUS_OK;
}

static enum status add(struct remote_specs *s, const char *name, const struct yaml *y,
                       const struct yaml_node *node, const char *folder, struct error *err)
{
    struct remote_spec *spec = xcalloc(1, sizeof(*spec));
    enum status st = remote_spec_from_yaml(y, node, spec, err);

    if (st) {
        free(spec);
        return st;
    }
    spec->folder = xstrdup(folder);
    map_put(s->by_name, name, spec);
    return STATUS_OK;
}

enum status remote_specs_add(struct remote_specs *s, const struct yaml *y,
                             const struct yaml_node *section, const char *folder, struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < yaml_size(section); i++) {
        const struct yaml_node *key, *value;
        const char *name = yaml_key_at(section, i, &key, &value);

        st = check_name(y, key, name, err);
        if (!st && yaml_node_kind(value) != YAML_MAPPING)
            st = yaml_error(err, y, value, "a model is a mapping with url and model");
        if (!st && !map_get(s->by_name, name))
            st = add(s, name, y, value, folder, err);
    }
    return st;
}

const struct remote_spec *remote_specs_get(const struct remote_specs *s, const char *name)
{
    return s ? map_get(s->by_name, name) : NULL;
}

void remote_specs_each(const struct remote_specs *s,
                       void (*each)(void *ctx, const char *name, const struct remote_spec *spec),
                       void *ctx)
{
    const char *name;
    void *spec;

    for (size_t i = 0; s && map_next(s->by_name, &i, &name, &spec);)
        each(ctx, name, spec);
}

bool remote_is_name(const struct remote_specs *s, const char *name)
{
    return remote_specs_get(s, name) || strncmp(name, "http://", 7) == 0 ||
           strncmp(name, "https://", 8) == 0;
}
