/* stop_text.h - the text of a reply ends before the first stop string.
 *
 * The model ends its reply at one (models/engine/stop.h); its ids include it, the text for the user
 * does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_STOP_TEXT_H
#define TROUPE_MODELS_STOP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

/* Length of `bytes` before the first stop string; n when there is none. */
size_t stop_text_cut(const char *bytes, size_t n, const char *const *text, int32_t n_text);
/* How many bytes at the end may be the start of a stop string: do not show them before more of the
 * reply is known. */
size_t stop_text_held(const char *bytes, size_t n, const char *const *text, int32_t n_text);

/* The same for a text that comes in pieces: gives what is certainly before the first stop string.
 */
struct stop_stream {
    const char *const *text; /* (n_text) lent */
    int32_t n_text;
    struct str held; /* may be the start of a stop string */
    bool stopped;    /* one was found; nothing more is given */
};
#define STOP_STREAM_INIT ((struct stop_stream){.held = STR_INIT})
/* Both append to out. stop_stream_end: no more pieces follow. */
void stop_stream_push(struct stop_stream *s, const char *bytes, size_t n, struct str *out);
void stop_stream_end(struct stop_stream *s, struct str *out);
void stop_stream_deinit(struct stop_stream *s);

#endif
