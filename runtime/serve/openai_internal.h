/* openai_internal.h - the checks of a request, shared by openai.c and openai_messages.c.
 *
 * Each check returns false after it has filled the error: openai_fail.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_SERVE_OPENAI_INTERNAL_H
#define TROUPE_RUNTIME_SERVE_OPENAI_INTERNAL_H

#include "runtime/serve/openai.h"

#define OPENAI_PATH 96 /* of a place in a request: "messages[3].content[0].type" */

/* 400 about a parameter: what it must be, and what it is. */
bool openai_wrong_kind(struct openai_error *e, const char *param, const struct json *v,
                       const char *must_be);
/* False, and an error, when `object` has a key that is not in the list (ends in NULL). */
bool openai_only_keys(struct openai_error *e, const char *at, const struct json *object,
                      const char *const *keys);

/* openai_messages.c: of a chat. */
bool openai_read_messages(struct openai_request *r, const struct json *v, const char *param,
                          struct openai_error *e);
bool openai_read_tools(struct openai_request *r, const struct json *v, const char *param,
                       struct openai_error *e);
/* After the tools. */
bool openai_read_tool_choice(struct openai_request *r, const struct json *v, const char *param,
                             struct openai_error *e);
bool openai_read_format(struct openai_request *r, const struct json *v, const char *param,
                        struct openai_error *e);

#endif
