/* yaml_node.h - the structure of a parsed document; only for the yaml_*.c files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_YAML_NODE_H
#define TROUPE_RUNTIME_BASE_YAML_NODE_H

#include <stdarg.h>
#include <stdbool.h>

#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/yaml.h"

#define YAML_MAX_BYTES ((size_t)64 << 10)
#define YAML_MAX_DEPTH 32

struct yaml_node {
    enum yaml_kind kind;
    bool plain; /* a scalar without quotes */
    int line;
    int column;

    const char *text; /* of a scalar, NUL-terminated, without NUL inside */
    size_t len;

    struct yaml_node **values; /* of a collection, n of them */
    struct yaml_node **keys;   /* of a mapping, parallel to values */
    size_t n;
    size_t cap;
    struct map *index;           /* of a mapping: key to value */
    struct yaml_node *next_made; /* mappings, for freeing their index */
};

struct yaml {
    struct arena *arena; /* nodes, their arrays and scalars, text and name */
    const char *name;
    const char *text;
    size_t text_len;
    uint32_t *line_starts; /* byte offsets, n_lines of them */
    int n_lines;
    struct yaml_node *root;
    struct yaml_node *mappings;
};

/* The type of a plain scalar. */
enum yaml_type { YAML_NULL, YAML_TRUE, YAML_FALSE, YAML_INT, YAML_REAL, YAML_STRING, YAML_RANGE };
/* YAML_RANGE: a number that fits neither 64 bits nor a double. */
enum yaml_type yaml_type_of(const struct yaml_node *scalar, int64_t *integer, double *real);

/* yaml_error for a place without a node, and with another status. */
enum status yaml_fault(struct error *err, const struct yaml *y, enum status status, int line,
                       int column, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* Fills line_starts; every position in the file is found through them. */
void yaml_index_lines(struct yaml *y);
/* The first byte of a line (from 1). */
size_t yaml_line_start(const struct yaml *y, int line);

/* Fills y->root from y->text. */
MUST_CHECK enum status yaml_load(struct yaml *y, struct error *err);

#endif
