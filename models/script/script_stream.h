/* script_stream.h - the text of a scripted reply in pieces, as a server would send it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_SCRIPT_SCRIPT_STREAM_H
#define TROUPE_MODELS_SCRIPT_SCRIPT_STREAM_H

#include "models/model.h"

#define SCRIPT_PIECES 4

/* Gives piece i (from 0 to SCRIPT_PIECES - 1) to on_text: whole characters, about equal parts. A
 * short text has fewer pieces; nothing without on_text. */
void script_stream_piece(struct model_call *c, int32_t i);

#endif
