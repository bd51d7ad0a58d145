/* added_tokens.c - a trie of added tokens.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/formats/added_tokens.h"

#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/base/unicode.h"

#define NONE (-1)

/* Children of a node form a list; few nodes but the root have more than one. */
struct node {
    int32_t child, sibling;
    int32_t id; /* of the token that ends here, or NONE */
    uint8_t byte, flags;
};

struct added_tokens {
    int32_t first[256]; /* the root's children, by byte */
    struct node *node;
    int32_t n_nodes, cap;
};

struct added_tokens *added_tokens_new(void)
{
    struct added_tokens *a = xcalloc(1, sizeof(*a));

    for (int i = 0; i < 256; i++)
        a->first[i] = NONE;
    return a;
}

void added_tokens_free(struct added_tokens *a)
{
    if (a == NULL)
        return;
    free(a->node);
    free(a);
}

static int32_t child_of(const struct added_tokens *a, int32_t parent, uint8_t byte)
{
    int32_t i = a->node[parent].child;

    while (i != NONE && a->node[i].byte != byte)
        i = a->node[i].sibling;
    return i;
}

/* NONE: no memory. */
static int32_t new_node(struct added_tokens *a, uint8_t byte)
{
    if (a->n_nodes == a->cap) {
        const int32_t cap = a->cap ? a->cap * 2 : 64;

        if (!mem_grow((void **)&a->node, (size_t)cap, sizeof(*a->node)))
            return NONE;
        a->cap = cap;
    }
    a->node[a->n_nodes] = (struct node){NONE, NONE, NONE, byte, 0};
    return a->n_nodes++;
}

/* The node for `byte` under `parent` (NONE: the root), made if need be. */
static int32_t step(struct added_tokens *a, int32_t parent, uint8_t byte)
{
    int32_t i = parent == NONE ? a->first[byte] : child_of(a, parent, byte);

    if (i != NONE)
        return i;
    i = new_node(a, byte);
    if (i == NONE)
        return NONE;
    if (parent == NONE) {
        a->first[byte] = i;
    } else {
        a->node[i].sibling = a->node[parent].child;
        a->node[parent].child = i;
    }
    return i;
}

enum status added_tokens_add(struct added_tokens *a, const char *content, size_t n, int32_t id,
                             unsigned flags, struct error *err)
{
    int32_t at = NONE;

    for (size_t i = 0; i < n; i++) {
        at = step(a, at, (uint8_t)content[i]);
        if (at == NONE)
            return error_set(err, STATUS_NO_MEMORY, "no memory for an added token");
    }
    if (at == NONE || a->node[at].id != NONE)
        return error_set(err, STATUS_INVALID, "the added token \"%.*s\" is %s",
                         n < 100 ? (int)n : 100, content, at == NONE ? "empty" : "given twice");
    a->node[at].id = id;
    a->node[at].flags = (uint8_t)flags;
    return STATUS_OK;
}

/* The node of the longest token that starts at text[i], or NONE; *end is where it ends. */
static int32_t longest_at(const struct added_tokens *a, const char *text, size_t n, size_t i,
                          size_t *end)
{
    int32_t at = a->first[(uint8_t)text[i]], best = NONE;

    while (at != NONE) {
        i++;
        if (a->node[at].id != NONE) {
            best = at;
            *end = i;
        }
        at = i < n ? child_of(a, at, (uint8_t)text[i]) : NONE;
    }
    return best;
}

/* Does a word end where this begins, or begin where it ends? */
static bool is_in_word(const char *text, size_t n, size_t from, size_t to)
{
    size_t back = from;

    if (from > 0) {
        do
            back--;
        while (back > 0 && from - back < UTF8_MAX_BYTES && ((uint8_t)text[back] & 0xc0) == 0x80);
        if (utf8_is_word(utf8_next(text, from, &back)))
            return true;
    }
    return to < n && utf8_is_word(utf8_next(text, n, &to));
}

bool added_tokens_find(const struct added_tokens *a, const char *text, size_t n, size_t from,
                       bool with_special, struct added_match *match)
{
    for (size_t i = from, end = 0; i < n; i++) {
        int32_t at;

        if (a->first[(uint8_t)text[i]] == NONE)
            continue;
        at = longest_at(a, text, n, i, &end);
        if (at == NONE)
            continue;
        if ((!with_special && (a->node[at].flags & ADDED_SPECIAL)) ||
            ((a->node[at].flags & ADDED_SINGLE_WORD) && is_in_word(text, n, i, end))) {
            i = end - 1; /* its text counts as read, as in the reference */
            continue;
        }
        match->id = a->node[at].id;
        match->from = a->node[at].flags & ADDED_LSTRIP ? utf8_space_before(text, from, i) : i;
        match->to = a->node[at].flags & ADDED_RSTRIP ? utf8_space_after(text, n, end) : end;
        return true;
    }
    return false;
}

int32_t added_tokens_exact(const struct added_tokens *a, const char *bytes, size_t n)
{
    size_t end = 0;
    int32_t at = n > 0 ? a->first[(uint8_t)bytes[0]] : NONE;

    for (end = 1; end < n && at != NONE; end++)
        at = child_of(a, at, (uint8_t)bytes[end]);
    return at == NONE ? NONE : a->node[at].id;
}
