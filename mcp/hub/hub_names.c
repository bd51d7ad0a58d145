/* hub_names.c - see hub_names.h.
 *
 * Why two servers never share a name: a prefix has no `__` and does not end in `_`, so the first
 * `__` of PREFIX__NAME is the one between them, and prefixes of two names differ: one that fits is
 * the name itself, unless it looks like an alias; the aliases differ by 40 bits of a hash.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mcp/hub/hub_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/hash.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

#define SEPARATOR     "__"
#define PREFIX_DIGITS 10
#define ALIAS_DIGITS  8
#define URI_SCHEME    "troupe://"

static const char *const reserved[] = {"search_tools", "call_tool"};

/* One name of a server; the struct and its texts belong to the list. */
struct name_entry {
    char *server, *upstream;
    char full[HUB_NAME_MAX + 1], bare[HUB_NAME_MAX + 1];
};
struct name_list {
    struct name_entry **entry; /* (n), by upstream name */
    size_t n;
    struct map *by_upstream, *by_bare;
};
struct hub_names {
    struct map *servers[HUB_KINDS]; /* struct name_list by server */
    struct map *all[HUB_KINDS];     /* struct name_entry by full name */
};

/* ---- one name */

static bool fits_here(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

bool hub_names_fits(const char *name)
{
    size_t n = 0;

    while (name[n] && n <= HUB_NAME_MAX && fits_here(name[n]))
        n++;
    return n > 0 && n <= HUB_NAME_MAX && !name[n];
}

bool hub_names_is_reserved(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcmp(reserved[i], name) == 0)
            return true;
    return false;
}

/* Appends with `_` for each other character; "unnamed" for nothing. */
static void put_mapped(const char *name, struct str *out)
{
    size_t n = strlen(name), i = 0;

    if (n == 0)
        str_puts(out, "unnamed");
    while (i < n) {
        uint32_t c = utf8_next(name, n, &i);

        str_putc(out, c < 128 && fits_here((char)c) ? (char)c : '_');
    }
}

static bool is_hex(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f'))
            return false;
    return true;
}

/* "...-0123456789": as the alias of a prefix ends. */
static bool ends_like_alias(const char *name, size_t n)
{
    return n > PREFIX_DIGITS && name[n - PREFIX_DIGITS - 1] == '-' &&
           is_hex(name + n - PREFIX_DIGITS, PREFIX_DIGITS);
}

void hub_names_prefix(const char *server, char out[HUB_PREFIX_MAX + 1])
{
    size_t n = strlen(server), kept = 0;
    struct str mapped = STR_INIT;
    struct sha256 hash;
    char hex[65];

    if (hub_names_fits(server) && n <= HUB_PREFIX_MAX && !strstr(server, SEPARATOR) &&
        server[n - 1] != '_' && !ends_like_alias(server, n)) {
        memcpy(out, server, n + 1);
        return;
    }
    put_mapped(server, &mapped);
    for (size_t i = 0; i < mapped.len && kept < HUB_PREFIX_MAX - PREFIX_DIGITS - 1; i++)
        if (mapped.data[i] != '_' || (kept > 0 && out[kept - 1] != '_'))
            out[kept++] = mapped.data[i];
    hash = sha256_of(server, n);
    sha256_hex(&hash, hex);
    out[kept++] = '-';
    memcpy(out + kept, hex, PREFIX_DIGITS);
    out[kept + PREFIX_DIGITS] = '\0';
    str_deinit(&mapped);
}

/* ---- the names of one list */

/* Gives each entry a name under a prefix ("" for bare ones), unique among them. */
struct naming {
    struct name_list *list;
    const char *prefix; /* with `__`, or "" */
    struct map *taken;  /* name to entry; to the list for a name that nobody gets */
    bool bare;
};

static char *name_of(const struct naming *g, struct name_entry *e)
{
    return g->bare ? e->bare : e->full;
}

static void give(struct naming *g, struct name_entry *e, const char *name)
{
    (void)map_put(g->taken, name, e);
    memcpy(name_of(g, e), name, strlen(name) + 1);
}

/* The beginning and as many digits of the hash as make it unique. */
static void give_alias(struct naming *g, struct name_entry *e)
{
    struct str text = STR_INIT, full = STR_INIT;
    struct sha256 hash;
    char hex[65], name[HUB_NAME_MAX + 1];

    str_puts(&text, g->prefix);
    put_mapped(e->upstream, &text);
    str_puts(&full, e->server);
    str_putc(&full, '\0');
    str_puts(&full, e->upstream);
    hash = sha256_of(full.data, full.len);
    sha256_hex(&hash, hex);
    for (size_t digits = ALIAS_DIGITS; digits <= 28; digits += 4) {
        size_t keep = HUB_NAME_MAX - 1 - digits;

        keep = text.len < keep ? text.len : keep;
        memcpy(name, text.data, keep);
        name[keep] = '_';
        memcpy(name + keep + 1, hex, digits);
        name[keep + 1 + digits] = '\0';
        if (!map_get(g->taken, name))
            break;
    }
    give(g, e, name);
    str_deinit(&text);
    str_deinit(&full);
}

/* Names that fit come first, then mapped ones that are alone, then aliases; each in the order of
 * the upstream names. So no name depends on the order of the list. */
static void name_all(struct naming *g)
{
    struct map *mapped = map_new();
    struct str text = STR_INIT;

    g->taken = map_new();
    for (size_t i = 0; g->bare && i < ARRAY_LEN(reserved); i++)
        (void)map_put(g->taken, reserved[i], g->list);
    for (size_t i = 0; i < g->list->n; i++) {
        struct name_entry *e = g->list->entry[i];
        bool fits;

        str_clear(&text);
        str_puts(&text, g->prefix);
        str_puts(&text, e->upstream);
        fits = *e->upstream && hub_names_fits(str_cstr(&text));
        name_of(g, e)[0] = '\0';
        if (fits && !map_get(g->taken, str_cstr(&text))) {
            give(g, e, str_cstr(&text));
            continue;
        }
        str_clear(&text);
        str_puts(&text, g->prefix);
        put_mapped(e->upstream, &text);
        /* Two with the same form: neither gets it. */
        (void)map_put(mapped, str_cstr(&text),
                      map_get(mapped, str_cstr(&text)) || fits ? (void *)g->list : (void *)e);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < g->list->n; i++) {
            struct name_entry *e = g->list->entry[i];

            if (name_of(g, e)[0])
                continue;
            str_clear(&text);
            str_puts(&text, g->prefix);
            put_mapped(e->upstream, &text);
            if (pass == 0 && text.len <= HUB_NAME_MAX && !map_get(g->taken, str_cstr(&text)) &&
                map_get(mapped, str_cstr(&text)) == e)
                give(g, e, str_cstr(&text));
            else if (pass == 1)
                give_alias(g, e);
        }
    }
    map_free(mapped, NULL);
    map_free(g->taken, NULL);
    str_deinit(&text);
}

/* ---- lists */

static void list_free(void *p)
{
    struct name_list *l = p;

    if (!l)
        return;
    map_free(l->by_upstream, NULL);
    map_free(l->by_bare, NULL);
    for (size_t i = 0; i < l->n; i++) {
        free(l->entry[i]->server);
        free(l->entry[i]->upstream);
        free(l->entry[i]);
    }
    free(l->entry);
    free(l);
}

struct hub_names *hub_names_new(void)
{
    struct hub_names *n = xcalloc(1, sizeof(*n));

    for (int k = 0; k < HUB_KINDS; k++) {
        n->servers[k] = map_new();
        n->all[k] = map_new();
    }
    return n;
}

void hub_names_free(struct hub_names *n)
{
    if (!n)
        return;
    for (int k = 0; k < HUB_KINDS; k++) {
        map_free(n->servers[k], list_free);
        map_free(n->all[k], NULL);
    }
    free(n);
}

static int by_upstream(const void *a, const void *b)
{
    const struct name_entry *const *x = a, *const *y = b;

    return strcmp((*x)->upstream, (*y)->upstream);
}

static struct name_list *list_new(const char *server, const char *const *names, size_t n)
{
    struct name_list *l = xcalloc(1, sizeof(*l));

    l->by_upstream = map_new();
    l->by_bare = map_new();
    l->entry = xcalloc(n + 1, sizeof(struct name_entry *));
    for (size_t i = 0; i < n; i++) {
        struct name_entry *e;

        if (map_get(l->by_upstream, names[i]))
            continue;
        e = xcalloc(1, sizeof(*e));
        e->server = xstrdup(server);
        e->upstream = xstrdup(names[i]);
        (void)map_put(l->by_upstream, names[i], e);
        l->entry[l->n++] = e;
    }
    if (l->n > 1)
        qsort(l->entry, l->n, sizeof(struct name_entry *), by_upstream);
    return l;
}

static void drop_list(struct hub_names *n, enum hub_kind kind, const char *server)
{
    struct name_list *l = map_remove(n->servers[kind], server);

    for (size_t i = 0; l && i < l->n; i++)
        if (map_get(n->all[kind], l->entry[i]->full) == l->entry[i])
            (void)map_remove(n->all[kind], l->entry[i]->full);
    list_free(l);
}

void hub_names_set(struct hub_names *n, enum hub_kind kind, const char *server,
                   const char *const *names, size_t n_names)
{
    struct name_list *l = list_new(server, names, n_names);
    char prefix[HUB_PREFIX_MAX + sizeof(SEPARATOR)];
    struct naming full = {.list = l, .prefix = prefix}, bare = {l, "", NULL, true};

    hub_names_prefix(server, prefix);
    memcpy(prefix + strlen(prefix), SEPARATOR, sizeof(SEPARATOR));
    name_all(&full);
    name_all(&bare);
    drop_list(n, kind, server);
    (void)map_put(n->servers[kind], server, l);
    for (size_t i = 0; i < l->n; i++) {
        (void)map_put(l->by_bare, l->entry[i]->bare, l->entry[i]);
        (void)map_put(n->all[kind], l->entry[i]->full, l->entry[i]);
    }
}

void hub_names_remove(struct hub_names *n, const char *server)
{
    for (int k = 0; k < HUB_KINDS; k++)
        drop_list(n, (enum hub_kind)k, server);
}

/* ---- look-ups */

static const struct name_entry *entry_of(const struct hub_names *n, enum hub_kind kind,
                                         const char *server, const char *upstream)
{
    const struct name_list *l = map_get(n->servers[kind], server);

    return l ? map_get(l->by_upstream, upstream) : NULL;
}

const char *hub_names_of(const struct hub_names *n, enum hub_kind kind, const char *server,
                         const char *upstream)
{
    const struct name_entry *e = entry_of(n, kind, server, upstream);

    return e ? e->full : NULL;
}

bool hub_names_find(const struct hub_names *n, enum hub_kind kind, const char *name,
                    const char **server, const char **upstream)
{
    const struct name_entry *e = map_get(n->all[kind], name);

    if (!e)
        return false;
    *server = e->server;
    *upstream = e->upstream;
    return true;
}

const char *hub_names_bare(const struct hub_names *n, enum hub_kind kind, const char *server,
                           const char *upstream)
{
    const struct name_entry *e = entry_of(n, kind, server, upstream);

    return e ? e->bare : NULL;
}

const char *hub_names_find_bare(const struct hub_names *n, enum hub_kind kind, const char *server,
                                const char *bare)
{
    const struct name_list *l = map_get(n->servers[kind], server);
    const struct name_entry *e = l ? map_get(l->by_bare, bare) : NULL;

    return e ? e->upstream : NULL;
}

/* ---- URIs */

void hub_uri_put(const char *server, const char *uri, struct str *out)
{
    char prefix[HUB_PREFIX_MAX + 1];

    hub_names_prefix(server, prefix);
    str_printf(out, URI_SCHEME "%s/", prefix);
    str_puts(out, uri);
}

const char *hub_uri_inner(const char *uri)
{
    const char *slash = strncasecmp(uri, URI_SCHEME, sizeof(URI_SCHEME) - 1) == 0
                            ? strchr(uri + sizeof(URI_SCHEME) - 1, '/')
                            : NULL;

    return slash ? slash + 1 : NULL;
}

bool hub_uri_split(const char *uri, const char *const *servers, size_t n_servers,
                   const char **server, const char **upstream)
{
    const char *host = uri + sizeof(URI_SCHEME) - 1, *inner = hub_uri_inner(uri), *alike = NULL;
    size_t n, n_alike = 0;

    if (!inner)
        return false;
    n = (size_t)(inner - 1 - host);
    for (size_t i = 0; i < n_servers; i++) {
        char prefix[HUB_PREFIX_MAX + 1];

        hub_names_prefix(servers[i], prefix);
        if (strlen(prefix) != n || strncasecmp(prefix, host, n) != 0)
            continue;
        alike = servers[i];
        n_alike++;
        if (memcmp(prefix, host, n) == 0) {
            n_alike = 1;
            break;
        }
    }
    if (n_alike != 1)
        return false;
    *server = alike;
    *upstream = inner;
    return true;
}
