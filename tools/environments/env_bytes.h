/* env_bytes.h - the state of an episode as checksummed bytes, and its fingerprint.
 *
 * A snapshot is, little endian: magic, version, then fields in the order of the environment's
 * visit(), then the CRC-32C of everything before. The same visit() reads and writes, so that both
 * stay equal. Input bytes are untrusted: the checksum is checked first, then every bound.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TOOLS_ENVIRONMENTS_ENV_BYTES_H
#define TROUPE_TOOLS_ENVIRONMENTS_ENV_BYTES_H

#include "tools/environments/env_core.h"

struct env_bytes {
    struct str *out;   /* writing when not NULL */
    const uint8_t *in; /* reading */
    size_t n, at;
    bool bad; /* ran out of bytes, or a value that its field cannot hold */
};

/* Each writes the value, or reads it and sets `bad` if it is out of bounds (inclusive). */
uint64_t env_bytes_bits(struct env_bytes *io, uint64_t v, size_t n_bytes);
int32_t env_bytes_i32(struct env_bytes *io, int32_t v, int32_t min, int32_t max);
void env_bytes_i8(struct env_bytes *io, int8_t *v, int32_t min, int32_t max);
void env_bytes_u8(struct env_bytes *io, uint8_t *v, int32_t max);
void env_bytes_bool(struct env_bytes *io, bool *v);
void env_bytes_block(struct env_bytes *io, uint8_t *v, size_t n, int32_t max);

void env_bytes_params(struct env_bytes *io, struct env_params *p);
/* All of the base but the parameters and the budget, which follow from them. */
void env_bytes_core(struct env_bytes *io, struct env *e, int32_t cap);

/* Writing: pass the result of begin to end. */
size_t env_frame_begin(struct str *out, uint32_t magic, uint32_t version);
void env_frame_end(struct str *out, size_t from);
/* Reading: checks magic, version and checksum, then takes the parameters. */
struct env_frame {
    const char *name; /* of the environment, for messages */
    uint32_t magic, version;
};
MUST_CHECK enum status env_frame_open(const struct env_frame *f, const void *bytes, size_t n,
                                      struct env_bytes *io, struct env_params *params,
                                      struct error *err);
/* STATUS_CORRUPT if bytes are left or a value was bad. */
MUST_CHECK enum status env_frame_finish(const struct env_frame *f, const struct env_bytes *io,
                                        struct error *err);

/* The first half of the SHA-256 of the bytes that `io` wrote; frees its str. */
void env_anchor_of(struct env_bytes *io, uint8_t hash[16]);

#endif
