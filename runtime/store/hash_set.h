/* hash_set.h - a set of 64-bit hashes: eight bytes per member, no allocation per member.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_HASH_SET_H
#define TROUPE_RUNTIME_STORE_HASH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_set {
    uint64_t *slot; /* 0 is empty */
    size_t n, cap;  /* cap is a power of two */
    bool has_zero;
    bool is_lossy; /* memory ran out: every lookup returns true */
};

void hash_set_add(struct hash_set *s, uint64_t h);
bool hash_set_has(const struct hash_set *s, uint64_t h);
void hash_set_deinit(struct hash_set *s);

#endif
