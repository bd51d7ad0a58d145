/* gguf_bytes.h - GGUF files byte by byte, so that a test can say what no writer would.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_TESTS_GGUF_BYTES_H
#define TROUPE_TESTS_GGUF_BYTES_H

#include "models/formats/gguf.h"
#include "runtime/base/str.h"
#include "tests/support/check.h"

static inline void gb_number(struct str *s, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        str_putc(s, (char)(v >> (8 * i)));
}

static inline void gb_text(struct str *s, const char *text)
{
    gb_number(s, strlen(text), 8);
    str_puts(s, text);
}

static inline void gb_head(struct str *s, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    str_puts(s, "GGUF");
    gb_number(s, version, 4);
    gb_number(s, n_tensors, 8);
    gb_number(s, n_keys, 8);
}

static inline void gb_key(struct str *s, const char *key, uint32_t kind)
{
    gb_text(s, key);
    gb_number(s, kind, 4);
}

static inline void gb_u32(struct str *s, const char *key, uint32_t v)
{
    gb_key(s, key, GGUF_U32);
    gb_number(s, v, 4);
}

static inline void gb_tensor(struct str *s, const char *name, int n_dims, const uint64_t *dim,
                             uint32_t type, uint64_t offset)
{
    gb_text(s, name);
    gb_number(s, (uint64_t)n_dims, 4);
    for (int i = 0; i < n_dims; i++)
        gb_number(s, dim[i], 8);
    gb_number(s, type, 4);
    gb_number(s, offset, 8);
}

/* Zeros up to a multiple of `alignment`, then n bytes of data. */
static inline void gb_data(struct str *s, size_t alignment, size_t n)
{
    while (s->len % alignment != 0)
        str_putc(s, '\0');
    for (size_t i = 0; i < n; i++)
        str_putc(s, (char)i);
}

#endif
