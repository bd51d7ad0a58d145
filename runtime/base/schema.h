/* schema.h - JSON Schema 2020-12, the subset that tools use, on JSON values.
 *
 * type (also a list), properties, required, additionalProperties, items, prefixItems, enum,
 * const, minimum, maximum, exclusiveMinimum/Maximum, multipleOf, min/maxLength,
 * pattern (under limits), min/maxItems, uniqueItems, anyOf, oneOf, allOf, not, $ref within
 * the document. Messages name the field's path, what was expected and what came.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_SCHEMA_H
#define TROUPE_RUNTIME_BASE_SCHEMA_H

#include "runtime/base/json.h"

/* Is the schema one that we can check? Names the first keyword that we cannot. */
MUST_CHECK enum status schema_supported(const struct json *schema, struct error *err);
/* For schemas of others: one that can be checked and refuses nothing that theirs allows. New; the
 * schema itself where all of it can be checked, `true` where nothing can. */
struct json *schema_lenient(struct json *schema);
/* `at` is the path's first word ("arguments"). STATUS_INVALID with the place in err->where. */
MUST_CHECK enum status schema_check(const struct json *schema, const struct json *value,
                                    const char *at, struct error *err);

#endif
