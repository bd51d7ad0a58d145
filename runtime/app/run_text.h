/* run_text.h - parts of what is printed about a run: its model, its cost, the rows of an
 * evaluation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_APP_RUN_TEXT_H
#define TROUPE_RUNTIME_APP_RUN_TEXT_H

#include "runtime/base/json.h"

/* run_model_name for a column: of a path the last two parts. */
void run_put_model(const struct json *config, struct str *out);
/* "$0.0123", or "below $0.0001"; nothing for 0. */
void run_put_dollars(int64_t nano, struct str *out);
/* The same after ", ", for the end of a list. */
void run_put_cost(int64_t nano, struct str *out);
/* One line of each row of an evaluation. */
void run_put_rows(const struct json *output, struct str *out);

#endif
