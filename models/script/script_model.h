/* script_model.h - a model whose replies come from a file: for tests and demos without weights.
 *
 * A reply is chosen by the path of the step alone, never by a counter, so that a resumed run
 * gets the same reply. It takes messages (takes_ids is false) and answers through the
 * call's mailbox, at once or after the file's delay_ms.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_SCRIPT_SCRIPT_MODEL_H
#define TROUPE_MODELS_SCRIPT_SCRIPT_MODEL_H

#include "models/model.h"

/* Closed by its ops->close, which answers outstanding calls with FINISH_CANCELLED. */
MUST_CHECK enum status script_model_open(const char *path, struct model **out, struct error *err);

#endif
