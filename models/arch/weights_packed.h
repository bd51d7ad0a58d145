/* weights_packed.h - packed panels kept in files, so that the next start maps them instead of
 * reading and packing the checkpoint.
 *
 * A file HASH.panels holds the panels of one version of the weights for one instruction set and one
 * layout; a file HASH.id says which hash the weights have that lie in files of a certain device,
 * inode, size and time. Both are of mode 0600, belong to the user, and are checksummed: what is
 * damaged, someone else's or of another layout is as good as missing. Nothing here fails: without a
 * file the start is only slower. Source of the checksum: RFC 3720 (CRC-32C).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_ARCH_WEIGHTS_PACKED_H
#define TROUPE_MODELS_ARCH_WEIGHTS_PACKED_H

#include "models/arch/weights_impl.h"

/* The shapes, types and sources of the tensors are set, and w->panels_bytes. True: the hash of w is
 * known now, and w->packed maps its panels (or is NULL: none were found). */
bool weights_packed_find(struct weights *w, const struct weights_cache *cache);
/* w is packed and hashed. Also what weights_packed_find found again may be stored. */
void weights_packed_store(const struct weights *w, const struct weights_cache *cache);
/* Where the panels begin in w->packed. */
const void *weights_packed_panels(const struct weights *w);

#endif
