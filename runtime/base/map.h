/* map.h - byte-string keys to pointers, in insertion order.
 *
 * Iteration order is insertion order, so that nothing depends on a hash seed.
 * Keys are copied; values belong to the caller. Removing a key keeps the order of the others.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_BASE_MAP_H
#define TROUPE_RUNTIME_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map;
struct map *map_new(void);
void map_free(struct map *m, void (*free_value)(void *)); /* free_value may be NULL */
size_t map_size(const struct map *m);
void *map_get(const struct map *m, const char *key); /* NULL: not there */
void *map_get_n(const struct map *m, const char *key, size_t n);
/* Returns the previous value, or NULL. */
void *map_put(struct map *m, const char *key, void *value);
void *map_put_n(struct map *m, const char *key, size_t n, void *value);
void *map_remove(struct map *m, const char *key);
/* for (size_t i = 0; map_next(m, &i, &key, &value);) ; nothing is put while iterating, but entries
 * may be removed. */
bool map_next(const struct map *m, size_t *i, const char **key, void **value);

/* The candidate with the smallest edit distance to `word`, for "did you mean": within 1 for up to
 * four letters, else within 2 or a third of the length. Without one, the shortest that begins with
 * `word` (three letters or more). NULL: none. */
const char *nearest_word(const char *word, const char *const *candidates, size_t n);

#endif
