/* spool_format.h - the bytes of a file of calls (call_spool.h), in the machine's byte order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_SPOOL_FORMAT_H
#define TROUPE_RUNTIME_STORE_SPOOL_FORMAT_H

#include "runtime/store/call_spool.h"

#define SPOOL_HEAD_BYTES sizeof(struct spool_head)

struct spool_head {
    char magic[8];
    struct spool_id id;
    char boot[40]; /* Linux's boot_id when the file was begun; "" if it has none */
};

/* Then the texts, each with a NUL, and zeros up to a multiple of SPOOL_ALIGN. */
struct spool_record {
    char magic[4];
    uint32_t crc;   /* CRC-32C of the file's id and of all bytes after this member */
    uint32_t bytes; /* of the record */
    int32_t effect;
    uint64_t number; /* from 1 on */
    uint64_t synced; /* records up to this number were on the disk when it was written */
    int64_t at_ms, took_us;
    struct sha256 arguments;
};
#define SPOOL_ALIGN 8

void spool_head_fill(struct spool_head *h, const struct spool_id *id);
/* Fails as a str does when it is too large. */
void spool_record_put(struct str *out, const struct spool_id *id, const struct call_audit_row *row,
                      uint64_t number, uint64_t synced);

#endif
