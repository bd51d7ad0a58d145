/* yaml.h - strict YAML with positions, over libyaml's events.
 *
 * At most 64 KiB and depth 32; tabs for indentation, duplicate keys, tags, merge
 * keys and aliases to collections are errors. Scalars are typed like JSON: only
 * true, false, null (and empty), and JSON numbers when unquoted; `no` and `on` are strings.
 * Every node has its position, and yaml_error() shows the line with a caret.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_YAML_H
#define TROUPE_RUNTIME_BASE_YAML_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/json.h"
#include "runtime/base/status.h"

struct yaml;      /* a parsed document; owns its nodes and its text */
struct yaml_node; /* owned by the document */

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

MUST_CHECK enum status yaml_parse(const char *text, size_t n, const char *name, struct yaml **out,
                                  struct error *err);
MUST_CHECK enum status yaml_parse_file(const char *path, struct yaml **out, struct error *err);
/* libyaml exports a yaml_free of its own, so this one has another name in the link. */
#define yaml_free yaml_document_free
void yaml_free(struct yaml *y);
const char *yaml_name(const struct yaml *y); /* the file's name as given */
const struct yaml_node *yaml_root(const struct yaml *y);

enum yaml_kind yaml_node_kind(const struct yaml_node *n);
size_t yaml_size(const struct yaml_node *n);
const struct yaml_node *yaml_at(const struct yaml_node *sequence, size_t i);
/* NULL: not there. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
/* The i-th pair of a mapping, in the order of the file. */
const char *yaml_key_at(const struct yaml_node *mapping, size_t i, const struct yaml_node **key,
                        const struct yaml_node **value);
/* The node of a key, for an error about it; the mapping itself when it has no such key. */
const struct yaml_node *yaml_key_node(const struct yaml_node *mapping, const char *key);
/* The raw text of a scalar. */
const char *yaml_text_of(const struct yaml_node *scalar);
int yaml_line(const struct yaml_node *n);   /* from 1 */
int yaml_column(const struct yaml_node *n); /* from 1 */

/* The node as a new JSON value, typed as above. */
struct json *yaml_to_json(const struct yaml_node *n);

/* STATUS_CONFIG at the node's place; the message ends with the source line and a
 * caret under the column. */
enum status yaml_error(struct error *err, const struct yaml *y, const struct yaml_node *at,
                       const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same at a character (from 0) inside a scalar's text. If the file writes the text differently
 * (escapes, folded lines), at the scalar's beginning. */
enum status yaml_error_within(struct error *err, const struct yaml *y,
                              const struct yaml_node *scalar, size_t character, const char *fmt,
                              ...) PRINTF_LIKE(5, 6);
/* Every key of the mapping must be in `allowed`. The error names the key, the
 * nearest allowed one and all allowed ones. */
MUST_CHECK enum status yaml_check_keys(const struct yaml *y, const struct yaml_node *mapping,
                                       const char *const *allowed, size_t n_allowed,
                                       struct error *err);

#endif
