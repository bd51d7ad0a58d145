/* json_salvage.h - what can be read of a JSON text when one entry of a list in it is not valid.
 *
 * A NUL escape, half of a surrogate pair, a byte that is not UTF-8, or a key that is there twice
 * makes a whole text invalid. Where the text is a list of things that have nothing to do with each
 * other, the one entry can be left out instead.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_JSON_SALVAGE_H
#define TROUPE_RUNTIME_BASE_JSON_SALVAGE_H

#include <stddef.h>

#include "runtime/base/status.h"

/* Called for each entry that is left out. key: of a member, as it is written between its quotes
 * (not checked); NULL: an element. entry: the value (n bytes), not valid JSON. why: what is wrong
 * with it. All lent. */
struct json_salvage {
    void (*dropped)(void *ctx, const char *key, size_t n_key, const char *entry, size_t n,
                    const struct error *why);
    void *ctx;
};
/* Makes blanks, in place, of the entries of the object or array at path (n_path keys from the top)
 * that are not valid by themselves. Line breaks and offsets stay. Returns how many; 0 also for a
 * text whose brackets do not show where entries end. What is left may still not be valid. Time:
 * linear in n. */
size_t json_salvage(char *bytes, size_t n, const char *const *path, size_t n_path,
                    const struct json_salvage *to);
/* The string of a member of such an entry, as it is written between its quotes; NULL: none. */
const char *json_salvage_text(const char *entry, size_t n, const char *key, size_t *n_text);

#endif
