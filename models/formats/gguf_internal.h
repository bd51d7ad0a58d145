/* gguf_internal.h - shared by the files of the GGUF reader.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_GGUF_INTERNAL_H
#define TROUPE_MODELS_FORMATS_GGUF_INTERNAL_H

#include <stdatomic.h>

#include "models/formats/gguf.h"
#include "runtime/base/map.h"
#include "runtime/base/mapped_file.h"

#define GGUF_MAX_NAME_BYTES 255   /* of a tensor; the specification says 64 */
#define GGUF_MAX_KEY_BYTES  65535 /* as in the specification */

struct gguf_file {
    char *name; /* as shown in messages */
    const uint8_t *bytes;
    size_t n_bytes;
    struct mapped_file *mapping; /* of the bytes; NULL: lent */
    int32_t version;
    size_t alignment;
    struct gguf_value *value; /* (n_values) keys owned */
    int32_t n_values;
    struct map *by_key;         /* key -> struct gguf_value * */
    struct gguf_tensor *tensor; /* (n_tensors) names owned */
    int32_t n_tensors;
};

struct gguf {
    atomic_int refs;
    struct gguf_file *file;
    int32_t n_files;
    struct map *by_name; /* of all parts: name -> struct gguf_tensor * */
    int32_t n_tensors;
};

/* Reads and checks the header of a mapped file: values and tensors. */
MUST_CHECK enum status gguf_read_file(struct gguf_file *f, struct error *err);
size_t gguf_kind_bytes(enum gguf_kind kind);    /* 0: strings and arrays */
uint64_t gguf_load(const uint8_t *p, size_t n); /* little endian, 1 to 8 bytes */

#endif
