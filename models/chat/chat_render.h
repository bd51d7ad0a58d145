/* chat_render.h - rendering for chat_spans.c alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_CHAT_CHAT_RENDER_H
#define TROUPE_MODELS_CHAT_CHAT_RENDER_H

#include "models/chat/chat_template.h"

bool chat_has_generation(const struct chat_template *t);
/* Adds the template's generation blocks to `spans` (NULL: not asked for), which starts empty. */
MUST_CHECK enum status chat_render_marked(const struct chat_template *t,
                                          const struct chat_input *in, struct str *out,
                                          struct chat_spans *spans, struct error *err);

#endif
