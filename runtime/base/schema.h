/* schema.h - JSON Schema 2020-12, the subset that tools use, on JSON values.
 *
 * type (also a list), properties, required, additionalProperties, items, prefixItems, enum,
 * const, minimum, maximum, exclusiveMinimum/Maximum, multipleOf, min/maxLength,
 * pattern (under limits), min/maxItems, uniqueItems, anyOf, oneOf, allOf, not, $ref within
 * the document. Messages name the field's path, the expected and the actual value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_SCHEMA_H
#define TROUPE_RUNTIME_BASE_SCHEMA_H

#include "runtime/base/json.h"

/* Fails if the schema uses an unsupported keyword; the error names the first one. */
MUST_CHECK enum status schema_supported(const struct json *schema, struct error *err);
/* For foreign schemas: a reduced schema that can be checked and allows every value that `schema`
 * allows. New reference: `schema` itself if all of it can be checked, `true` if nothing can. */
struct json *schema_lenient(struct json *schema);
/* `at` is the root of the path ("arguments"). STATUS_INVALID with the path in err->where. */
MUST_CHECK enum status schema_check(const struct json *schema, const struct json *value,
                                    const char *at, struct error *err);
/* Of an object with these properties: the one that `name` nearly names, or NULL; then `list` gets
 * all: "a", "b". */
const char *schema_nearest_property(const struct json *properties, const char *name,
                                    struct str *list);

#endif
