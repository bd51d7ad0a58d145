/* show_messages.h - prints the conversations of the agents of a run (api/run_messages.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_SHOW_MESSAGES_H
#define TROUPE_RUNTIME_APP_SHOW_MESSAGES_H

#include "runtime/base/json.h"

/* The conversation of this step, if it has one, as lines `role: content`. */
void show_put_messages(const struct json *threads, const struct json *step, int indent,
                       struct str *out);

#endif
