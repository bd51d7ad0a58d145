/* document.c - see document.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/api/document.h"

#include <stdio.h>

struct json *document_new(const char *name)
{
    struct json *doc = jv_object();
    char schema[64];

    snprintf(schema, sizeof(schema), "troupe.%s/1", name);
    jv_set_string(doc, "schema", schema);
    return doc;
}
