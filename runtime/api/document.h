/* document.h - the JSON documents that commands print and the server replies with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_API_DOCUMENT_H
#define TROUPE_RUNTIME_API_DOCUMENT_H

#include "runtime/base/json.h"

/* {"schema": "troupe.NAME/1"}: new. */
struct json *document_new(const char *name);

#endif
