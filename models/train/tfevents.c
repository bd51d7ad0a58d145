/* tfevents.c - see tfevents.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "models/train/tfevents.h"

#include <string.h>

#include "runtime/base/hash.h"

#define EVENT_MAX_BYTES 1024

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static void put_varint(struct str *s, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        str_putc(s, (char)(v | 0x80));
    str_putc(s, (char)v);
}

static void put_fixed(struct str *s, uint64_t v, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        str_putc(s, (char)(v >> (8 * i)));
}

static void put_key(struct str *s, uint32_t field, uint32_t wire)
{
    put_varint(s, field << 3 | wire);
}

static void put_bytes(struct str *s, uint32_t field, const char *bytes, size_t n)
{
    put_key(s, field, WIRE_BYTES);
    put_varint(s, n);
    str_append(s, bytes, n);
}

static void put_wall_time(struct str *s, double wall_s)
{
    uint64_t bits;

    memcpy(&bits, &wall_s, sizeof(bits));
    put_key(s, 1, WIRE_FIXED64);
    put_fixed(s, bits, 8);
}

static uint32_t masked_crc(const char *bytes, size_t n)
{
    uint32_t c = crc32c(0, bytes, n);

    return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

static void put_record(struct str *out, const struct str *event)
{
    struct str length = STR_INIT;

    put_fixed(&length, event->len, 8);
    str_append(out, str_cstr(&length), 8);
    put_fixed(out, masked_crc(str_cstr(&length), 8), 4);
    str_append(out, str_cstr(event), event->len);
    put_fixed(out, masked_crc(str_cstr(event), event->len), 4);
    str_deinit(&length);
}

void tfevents_put_header(struct str *out, double wall_s)
{
    struct str event;

    str_init(&event, EVENT_MAX_BYTES);
    put_wall_time(&event, wall_s);
    put_bytes(&event, 3, "brain.Event:2", 13);
    put_record(out, &event);
    str_deinit(&event);
}

void tfevents_put_scalar(struct str *out, double wall_s, int64_t step, const char *tag, float value)
{
    struct str event, summary, entry;
    uint32_t bits;

    str_init(&event, EVENT_MAX_BYTES);
    str_init(&summary, EVENT_MAX_BYTES);
    str_init(&entry, EVENT_MAX_BYTES);
    memcpy(&bits, &value, sizeof(bits));
    put_bytes(&entry, 1, tag, strlen(tag));
    put_key(&entry, 2, WIRE_FIXED32);
    put_fixed(&entry, bits, 4);
    put_bytes(&summary, 1, str_cstr(&entry), entry.len);
    put_wall_time(&event, wall_s);
    put_key(&event, 2, WIRE_VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, str_cstr(&summary), summary.len);
    if (str_ok(&event) && str_ok(&summary) && str_ok(&entry)) /* a tag of 1 KB is skipped */
        put_record(out, &event);
    str_deinit(&event);
    str_deinit(&summary);
    str_deinit(&entry);
}
