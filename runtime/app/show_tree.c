/* show_tree.c - see show_tree.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/app/show_tree.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"

/* While the tree is built. Indices are one above those of the steps, so that 0 is none. */
struct branch {
    size_t first, last, next; /* children, and the next of the same parent */
};

static const char *path_of(const struct json *step)
{
    return jv_get_string(jv_get(step, "path"), "");
}

/* The prefix of its children's paths: the path, with the attempt if it is not the first. */
static void put_key(const struct json *step, struct str *out)
{
    int64_t attempt = jv_get_int(jv_get(step, "attempt"), 0);

    str_clear(out);
    str_puts(out, path_of(step));
    if (attempt > 0)
        str_printf(out, "@%lld", (long long)attempt);
}

/* The parent of `path`: one above its index, or 0. *label: the rest of the path. */
static size_t find_parent(const struct map *by_key, const char *path, const char **label)
{
    for (size_t n = strlen(path); n > 0; n--) {
        const size_t *at;

        if (path[n] != '/' && path[n] != '[')
            continue;
        at = map_get_n(by_key, path, n);
        if (at) {
            *label = path + n + (path[n] == '/');
            return *at;
        }
    }
    *label = path;
    return 0;
}

static void add_child(struct branch *b, size_t parent, size_t child)
{
    if (b[parent].last)
        b[b[parent].last].next = child;
    else
        b[parent].first = child;
    b[parent].last = child;
}

struct show_node *show_tree(const struct json *steps)
{
    size_t n = jv_size(steps), n_done = 0;
    struct branch *b = xcalloc(n + 1, sizeof(*b));
    struct show_node *all = xcalloc(n + 1, sizeof(*all)), *out = xcalloc(n + 1, sizeof(*out));
    size_t *number = xcalloc(n + 1, sizeof(*number)), *parent = xcalloc(n + 1, sizeof(*parent));
    struct map *by_key = map_new();
    struct str key = STR_INIT;

    for (size_t i = 1; i <= n; i++) {
        number[i] = i;
        put_key(jv_at(steps, i - 1), &key);
        map_put(by_key, str_cstr(&key), &number[i]);
    }
    for (size_t i = 1; i <= n; i++) {
        all[i].step = jv_at(steps, i - 1);
        parent[i] = find_parent(by_key, path_of(all[i].step), &all[i].label);
        add_child(b, parent[i], i);
    }
    for (size_t i = b[0].first; i;) { /* first child, else next sibling, else up */
        all[i].depth = parent[i] ? all[parent[i]].depth + 1 : 0;
        out[n_done++] = all[i];
        if (b[i].first) {
            i = b[i].first;
            continue;
        }
        while (i && !b[i].next)
            i = parent[i];
        i = b[i].next;
    }
    str_deinit(&key);
    map_free(by_key, NULL);
    free(parent);
    free(number);
    free(all);
    free(b);
    return out;
}
