/* script_delay.h - a thread that streams and posts answers some milliseconds late.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_SCRIPT_SCRIPT_DELAY_H
#define TROUPE_MODELS_SCRIPT_SCRIPT_DELAY_H

#include "models/model.h"

struct script_delay;
MUST_CHECK enum status script_delay_new(struct script_delay **out, struct error *err);
/* Posts waiting calls as cancelled. */
void script_delay_free(struct script_delay *d);
/* Takes a call whose answer is complete and posts it delay_ms later. Its text comes in pieces in
 * that time, the last one at the end (script_stream.h). Until then the queue uses the mail node and
 * the durations of the call. */
void script_delay_post(struct script_delay *d, struct model_call *c, int64_t delay_ms);
/* True: the call was still waiting, and the caller owns it again. */
bool script_delay_remove(struct script_delay *d, struct model_call *c);

#endif
