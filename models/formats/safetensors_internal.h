/* safetensors_internal.h - shared by the two halves of the reader: files of a set and its tensors.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TROUPE_MODELS_FORMATS_SAFETENSORS_INTERNAL_H
#define TROUPE_MODELS_FORMATS_SAFETENSORS_INTERNAL_H

#include "models/formats/safetensors.h"
#include "models/formats/tensor_file_impl.h"
#include "runtime/base/mapped_file.h"

#define SAFETENSORS_SINGLE "model.safetensors"
#define SAFETENSORS_INDEX  "model.safetensors.index.json"

/* One file. `header` lends the tensors their names, so both have the same lifetime. */
struct safetensors_file {
    char *name; /* as shown in messages */
    char *base; /* without its folder, as in the index */
    const uint8_t *bytes;
    size_t n_bytes;
    struct mapped_file *mapping; /* of the bytes; NULL: lent */
    struct json *header;
    int32_t first, count; /* its tensors in the set */
};

struct safetensors {
    struct tensor_file base;
    struct safetensors_file *file; /* (base.n_files) */
};

struct safetensors *safetensors_new(int32_t n_files); /* at most SAFETENSORS_MAX_SHARDS */
void safetensors_free(struct safetensors *st);
MUST_CHECK enum status safetensors_map_file(struct safetensors_file *f, const char *path,
                                            struct error *err);
/* All files are mapped. Reads all headers first, to count the tensors, then fills the table in one
 * block, since callers keep pointers into it. */
MUST_CHECK enum status safetensors_read_files(struct safetensors *set, struct error *err);
/* Checks sizes and parses the JSON of the header. */
MUST_CHECK enum status safetensors_parse_header(struct safetensors_file *f, struct error *err);
/* Fills f->count entries at `out` (in the order of the header) and checks types, shapes and layout.
 */
MUST_CHECK enum status safetensors_read_entries(struct safetensors_file *f, struct file_tensor *out,
                                                struct error *err);

#endif
