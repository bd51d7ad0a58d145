/* row_sum.h - the checksum of a row: CRC-32C over its columns, each in a frame.
 *
 * A frame is the column's length, so that bytes cannot move from one column to the
 * next unnoticed; NULL has a frame of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_RUNTIME_STORE_ROW_SUM_H
#define TROUPE_RUNTIME_STORE_ROW_SUM_H

#include "runtime/store/store_db.h"

struct row_sum {
    uint32_t crc;
    uint32_t fill; /* bytes waiting in `small` */
    unsigned char small[256];
};

void row_sum_init(struct row_sum *s);
void row_sum_int(struct row_sum *s, int64_t v); /* CELL_NULL is NULL */
void row_sum_cell(struct row_sum *s, struct cell c);
uint32_t row_sum_finish(struct row_sum *s);

#endif
