/* cell_json.c - reading a value in a row or in a blob as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "runtime/store/cell_json.h"

#include "runtime/store/blob.h"

/* The program wrote the text itself: only memory limits it. */
#define VALUE_MAX_BYTES ((size_t)256 << 20)

enum status cell_json(struct store_reader *q, struct cell small, int64_t blob, struct json **out,
                      struct error *err)
{
    enum status st;

    *out = NULL;
    if (small.data)
        return jv_parse_max(small.data, small.n, VALUE_MAX_BYTES, "value", out, err);
    if (blob == CELL_NULL)
        return STATUS_OK;
    st = blob_get(&q->db, blob, &q->text, err);
    if (st)
        return st;
    return jv_parse_max(str_cstr(&q->text), q->text.len, VALUE_MAX_BYTES, "value", out, err);
}
