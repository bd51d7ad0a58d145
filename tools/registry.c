/* registry.c - all tools by name, in the order in which they were adopted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tools/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "tools/builtin.h"

#define MAX_TOOLS 4096

struct tool_registry {
    struct map *by_name;
    struct tool **tools;
    size_t n, cap;
    uint64_t generation;
};

static const struct {
    enum status (*make)(const struct tool_registry_options *o, struct tool **out,
                        struct error *err);
    bool needs_root;
} builtins[] = {
#define BUILTIN(name, needs_root) {builtin_##name, needs_root},
#include "tools/builtin.def"
#undef BUILTIN
};

static enum status adopt_builtins(struct tool_registry *r, const struct tool_registry_options *o,
                                  struct error *err)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; !st && i < ARRAY_LEN(builtins); i++) {
        struct tool *t = NULL;

        if (builtins[i].needs_root && !o->root)
            continue;
        st = builtins[i].make(o, &t, err);
        if (!st)
            st = tool_registry_adopt(r, t, err);
    }
    return st;
}

enum status tool_registry_new(const struct tool_registry_options *o, struct tool_registry **out,
                              struct error *err)
{
    struct tool_registry *r = xcalloc(1, sizeof(*r));
    enum status st;

    r->by_name = map_new();
    st = adopt_builtins(r, o, err);
    if (st)
        tool_registry_free(r);
    else
        *out = r;
    return st;
}

void tool_registry_free(struct tool_registry *r)
{
    if (!r)
        return;
    map_free(r->by_name, NULL);
    for (size_t i = r->n; i > 0; i--)
        tool_unref(r->tools[i - 1]);
    free(r->tools);
    free(r);
}

static bool name_is_sound(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return n >= 1 && n <= 64 && name[n] == '\0';
}

enum status tool_registry_adopt(struct tool_registry *r, struct tool *t, struct error *err)
{
    struct tool **grown;
    enum status st = STATUS_OK;

    if (!name_is_sound(t->name))
        st = error_set(
            err, STATUS_INVALID,
            "\"%.80s\" is not a tool name: expected 1 to 64 letters, digits, \"_\" and \"-\"",
            t->name);
    else if (map_get(r->by_name, t->name))
        st = error_set(err, STATUS_INVALID, "a tool named %s already exists (from %s)", t->name,
                       tool_registry_find(r, t->name)->source);
    else if (r->n >= MAX_TOOLS)
        st = error_set(err, STATUS_LIMIT, "more than %d tools", MAX_TOOLS);
    if (st) {
        tool_unref(t);
        return st;
    }
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 16;
        grown = xrealloc(r->tools, r->cap * sizeof(*r->tools)); /* at most MAX_TOOLS pointers */
        r->tools = grown;
    }
    r->tools[r->n++] = t;
    (void)map_put(r->by_name, t->name, t);
    r->generation++;
    assert(map_size(r->by_name) == r->n && !t->retired);
    return STATUS_OK;
}

enum status tool_registry_update(struct tool_registry *r, struct tool *t, struct tool **out,
                                 struct error *err)
{
    struct tool *old = tool_registry_find(r, t->name);
    enum status st;

    if (old && memcmp(old->hash.byte, t->hash.byte, sizeof(t->hash.byte)) == 0) {
        tool_unref(t);
        *out = old;
        return STATUS_OK;
    }
    if (old && strcmp(old->source, t->source) == 0)
        tool_registry_retire(r, old);
    st = tool_registry_adopt(r, t, err);
    if (!st)
        *out = t;
    return st;
}

void tool_registry_retire(struct tool_registry *r, struct tool *t)
{
    size_t i = 0;

    while (i < r->n && r->tools[i] != t)
        i++;
    assert(i < r->n && !t->retired);
    memmove(r->tools + i, r->tools + i + 1, (r->n - i - 1) * sizeof(*r->tools));
    r->n--;
    (void)map_remove(r->by_name, t->name);
    r->generation++;
    t->retired = true;
    assert(map_size(r->by_name) == r->n);
    tool_unref(t);
}

uint64_t tool_registry_generation(const struct tool_registry *r)
{
    return r->generation;
}

struct tool *tool_registry_find(const struct tool_registry *r, const char *name)
{
    return map_get(r->by_name, name);
}

size_t tool_registry_size(const struct tool_registry *r)
{
    return r->n;
}

struct tool *tool_registry_at(const struct tool_registry *r, size_t i)
{
    return i < r->n ? r->tools[i] : NULL;
}

const char *tool_registry_nearest(const struct tool_registry *r, const char *name)
{
    const char **names = xcalloc(r->n + 1, sizeof(*names));
    const char *near;

    for (size_t i = 0; i < r->n; i++)
        names[i] = r->tools[i]->name;
    near = nearest_word(name, names, r->n);
    free(names);
    return near; /* a tool's own string */
}

struct json *tool_json(const struct tool *t)
{
    struct json *function = jv_object();
    struct json *v = jv_object();

    jv_set_string(function, "name", t->name);
    jv_set_string(function, "description", t->description);
    jv_set_adopt(function, "parameters", jv_ref(t->input_schema));
    jv_set_string(v, "type", "function");
    jv_set_adopt(v, "function", function);
    return v;
}
