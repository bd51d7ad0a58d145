/* strict_schema.h - can servers enforce this JSON Schema?
 *
 * Strict structured output takes schemas in which every object lists all of its properties as
 * required and allows no others; servers refuse a request with any other schema.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_STRICT_SCHEMA_H
#define TROUPE_MODELS_REMOTE_STRICT_SCHEMA_H

#include "runtime/base/json.h"

/* The top must be an object. */
bool schema_is_strict(const struct json *schema);

#endif
