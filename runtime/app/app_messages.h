/* app_messages.h - the prompt of `generate --messages`: a file of messages, through the model's own
 * chat template.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_APP_MESSAGES_H
#define TROUPE_RUNTIME_APP_APP_MESSAGES_H

#include "models/formats/token_ids.h"
#include "models/model.h"
#include "runtime/app/app.h"

/* Reads --messages ("-": standard input) and --tools, which hold JSON arrays as the OpenAI API has
 * them, puts --system in front, and appends the ids of the prompt for m. STATUS_USAGE names what is
 * wrong in them. */
MUST_CHECK enum status app_messages_prompt(struct app *a, struct model *m, struct token_ids *out,
                                           struct error *err);

#endif
