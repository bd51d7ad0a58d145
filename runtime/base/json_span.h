/* json_span.h - where the parts of a JSON text are: byte offsets of keys and values.
 *
 * A struct json has no positions. Whoever reports a fault in the meaning of a file, or edits its
 * text, finds the place here. The text is one that jv_parse has accepted; of any other text the
 * answers are offsets inside it, but mean nothing. Time is linear in the container's length.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_SPAN_H
#define TROUPE_RUNTIME_BASE_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct json_span {
    size_t key;        /* the opening quote of the key; of an item, the same as value */
    size_t value, end; /* the bytes [value, end) */
};

/* Goes through the members of an object or the items of an array, in their order. */
struct json_spans {
    const char *bytes;
    size_t n, at;
    bool is_object;
};
/* `at`: an offset at or before the value, with only blanks between. Of a scalar there are none. */
struct json_spans json_spans_of(const char *bytes, size_t n, size_t at);
bool json_spans_next(struct json_spans *s, struct json_span *out);

bool json_span_key_is(const char *bytes, const struct json_span *span, const char *key);
/* The member of the object at `at`. false: it has none. */
bool json_span_get(const char *bytes, size_t n, size_t at, const char *key, struct json_span *out);

#endif
