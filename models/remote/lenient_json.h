/* lenient_json.h - JSON of servers and models, with text that is not quite Unicode.
 *
 * Replaced by U+FFFD: invalid UTF-8, \u0000, and halves of a surrogate pair, which servers send
 * when they cut the text of a reply between two tokens. All else is as strict as jv_parse.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_REMOTE_LENIENT_JSON_H
#define TROUPE_MODELS_REMOTE_LENIENT_JSON_H

#include "runtime/base/json.h"

MUST_CHECK enum status lenient_json(const char *bytes, size_t n, const char *name,
                                    struct json **out, struct error *err);

#endif
