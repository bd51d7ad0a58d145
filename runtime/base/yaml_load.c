/* yaml_load.c - converts libyaml's events to nodes, and rejects the surprising parts of YAML.
 *
 * Depth is checked at each opening event, long before libyaml's own cost grows: it
 * looks ahead 1024 characters at most.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <yaml.h>

#include "runtime/base/utf8.h"
#include "runtime/base/yaml_node.h"

/* Aliases to scalars are allowed, but a document must not grow by them: 64 KiB
 * could otherwise repeat one long string thousands of times. */
#define ALIASED_MAX_BYTES ((size_t)1 << 20)

struct loader {
    struct yaml *y;
    struct error *err;
    yaml_parser_t parser;
    yaml_event_t event; /* the one to look at */
    bool have_event;
    struct map *anchors; /* name to node; to `collection` for what may not be repeated */
    struct yaml_node collection;
    size_t aliased_bytes;
    int tab_line; /* what indenting_tab said last */
    int tab_column;
};

static enum status load_node(struct loader *l, int depth, struct yaml_node **out);

static int mark_line(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

static int mark_column(yaml_mark_t mark)
{
    return (int)mark.column + 1;
}

/* A fault at the beginning of the current event. */
#define FAULT(l, status, ...)                                                                      \
    yaml_fault((l)->err, (l)->y, (status), mark_line((l)->event.start_mark),                       \
               mark_column((l)->event.start_mark), __VA_ARGS__)

/* The column of a tab in a line's indentation, or 0. Nodes come line by line, so the
 * last answer is kept: one line may hold thousands. */
static int indenting_tab(struct loader *l, int line)
{
    const struct yaml *y = l->y;
    size_t from = yaml_line_start(y, line);

    if (line == l->tab_line)
        return l->tab_column;
    l->tab_line = line;
    l->tab_column = 0;
    for (size_t i = from; i < y->text_len && !l->tab_column; i++) {
        if (y->text[i] == '\t')
            l->tab_column = (int)(i - from) + 1;
        else if (y->text[i] != ' ')
            break;
    }
    return l->tab_column;
}

static enum status tab_fault(struct loader *l, int line, int column)
{
    return yaml_fault(l->err, l->y, STATUS_CONFIG, line, column,
                      "a tab is used for indentation; YAML allows only spaces");
}

/* `a: {b: ${x}}`: the brace of a ${...} without quotes opened a mapping. */
static bool is_bare_expression(const struct loader *l, size_t at)
{
    return at > 0 && at < l->y->text_len && l->y->text[at - 1] == '$' && l->y->text[at] == '{';
}

/* Of a character that YAML does not allow. Its line is not shown, since a terminal could obey it.
 */
static enum status reader_fault(struct loader *l)
{
    const yaml_parser_t *p = &l->parser;
    size_t at = p->problem_offset < l->y->text_len ? p->problem_offset : l->y->text_len;
    long line, column;

    utf8_place(l->y->text, at, &line, &column);
    return error_at(l->err, STATUS_CONFIG, l->y->name, line, column, "not valid YAML: %s (U+%04X)",
                    p->problem ? p->problem : "a wrong character", (unsigned)p->problem_value);
}

static enum status parser_fault(struct loader *l)
{
    const yaml_parser_t *p = &l->parser;
    const char *problem = p->problem ? p->problem : "not valid YAML";
    int line = mark_line(p->problem_mark);
    int tab;

    if (p->error == YAML_MEMORY_ERROR)
        return error_at(l->err, STATUS_NO_MEMORY, l->y->name, 0, 0, "no memory to read YAML");
    if (p->error == YAML_READER_ERROR)
        return reader_fault(l);
    tab = indenting_tab(l, line);
    if (tab)
        return tab_fault(l, line, tab);
    if (is_bare_expression(l, p->problem_mark.index))
        return yaml_fault(l->err, l->y, STATUS_CONFIG, line, mark_column(p->problem_mark),
                          "inside { } and [ ], a value with ${...} needs quotes: \"${...}\"");
    if (p->context)
        return yaml_fault(l->err, l->y, STATUS_CONFIG, line, mark_column(p->problem_mark),
                          "%s, %s (line %d)", problem, p->context, mark_line(p->context_mark));
    return yaml_fault(l->err, l->y, STATUS_CONFIG, line, mark_column(p->problem_mark), "%s",
                      problem);
}

static enum status next_event(struct loader *l)
{
    if (l->have_event)
        yaml_event_delete(&l->event);
    l->have_event = yaml_parser_parse(&l->parser, &l->event) != 0;
    return l->have_event ? STATUS_OK : parser_fault(l);
}

static struct yaml_node *node_new(struct loader *l, enum yaml_kind kind)
{
    struct yaml_node *n = arena_alloc(l->y->arena, sizeof(*n));

    n->kind = kind;
    n->line = mark_line(l->event.start_mark);
    n->column = mark_column(l->event.start_mark);
    return n;
}

/* Room for one more in a collection. What the old arrays held stays in the arena:
 * less than what the new ones hold. */
static void node_grow(struct loader *l, struct yaml_node *n)
{
    size_t cap = n->cap ? 2 * n->cap : 4;
    struct yaml_node **values;
    struct yaml_node **keys;

    if (n->n < n->cap)
        return;
    values = arena_alloc(l->y->arena, cap * sizeof(struct yaml_node *));
    if (n->n)
        memcpy(values, n->values, n->n * sizeof(struct yaml_node *));
    n->values = values;
    if (n->kind == YAML_MAPPING) {
        keys = arena_alloc(l->y->arena, cap * sizeof(struct yaml_node *));
        if (n->n)
            memcpy(keys, n->keys, n->n * sizeof(struct yaml_node *));
        n->keys = keys;
    }
    n->cap = cap;
}

static enum status load_alias(struct loader *l, struct yaml_node **out)
{
    const char *name = (const char *)l->event.data.alias.anchor;
    const struct yaml_node *target = map_get(l->anchors, name);
    struct yaml_node *n;

    if (!target)
        return FAULT(l, STATUS_CONFIG, "no anchor \"%.80s\" before this alias", name);
    if (target == &l->collection)
        return FAULT(l, STATUS_CONFIG, "aliases to mappings and sequences are not supported");
    l->aliased_bytes += target->len;
    if (l->aliased_bytes > ALIASED_MAX_BYTES)
        return FAULT(l, STATUS_LIMIT, "aliases repeat more than %zu bytes", ALIASED_MAX_BYTES);
    n = node_new(l, YAML_SCALAR);
    n->plain = target->plain;
    n->text = target->text;
    n->len = target->len;
    *out = n;
    return STATUS_OK;
}

static enum status load_scalar(struct loader *l, struct yaml_node **out)
{
    const char *text = (const char *)l->event.data.scalar.value;
    size_t len = l->event.data.scalar.length;
    struct yaml_node *n;
    int64_t integer;
    double real;

    if (memchr(text, '\0', len))
        return FAULT(l, STATUS_CONFIG, "a string must not hold a NUL");
    n = node_new(l, YAML_SCALAR);
    n->plain = l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->text = arena_strndup(l->y->arena, text, len);
    n->len = len;
    if (yaml_type_of(n, &integer, &real) == YAML_RANGE)
        return FAULT(l, STATUS_CONFIG, "the number %.40s is out of range; quote it if it is text",
                     n->text);
    if (l->event.data.scalar.anchor)
        map_put(l->anchors, (const char *)l->event.data.scalar.anchor, n);
    *out = n;
    return STATUS_OK;
}

static enum status load_sequence(struct loader *l, int depth, struct yaml_node **out)
{
    struct yaml_node *n = node_new(l, YAML_SEQUENCE);

    for (;;) {
        struct yaml_node *value = NULL;
        enum status st = next_event(l);

        if (st)
            return st;
        if (l->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        st = load_node(l, depth, &value);
        if (st)
            return st;
        node_grow(l, n);
        n->values[n->n++] = value;
    }
    *out = n;
    return STATUS_OK;
}

/* The key that the current event begins, checked against those before it. */
static enum status load_key(struct loader *l, const struct yaml_node *mapping, int depth,
                            struct yaml_node **out)
{
    struct yaml_node *key = NULL;
    enum status st;

    if (l->event.type == YAML_MAPPING_START_EVENT || l->event.type == YAML_SEQUENCE_START_EVENT)
        return FAULT(l, STATUS_CONFIG, "a key must be a scalar");
    st = load_node(l, depth, &key);
    if (st)
        return st;
    if (key->plain && key->len == 0)
        return FAULT(l, STATUS_CONFIG, "a key is missing here");
    if (key->plain && strcmp(key->text, "<<") == 0)
        return FAULT(l, STATUS_CONFIG, "merge keys (<<) are not supported");
    for (size_t i = 0; map_get(mapping->index, key->text) && i < mapping->n; i++) {
        if (strcmp(mapping->keys[i]->text, key->text) == 0)
            return FAULT(l, STATUS_CONFIG, "duplicate key \"%.80s\", first given on line %d",
                         key->text, mapping->keys[i]->line);
    }
    *out = key;
    return STATUS_OK;
}

static enum status load_mapping(struct loader *l, int depth, struct yaml_node **out)
{
    struct yaml_node *n = node_new(l, YAML_MAPPING);

    n->index = map_new();
    n->next_made = l->y->mappings; /* freed with the document, whatever happens below */
    l->y->mappings = n;
    for (;;) {
        struct yaml_node *key = NULL;
        struct yaml_node *value = NULL;
        enum status st = next_event(l);

        if (st)
            return st;
        if (l->event.type == YAML_MAPPING_END_EVENT)
            break;
        st = load_key(l, n, depth, &key);
        if (!st)
            st = next_event(l);
        if (!st)
            st = load_node(l, depth, &value);
        if (st)
            return st;
        node_grow(l, n);
        n->keys[n->n] = key;
        n->values[n->n++] = value;
        map_put(n->index, key->text, value);
    }
    *out = n;
    return STATUS_OK;
}

static const yaml_char_t *event_tag(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.tag;
    default:
        return NULL;
    }
}

/* The node that begins with the current event; `depth` collections are open. */
static enum status load_node(struct loader *l, int depth, struct yaml_node **out)
{
    int line = mark_line(l->event.start_mark);
    int tab = indenting_tab(l, line);
    const yaml_char_t *anchor;
    bool mapping;

    if (tab && tab <= mark_column(l->event.start_mark))
        return tab_fault(l, line, tab);
    if (event_tag(&l->event))
        return FAULT(l, STATUS_CONFIG, "tags (!) are not supported");
    if (l->event.type == YAML_ALIAS_EVENT)
        return load_alias(l, out);
    if (l->event.type == YAML_SCALAR_EVENT)
        return load_scalar(l, out);
    if (depth == YAML_MAX_DEPTH)
        return FAULT(l, STATUS_LIMIT, "YAML is nested deeper than %d levels", YAML_MAX_DEPTH);
    mapping = l->event.type == YAML_MAPPING_START_EVENT;
    anchor = mapping ? l->event.data.mapping_start.anchor : l->event.data.sequence_start.anchor;
    if (anchor)
        map_put(l->anchors, (const char *)anchor, &l->collection);
    return mapping ? load_mapping(l, depth + 1, out) : load_sequence(l, depth + 1, out);
}

/* The events around the one document that a file holds. */
static enum status load_stream(struct loader *l)
{
    enum status st = next_event(l); /* the stream's start */

    if (!st)
        st = next_event(l);
    if (st)
        return st;
    if (l->event.type == YAML_STREAM_END_EVENT) { /* an empty file means null */
        l->y->root = node_new(l, YAML_SCALAR);
        *l->y->root = (struct yaml_node){
            .kind = YAML_SCALAR, .plain = true, .line = 1, .column = 1, .text = ""};
        return STATUS_OK;
    }
    st = next_event(l); /* past the document's start */
    if (!st)
        st = load_node(l, 0, &l->y->root);
    if (!st)
        st = next_event(l); /* the document's end */
    if (!st)
        st = next_event(l);
    if (!st && l->event.type != YAML_STREAM_END_EVENT)
        st = FAULT(l, STATUS_CONFIG, "a file holds one YAML document, not several");
    return st;
}

enum status yaml_load(struct yaml *y, struct error *err)
{
    struct loader l = {.y = y, .err = err};
    enum status st;

    if (!yaml_parser_initialize(&l.parser))
        return error_at(err, STATUS_NO_MEMORY, y->name, 0, 0, "no memory to read YAML");
    l.anchors = map_new();
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)y->text, y->text_len);
    st = load_stream(&l);
    if (l.have_event)
        yaml_event_delete(&l.event);
    yaml_parser_delete(&l.parser);
    map_free(l.anchors, NULL);
    return st;
}
